//! Finished folders get their name in one step, in place of what has it.

use crate::whole::{folder_of, sync_folder};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::Result;
use std::path::Path;

/// Gives a finished folder the name `at`. What had that name is then where the folder was: the two change places in
/// one step, so that nobody ever finds nothing. Both must lie in one file system.
pub fn place(made: &Path, at: &Path) -> Result<()> {
    // Another process may put its own there, or take it away, between two steps.
    let mut last = Ok(());
    for _ in 0..16 {
        match fs::rename(made, at) {
            Ok(()) => return sync_folder(folder_of(at)),
            Err(e) => last = Err(e),
        }
        match renameat_with(CWD, made, CWD, at, RenameFlags::EXCHANGE) {
            Ok(()) => return sync_folder(folder_of(at)),
            Err(Errno::NOENT) => {}
            // A file system that cannot do both at once.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => aside(made, at)?,
            Err(e) => last = Err(e.into()),
        }
    }
    last
}

/// Moves what has the name `at` into the hidden folder's place beside it.
fn aside(made: &Path, at: &Path) -> Result<()> {
    let old = tempfile::Builder::new()
        .prefix(".old-")
        .tempdir_in(folder_of(made))?;
    fs::rename(at, old.path().join("old"))
}

/// Makes everything in a folder last.
pub fn sync_tree(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|e| Ok((e.path(), e.file_type()?)))?;
        if kind.is_dir() {
            sync_tree(&path)?;
        } else if kind.is_file() {
            File::open(&path)?.sync_all()?;
        }
    }
    sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn folders_change_places() {
        let dir = tempfile::tempdir().unwrap();
        let (a, at) = (dir.path().join("a"), dir.path().join("at"));
        for n in ["1", "2"] {
            fs::create_dir(&a).unwrap();
            fs::write(a.join("n"), n).unwrap();
            sync_tree(&a).unwrap();
            place(&a, &at).unwrap();
            assert_eq!(fs::read_to_string(at.join("n")).unwrap(), n);
        }
        assert_eq!(fs::read_to_string(a.join("n")).unwrap(), "1");
    }

    /// Four writers and a reader, which finds a whole folder whenever it looks.
    #[test]
    fn nobody_finds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("at");
        let write = |who: usize, round: usize| {
            let made = tempfile::tempdir_in(dir.path()).unwrap();
            fs::write(made.path().join("n"), format!("{who} {round}")).unwrap();
            place(made.path(), &at).unwrap();
        };
        write(9, 0);
        let done = AtomicBool::new(false);
        std::thread::scope(|s| {
            let writers: Vec<_> = (0..4)
                .map(|who| s.spawn(move || (0..50).for_each(|round| write(who, round))))
                .collect();
            s.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(at.is_dir());
                }
            });
            let ended: Vec<_> = writers.into_iter().map(|w| w.join()).collect();
            done.store(true, Ordering::Relaxed);
            assert!(ended.iter().all(|e| e.is_ok()));
        });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
