//! One process at a time: a file that is locked while its owner lives, however it ends, and says which process that is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Result, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The system takes it back when the process ends, also when it is killed.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// Why there is no lock.
#[derive(Debug)]
pub enum Refused {
    /// Another process has it: its number, where it could be read.
    Held(Option<u32>),
    Failed(std::io::Error),
}

impl From<std::io::Error> for Refused {
    fn from(e: std::io::Error) -> Self {
        Refused::Failed(e)
    }
}

impl Lock {
    /// Takes the lock that the file at `path` stands for, or says at once why not. The file is made if it is not there.
    pub fn take(path: &Path) -> std::result::Result<Lock, Refused> {
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Refused::Held(holder(&mut file))),
                Err(TryLockError::Error(e)) => return Err(e.into()),
            }
            // The one who had it may have taken the file away: then this is the lock of nothing.
            if is_at(&file, path)? {
                file.set_len(0)?;
                writeln!(file, "{}", std::process::id())?;
                let path = path.to_owned();
                return Ok(Lock { file, path });
            }
        }
    }

    /// Gives the lock back and takes its file away.
    pub fn remove(self) -> Result<()> {
        fs::remove_file(&self.path)?;
        self.file.unlock()
    }
}

/// Is the open file still the one of that name?
fn is_at(file: &File, path: &Path) -> Result<bool> {
    let here = file.metadata()?;
    Ok(match fs::metadata(path) {
        Ok(there) => (there.dev(), there.ino()) == (here.dev(), here.ino()),
        Err(_) => false,
    })
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::take(&path).unwrap();
        let me = std::process::id();
        assert!(matches!(Lock::take(&path), Err(Refused::Held(Some(n))) if n == me));
        drop(first);
        let second = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(Refused::Held(_))));
        second.remove().unwrap();
        assert!(!path.exists());
        Lock::take(&path).unwrap();
        let nowhere = Lock::take(&dir.path().join("none/lock"));
        assert!(matches!(nowhere, Err(Refused::Failed(_))));
    }

    /// Who waits in line while the file is taken away and made anew never holds it beside another.
    #[test]
    fn a_lock_that_is_taken_away_is_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let inside = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..200 {
                        let Ok(lock) = Lock::take(&path) else {
                            continue;
                        };
                        let order = std::sync::atomic::Ordering::SeqCst;
                        assert_eq!(inside.fetch_add(1, order), 0);
                        inside.fetch_sub(1, order);
                        lock.remove().unwrap();
                    }
                });
            }
        });
    }
}
