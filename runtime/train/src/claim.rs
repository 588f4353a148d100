//! The folder of a run, and the right to train into it.
//!
//! Invariant: while a [`Claim`] lives no other process trains into its folder. A folder that holds something else is
//! never taken, and one that was made for a run that did not begin is gone again.

use crate::checkpoint::HIDDEN;
use crate::files::named;
use crate::{Checkpoint, Recipe, tokenizer};
use seqc_device::{Result, fail};
use seqc_files::{Lock, Refused};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The lock's file in the run's folder.
const LOCK: &str = ".lock";

/// Files of a run that would be overwritten.
const FILES: [&str; 5] = [
    "config.json",
    "model.safetensors",
    "model.seq",
    "metrics.jsonl",
    "tokenizer.json",
];

#[derive(Debug)]
pub struct Claim {
    folder: PathBuf,
    resume: bool,
    /// The folder was not there before.
    made: bool,
    lock: Option<Lock>,
}

impl Claim {
    /// Takes a folder for a run that begins, or goes on (`resume`). Errors, before anything is compiled, say what
    /// would keep it from starting: a recipe without sense, data that is not there, a folder that is another
    /// process's at the moment, cannot be a run, or already is one (or is none, for one to be resumed).
    pub fn take(recipe: &Recipe, data: &Path, folder: &Path, resume: bool) -> Result<Claim> {
        recipe.validate()?;
        is_data(data)?;
        if folder.exists() && !folder.is_dir() {
            fail!("{}: a file, not a folder for a run", folder.display());
        }
        let made = !folder.exists();
        if made {
            may_go_on(folder, resume)?;
        }
        fs::create_dir_all(folder).map_err(|e| named(folder, &e))?;
        let unlocked = !folder.join(LOCK).exists();
        let mut claim = Claim {
            folder: folder.to_owned(),
            resume,
            made,
            lock: Some(lock(folder)?),
        };
        // What another process has just left there counts, so this comes after the lock.
        let fine = may_go_on(folder, resume);
        if fine.is_err() && unlocked {
            claim.leave_no_trace();
        }
        fine.map(|()| claim.swept())
    }

    /// What a process that was killed had begun to write goes.
    fn swept(self) -> Claim {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(HIDDEN) {
                let _gone = fs::remove_file(entry.path());
            }
        }
        self
    }

    fn leave_no_trace(&mut self) {
        // Somebody else may be faster; then it is theirs.
        let _gone = self.lock.take().map(Lock::remove);
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Does it go on from the newest checkpoint?
    pub fn resumes(&self) -> bool {
        self.resume
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let only_the_lock = fs::read_dir(&self.folder).is_ok_and(|all| all.count() == 1);
        if self.made && only_the_lock {
            self.leave_no_trace();
            let _gone = fs::remove_dir(&self.folder);
        }
    }
}

fn lock(folder: &Path) -> Result<Lock> {
    let path = folder.join(LOCK);
    let shown = folder.display();
    match Lock::take(&path) {
        Ok(lock) => Ok(lock),
        Err(Refused::Held(Some(process))) => fail!("{shown} is being trained by process {process}"),
        Err(Refused::Held(None)) => fail!("{shown} is being trained by another process"),
        Err(Refused::Failed(e)) => Err(named(&path, &e)),
    }
}

fn is_data(data: &Path) -> Result<()> {
    let found = fs::metadata(data).map_err(|e| named(data, &e))?;
    if !found.is_file() && !found.is_dir() {
        fail!("{}: not a regular file, nor a folder", data.display());
    }
    if found.is_file() && found.len() == 0 {
        fail!(
            "{}: there is nothing to train on, it is empty",
            data.display()
        );
    }
    Ok(())
}

/// A run is neither overwritten nor resumed from nothing, and nothing else is overwritten.
fn may_go_on(folder: &Path, resume: bool) -> Result<()> {
    let shown = folder.display();
    let steps = Checkpoint::of_run(folder).steps()?;
    match (resume, steps.last()) {
        (false, Some(step)) => fail!(
            "{shown} holds a run at step {step}: add --resume to go on, or choose another folder with -o"
        ),
        (true, None) => fail!("{shown} holds no checkpoint to resume from"),
        (true, Some(_)) => tokenizer::of_run(folder),
        (false, None) => is_free(folder),
    }
}

/// Would a new run overwrite what no run of this program wrote? What one leaves that ended before its first
/// checkpoint may go.
fn is_free(folder: &Path) -> Result<()> {
    let ours = seqc_files::text(&folder.join("config.json"))
        .ok()
        .and_then(|text| serde_json::from_str::<Value>(&text).ok())
        .is_some_and(|config| config["model_type"] == "seqc");
    match FILES.iter().find(|f| folder.join(f).exists()) {
        Some(file) if !ours => fail!(
            "{}: it holds a {file} that is no run's; choose another folder with -o",
            folder.display()
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(folder: &Path) -> Result<Claim> {
        Claim::take(&Recipe::default(), Path::new("/proc"), folder, false)
    }

    #[test]
    fn one_training_a_folder() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let run = dir.path().join("run");
        let first = take(&run).expect("free");
        let error = take(&run).expect_err("taken").0;
        let want = format!("is being trained by process {}", std::process::id());
        assert!(error.contains(&want), "{error}");
        drop(first);
        assert!(!run.exists(), "nothing was trained");
        fs::create_dir(&run).expect("made");
        drop(take(&run).expect("free"));
        assert!(run.exists(), "it was there before");
    }

    #[test]
    fn what_is_no_runs_is_not_overwritten() {
        let dir = tempfile::tempdir().expect("temporary folder");
        for file in FILES {
            let run = dir.path().join(file);
            fs::create_dir(&run).expect("made");
            fs::write(run.join(file), r#"{"model_type": "llama"}"#).expect("written");
            let error = take(&run).expect_err(file).0;
            assert!(error.contains(&format!("holds a {file}")), "{error}");
            assert_eq!(fs::read_dir(&run).expect("listed").count(), 1, "no trace");
        }
        let run = dir.path().join("config.json");
        fs::write(run.join("config.json"), r#"{"model_type": "seqc"}"#).expect("written");
        take(&run).expect("a run that was killed before its first checkpoint");
    }

    #[test]
    fn data_is_a_file_or_a_folder() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let take = |data: &str| {
            let done = Claim::take(&Recipe::default(), Path::new(data), dir.path(), false);
            done.expect_err(data).0
        };
        assert!(take("/dev/zero").contains("/dev/zero: not a regular file"));
        assert!(take("/nonexistent").contains("No such file"));
    }
}
