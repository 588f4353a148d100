//! Files that are either whole or not there: written beside, synced, renamed, and the folder synced.
//!
//! Invariant: at every moment a reader finds the old content or the new, also after a crash or a full disk.

use std::fs::{self, File, Permissions};
use std::io::{BufWriter, Error, ErrorKind, Result, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Replaces a file; the old one stays on any failure.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |to| to.write_all(bytes))
}

/// Replaces a file by what `content` writes; the old one stays on any failure. One that is there keeps its
/// permissions, and a link to it stays a link. What is no regular file (a device, a pipe) is not replaced.
pub fn write_with(path: &Path, content: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let (path, old) = target(path)?;
    let folder = folder_of(&path);
    // Removed again unless it is persisted.
    let mut file = tempfile::Builder::new()
        .prefix(".writing-")
        .permissions(old.unwrap_or(Permissions::from_mode(0o666))) // less the umask
        .tempfile_in(folder)?;
    let mut buffered = BufWriter::new(file.as_file_mut());
    content(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    if let Ok(there) = fs::metadata(&path) {
        file.as_file().set_permissions(there.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|e| e.error)?;
    sync_folder(folder)
}

/// The file that is meant, links followed, and its permissions if it is there.
fn target(path: &Path) -> Result<(PathBuf, Option<Permissions>)> {
    match fs::metadata(path) {
        Ok(there) if there.is_file() => Ok((fs::canonicalize(path)?, Some(there.permissions()))),
        Ok(there) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(_) => Err(Error::other("not a regular file")),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok((path.to_owned(), None)),
        Err(e) => Err(e),
    }
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    let named = path.parent().filter(|p| !p.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

/// Makes a folder's entries last.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept");
        write(&path, b"old").unwrap();
        let full = write_with(&path, |to| {
            to.write_all(b"ne")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert_eq!(full.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn permissions_and_links_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("file"), dir.path().join("link"));
        write(&path, b"1").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        write(&link, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write(dir.path(), b"").is_err());
        let error = write(Path::new("/dev/null"), b"x").unwrap_err().to_string();
        assert_eq!(error, "not a regular file");
        assert!(write(Path::new("/nonexistent/file"), b"").is_err());
    }
}
