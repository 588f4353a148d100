//! The cache of artifacts, addressed by everything that they depend on.
//!
//! What is in it is loaded as code. Invariants: the folder is the user's own and nobody else may write there; an entry
//! is used only if it is, too, and holds exactly the files that its sums name; entries appear and go whole; what has
//! not been used for long goes, the oldest first where it is too much.

mod entry;
mod sweep;

use crate::artifact::{self, HIDDEN};
use crate::backend::{self, Backend};
use crate::build::Built;
use crate::target::Target;
use crate::{Error, Result, code, other};
use entry::{is_sound, seal};
use seqc_device::Artifact;
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Entries that are not used for this time go; so do the oldest while all together are larger than this.
const AGE: Duration = Duration::from_secs(60 * 24 * 3600);
const SIZE: u64 = 2 << 30;

/// A folder of artifacts.
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The user's: `SEQC_CACHE`, else `seqc` in the user's cache folder. None where neither is known. Errors: it cannot
    /// be made, or is another user's.
    pub fn open() -> Result<Option<Cache>> {
        let var = |n: &str| {
            std::env::var_os(n)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let folder = var("SEQC_CACHE")
            .or_else(|| var("XDG_CACHE_HOME").map(|p| p.join("seqc")))
            .or_else(|| var("HOME").map(|p| p.join(".cache/seqc")));
        folder.map(Cache::at).transpose()
    }

    pub fn at(folder: PathBuf) -> Result<Cache> {
        match seqc_files::folder(&folder) {
            Ok(()) => Ok(Cache { folder }),
            Err(e) => Err(unusable(&folder, &e)),
        }
    }

    /// The folder of an entry, made by `make` in an empty folder if it is not there, or not whole.
    pub(crate) fn entry(
        &self,
        key: &str,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let at = self.folder.join(key);
        if is_sound(&at) {
            sweep::touch(&at);
            return Ok(at);
        }
        let hidden = tempfile::Builder::new()
            .prefix(HIDDEN)
            .tempdir_in(&self.folder)
            .map_err(|e| unusable(&self.folder, &e))?;
        make(hidden.path())?;
        let failed = |e: io::Error| other(&at.display().to_string(), e);
        seal(hidden.path()).map_err(failed)?;
        // Another process may have been faster, and be using its own already: that one stays.
        if !is_sound(&at) {
            seqc_files::place(hidden.path(), &at).map_err(failed)?;
        }
        drop(hidden);
        sweep::sweep(&self.folder, AGE, SIZE, SystemTime::now());
        Ok(at)
    }
}

fn unusable(folder: &Path, e: &io::Error) -> Error {
    Error::Other(format!(
        "{}: {e}; set SEQC_CACHE to a folder of your own that can be written to",
        folder.display()
    ))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The name of an artifact: a hash of this build of the compiler, the machine and everything that the build reads.
pub fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    let build = [env!("CARGO_PKG_VERSION"), env!("SEQC_BUILD")];
    for text in build.iter().chain(parts) {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hex(&hash.finalize()[..16])
}

/// The programs that `make` builds, with their code: from the cache if there is one and the back end leaves code on
/// disk. `parts` is everything that `make` reads.
pub fn loaded(
    backend: Backend,
    parts: &[&str],
    make: impl Fn() -> Result<Built>,
) -> Result<Artifact> {
    if backend == Backend::Clif {
        return backend::instant(&make()?);
    }
    let Some(cache) = Cache::open()? else {
        return backend::load(&make()?, backend);
    };
    let machine = code::identity(Target::Host)?;
    let key = key(&[parts, &[&machine]].concat());
    let folder = cache.entry(&key, |into| {
        artifact::assemble(&make()?, Target::Host, None, into)
    })?;
    match Artifact::load(&folder) {
        Ok(ready) => Ok(ready),
        // Swept by another process at this very moment.
        Err(_) => backend::load(&make()?, backend),
    }
}

#[cfg(test)]
mod tests;
