//! Artifacts on disk: `plans/NAME.json`, `kernels.so` (or `kernels.ptx`) and, where the command made it,
//! `config.json` in a folder.
//!
//! Invariants: a folder appears whole or not at all; a folder that is something else is never replaced.

use crate::build::Built;
use crate::target::Target;
use crate::{Error, Result, code, other};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// The sums of an artifact's files, as `sha256sum` writes and checks them.
pub(crate) const SUMS: &str = "SHA256SUMS";

/// All that an artifact's folder may hold.
const ENTRIES: [&str; 5] = ["plans", "kernels.so", "kernels.ptx", "config.json", SUMS];

/// What the name of a folder that is being made begins with.
pub(crate) const HIDDEN: &str = ".building-";

/// Writes plans and code for this machine into a folder, which may be an artifact that it replaces.
pub fn write(built: &Built, folder: &Path) -> Result<()> {
    let hidden = beside(folder)?;
    assemble(built, Target::Host, None, hidden.path())?;
    put(hidden, folder)
}

/// Writes an artifact's files into an empty folder.
pub(crate) fn assemble(
    built: &Built,
    target: Target,
    config: Option<&serde_json::Value>,
    into: &Path,
) -> Result<()> {
    let save = |name: &str, text: Vec<u8>| {
        let path = into.join(name);
        fs::write(&path, text).map_err(|e| other(&path.display().to_string(), e))
    };
    fs::create_dir(into.join("plans")).map_err(|e| other("plans", e))?;
    for plan in &built.plans {
        let text = serde_json::to_vec(plan).map_err(|e| other("plan", e))?;
        save(&format!("plans/{}.json", plan.name), text)?;
    }
    if let Some(config) = config {
        save("config.json", format!("{config:#}\n").into_bytes())?;
    }
    code::write(&built.kernels, target, into)
}

/// A new folder beside another, on the same file system, gone again unless it is kept.
pub(crate) fn beside(folder: &Path) -> Result<TempDir> {
    let parent = folder
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(parent)
        .and_then(|()| {
            tempfile::Builder::new()
                .prefix(HIDDEN)
                .permissions(fs::Permissions::from_mode(0o777)) // less the umask
                .tempdir_in(parent)
        })
        .map_err(|e| other(&parent.display().to_string(), e))
}

/// Gives a finished folder its name, in place of an artifact or an empty folder if there is one.
pub(crate) fn put(made: TempDir, folder: &Path) -> Result<()> {
    replaceable(folder)?;
    // What is replaced is in the hidden folder then, and goes with it.
    seqc_files::sync_tree(made.path())
        .and_then(|()| seqc_files::place(made.path(), folder))
        .map_err(|e| other(&folder.display().to_string(), e))
}

/// Is the folder an artifact, or empty? The error says what is there instead.
fn replaceable(folder: &Path) -> Result<()> {
    let at = |e: std::io::Error| other(&folder.display().to_string(), e);
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(at)?,
    };
    for entry in entries {
        let name = entry.map_err(at)?.file_name();
        if !ENTRIES.iter().any(|e| name == *e) {
            return Err(Error::Other(format!(
                "{}: it is no artifact (it holds {}), so it is not replaced; name another folder",
                folder.display(),
                name.to_string_lossy()
            )));
        }
    }
    Ok(())
}

/// Copies an artifact, by the same rules.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let hidden = beside(to)?;
    copy_folder(from, hidden.path()).map_err(|e| other(&to.display().to_string(), e))?;
    put(hidden, to)
}

/// Contents only: a copy of a private file is not private.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::write(target, seqc_files::bytes(&entry.path())?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(parent: &Path, content: &str) -> TempDir {
        let made = beside(&parent.join("x")).unwrap();
        fs::write(made.path().join("config.json"), content).unwrap();
        made
    }

    fn names(folder: &Path) -> Vec<String> {
        let name = |e: std::io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut all: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
        all.sort();
        all
    }

    #[test]
    fn artifacts_are_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("out");
        put(made(dir.path(), "1"), &at).unwrap();
        fs::create_dir(at.join("plans")).unwrap();
        put(made(dir.path(), "2"), &at).unwrap();
        assert_eq!(names(&at), ["config.json"]);
        assert_eq!(fs::read_to_string(at.join("config.json")).unwrap(), "2");
        copy(&at, &dir.path().join("copy")).unwrap();
        assert_eq!(names(&dir.path().join("copy")), ["config.json"]);
        assert_eq!(names(dir.path()), ["copy", "out"], "nothing hidden is left");
    }

    #[test]
    fn other_folders_and_files_are_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("mine");
        fs::create_dir(&at).unwrap();
        fs::write(at.join("thesis.tex"), "dear").unwrap();
        let error = put(made(dir.path(), "1"), &at).unwrap_err().to_string();
        assert!(error.contains("thesis.tex"), "{error}");
        assert!(put(made(dir.path(), "1"), &at.join("thesis.tex")).is_err());
        assert_eq!(fs::read_to_string(at.join("thesis.tex")).unwrap(), "dear");
        assert_eq!(names(dir.path()), ["mine"]);
    }
}
