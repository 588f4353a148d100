//! Folders that are the user's own: nobody else may write there, and nobody else wrote what is there.
//!
//! Why: code is loaded from such folders. Who can write there, or made them, can run code as the user.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// What others may do that nobody but the owner should.
const OTHERS_WRITE: u32 = 0o022;

/// Makes a folder that only the user may enter, whatever the umask is, and the folders above it. One that is there
/// must be the user's own (or root's); that others may write there is taken back. Errors: another user's, or no folder.
pub fn folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    let about = match (made, fs::metadata(path)) {
        (_, Ok(about)) if about.is_dir() => about,
        (Err(e), _) | (_, Err(e)) => return Err(e),
        _ => return Err(ErrorKind::NotADirectory.into()),
    };
    if !owned(&about) {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            "it belongs to another user",
        ));
    }
    let mode = about.mode() & 0o7777;
    match mode & OTHERS_WRITE {
        0 => Ok(()),
        _ => fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS_WRITE)),
    }
}

/// Is this the user's own (or root's), and may nobody else write it?
pub fn is_private(about: &Metadata) -> bool {
    owned(about) && about.mode() & OTHERS_WRITE == 0
}

fn owned(about: &Metadata) -> bool {
    let me = rustix::process::geteuid().as_raw();
    about.uid() == me || about.uid() == 0
}

/// Takes a folder with all that is in it from everybody but the user.
pub fn close(path: &Path) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let (path, kind) = entry.and_then(|e| Ok((e.path(), e.file_type()?)))?;
        match kind.is_dir() {
            true => close(&path)?,
            false => fs::set_permissions(&path, Permissions::from_mode(0o600))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn folders_are_made_private_and_others_are_shut_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        folder(&path).unwrap();
        assert_eq!((mode(&path), mode(&dir.path().join("a"))), (0o700, 0o700));
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        assert!(!is_private(&fs::metadata(&path).unwrap()));
        folder(&path).unwrap();
        assert_eq!(mode(&path), 0o755);
        assert!(is_private(&fs::metadata(&path).unwrap()));
        fs::create_dir(path.join("inner")).unwrap();
        fs::write(path.join("inner/file"), "x").unwrap();
        close(&path).unwrap();
        let modes = ["", "inner", "inner/file"].map(|p| mode(&path.join(p)));
        assert_eq!(modes, [0o700, 0o700, 0o600]);
        assert!(folder(&path.join("inner/file")).is_err());
    }

    #[test]
    fn another_users_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("theirs");
        fs::create_dir(&path).unwrap();
        // Only root may give a folder away.
        if std::os::unix::fs::chown(&path, Some(65534), Some(65534)).is_err() {
            return;
        }
        let error = folder(&path).unwrap_err().to_string();
        assert!(error.contains("another user"), "{error}");
        assert!(!is_private(&fs::metadata(&path).unwrap()));
    }
}
