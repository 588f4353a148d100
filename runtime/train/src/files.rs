//! What goes wrong with a run's files, in words that name the file.

use seqc_device::{Error, Result};
use std::io;
use std::path::Path;

/// What went wrong with a file.
pub fn named(path: &Path, e: &io::Error) -> Error {
    let hint = match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " (what was saved before is untouched)"
        }
        _ => "",
    };
    Error(format!("{}: {e}{hint}", path.display()))
}

/// Replaces a file, whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    seqc_files::write(path, bytes).map_err(|e| named(path, &e))
}
