//! Artifacts on disk: `plans/NAME.json`, `kernels.so` (or `kernels.ptx`) and, where the command made it,
//! `config.json` in a folder; and a cache of them addressed by everything that they depend on.
//!
//! Invariants: a folder appears whole or not at all; a folder that is something else is never replaced.

use crate::backend::{self, Backend};
use crate::build::Built;
use crate::target::Target;
use crate::{Error, Result, code, other};
use seqc_device::Artifact;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// All that an artifact's folder may hold.
const ENTRIES: [&str; 4] = ["plans", "kernels.so", "kernels.ptx", "config.json"];

/// Writes plans and code for this machine into a folder, which may be an artifact that it replaces.
pub fn write(built: &Built, folder: &Path) -> Result<()> {
    put(assemble(built, Target::Host, None, folder)?, folder)
}

/// The artifact in a hidden folder beside the one that it is for.
pub(crate) fn assemble(
    built: &Built,
    target: Target,
    config: Option<&serde_json::Value>,
    folder: &Path,
) -> Result<TempDir> {
    let hidden = beside(folder)?;
    let save = |name: &str, text: Vec<u8>| {
        let path = hidden.path().join(name);
        fs::write(&path, text).map_err(|e| other(&path.display().to_string(), e))
    };
    fs::create_dir(hidden.path().join("plans")).map_err(|e| other("plans", e))?;
    for plan in &built.plans {
        let text = serde_json::to_vec(plan).map_err(|e| other("plan", e))?;
        save(&format!("plans/{}.json", plan.name), text)?;
    }
    if let Some(config) = config {
        save("config.json", format!("{config:#}\n").into_bytes())?;
    }
    code::write(&built.kernels, target, hidden.path())?;
    Ok(hidden)
}

/// A new folder beside another, on the same file system, gone again unless it is kept.
fn beside(folder: &Path) -> Result<TempDir> {
    let parent = folder
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(parent)
        .and_then(|()| {
            tempfile::Builder::new()
                .prefix(".building-")
                .permissions(fs::Permissions::from_mode(0o777)) // less the umask
                .tempdir_in(parent)
        })
        .map_err(|e| other(&parent.display().to_string(), e))
}

/// Gives a finished folder its name, in place of an artifact or an empty folder if there is one.
fn put(made: TempDir, folder: &Path) -> Result<()> {
    let at = |e: std::io::Error| other(&folder.display().to_string(), e);
    // Another process may put its own there meanwhile: the later one's takes the place.
    for _ in 0..8 {
        if fs::symlink_metadata(folder).is_ok() {
            replaceable(folder)?;
            let old = beside(folder)?;
            match fs::rename(folder, old.path().join("old")) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(at(e)),
                _ => {}
            }
        }
        match fs::rename(made.path(), folder) {
            Ok(()) => {
                let _moved = made.keep();
                return Ok(());
            }
            Err(_) if folder.exists() => {}
            Err(e) => return Err(at(e)),
        }
    }
    Err(Error::Other(format!(
        "{}: other processes keep writing it",
        folder.display()
    )))
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

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Where cached artifacts live: `SEQC_CACHE`, else the user's cache folder.
pub fn cache_folder() -> PathBuf {
    let var = |n: &str| {
        std::env::var_os(n)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    var("SEQC_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|p| p.join("seqc")))
        .or_else(|| var("HOME").map(|p| p.join(".cache/seqc")))
        .unwrap_or_else(|| std::env::temp_dir().join("seqc-cache"))
}

/// The name of an artifact: a hash of the compiler, the machine and everything that the build reads.
pub fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(env!("CARGO_PKG_VERSION"));
    add(&compiler());
    for p in parts {
        add(p);
    }
    hash.finalize()
        .iter()
        .take(16)
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// This compiler, told apart from others of the same version by its file.
fn compiler() -> String {
    let Ok(path) = std::env::current_exe() else {
        return String::new();
    };
    let Ok(meta) = fs::metadata(&path) else {
        return String::new();
    };
    format!("{} {:?}", meta.len(), meta.modified().ok())
}

/// The folder of a cached artifact, assembled by `make` if it is not there.
pub(crate) fn cached(key: &str, make: impl FnOnce(&Path) -> Result<TempDir>) -> Result<PathBuf> {
    let folder = cache_folder().join(key);
    if !["kernels.so", "kernels.ptx"]
        .iter()
        .any(|c| folder.join(c).exists())
    {
        put(make(&folder)?, &folder)?;
    }
    Ok(folder)
}

/// The programs that `make` builds, with their code: from the cache if the back end leaves code on disk.
/// `parts` is everything that `make` reads. A cached artifact that cannot be loaded is built again.
pub fn loaded(
    backend: Backend,
    parts: &[&str],
    make: impl Fn() -> Result<Built>,
) -> Result<Artifact> {
    if backend == Backend::Clif {
        return backend::instant(&make()?);
    }
    let machine = code::identity(Target::Host)?;
    let key = key(&[parts, &[&machine]].concat());
    let assembled = |folder: &Path| assemble(&make()?, Target::Host, None, folder);
    let folder = cached(&key, assembled).map_err(|e| match e {
        Error::Other(why) if !writable(&cache_folder()) => Error::Other(format!(
            "{why}; set SEQC_CACHE to a folder that can be written to"
        )),
        e => e,
    })?;
    match Artifact::load(&folder) {
        Ok(ready) => Ok(ready),
        Err(_) => {
            write(&make()?, &folder)?;
            Artifact::load(&folder).map_err(|e| other("artifact", e))
        }
    }
}

fn writable(folder: &Path) -> bool {
    fs::create_dir_all(folder).is_ok() && tempfile::tempfile_in(folder).is_ok()
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

    #[test]
    fn keys_depend_on_every_part_and_on_where_it_ends() {
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
        assert_ne!(key(&["a", "b"]), key(&["ab", ""]));
        assert_ne!(key(&["a", "b"]), key(&["b", "a"]));
    }
}
