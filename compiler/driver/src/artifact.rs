//! Artifacts on disk: `plans/NAME.json` and `kernels.so` in a folder, and a cache of them addressed by everything
//! that they depend on. A folder appears whole or not at all.

use crate::backend::{self, Backend};
use crate::build::Built;
use crate::{Error, Result, other};
use seqc_device::Artifact;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Writes plans and code into a folder that does not exist yet (or replaces one), atomically.
pub fn write(built: &Built, folder: &Path) -> Result<()> {
    let at = |e: std::io::Error| other(&folder.display().to_string(), e);
    let parent = folder
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(at)?;
    let hidden = tempfile::Builder::new()
        .prefix(".building-")
        .tempdir_in(parent)
        .map_err(at)?;
    let plans = hidden.path().join("plans");
    fs::create_dir(&plans).map_err(at)?;
    for plan in &built.plans {
        let text = serde_json::to_vec(plan).map_err(|e| other("plan", e))?;
        fs::write(plans.join(format!("{}.json", plan.name)), text).map_err(at)?;
    }
    backend::shared_object(built, hidden.path())?;
    put(hidden, folder).map_err(at)
}

/// Moves a finished folder to its place. When two processes build the same, the later one's takes the place.
fn put(hidden: tempfile::TempDir, folder: &Path) -> std::io::Result<()> {
    for _ in 0..8 {
        match fs::rename(hidden.path(), folder) {
            Ok(()) => {
                let _moved = hidden.keep();
                return Ok(());
            }
            // There is one already: remove it, unless another process is just doing that.
            Err(_) if folder.exists() => match fs::remove_dir_all(folder) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            },
            Err(e) => return Err(e),
        }
    }
    fs::rename(hidden.path(), folder)
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

/// The folder of a cached artifact, built by `make` if it is not there.
pub fn cached(key: &str, make: impl FnOnce() -> Result<Built>) -> Result<PathBuf> {
    let folder = cache_folder().join(key);
    if !folder.join("kernels.so").exists() {
        write(&make()?, &folder)?;
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
    let machine = backend.machine();
    let key = key(&[parts, &[&machine]].concat());
    let folder = cached(&key, &make).map_err(|e| match e {
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

    #[test]
    fn keys_depend_on_every_part_and_its_bounds() {
        let keys = [
            key(&["a", "b"]),
            key(&["ab"]),
            key(&["a", "b", ""]),
            key(&["b", "a"]),
        ];
        for (i, k) in keys.iter().enumerate() {
            assert!(!keys[i + 1..].contains(k));
            assert_eq!(k.len(), 32);
        }
        assert_eq!(keys[0], key(&["a", "b"]));
    }
}
