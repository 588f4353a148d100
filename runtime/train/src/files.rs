//! Files that are either whole or not there: written beside, synced, renamed, and the folder synced.
//!
//! Invariant: at every moment a reader finds the old content or the new, also after a crash or a full disk.

use seqc_device::{Error, Result};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What went wrong with a file, in words.
pub fn named(path: &Path, e: &io::Error) -> Error {
    let hint = match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " (what was saved before is untouched)"
        }
        _ => "",
    };
    Error(format!("{}: {e}{hint}", path.display()))
}

/// Makes a folder's entries last.
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(|e| named(folder, &e))
}

/// Replaces a file by what `content` writes; the old one stays on any failure.
pub fn write_atomic(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let write = || {
        // Removed again unless it is persisted.
        let mut file = tempfile::Builder::new()
            .prefix(".writing-")
            .tempfile_in(folder)?;
        let mut buffered = BufWriter::new(file.as_file_mut());
        content(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        open_to_all(file.as_file())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error).map(drop)
    };
    write().map_err(|e: io::Error| named(path, &e))?;
    sync_folder(folder)
}

pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomic(path, |to| to.write_all(bytes))
}

/// Temporary files are private; what a user keeps is readable as usual.
#[cfg(unix)]
fn open_to_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn open_to_all(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("kept");
        write_bytes(&path, b"old").expect("written");
        let error = write_atomic(&path, |to| {
            to.write_all(b"ne")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(error.expect_err("full").0.contains("untouched"));
        assert_eq!(std::fs::read(&path).expect("read"), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1);
        write_bytes(&path, b"new").expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"new");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = write_bytes(Path::new("/nonexistent/file"), b"").expect_err("no folder");
        assert!(error.0.starts_with("/nonexistent/file: "));
    }
}
