//! Bounds a cache in age and size. Only what a cache makes is touched: entries by their names, and what a process that
//! was killed had begun to make.

use crate::artifact::HIDDEN;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A folder that has been in the making for so long is not being made any more.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Notes that an entry has been used. That it cannot be noted is no reason not to use it.
pub fn touch(entry: &Path) {
    let _noted = File::open(entry).and_then(|f| f.set_modified(SystemTime::now()));
}

struct Found {
    path: PathBuf,
    unused: Duration,
    bytes: u64,
}

/// Removes what is over the bounds. What cannot be removed stays.
pub fn sweep(folder: &Path, age: Duration, size: u64, now: SystemTime) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let (mut kept, mut old): (Vec<Found>, Vec<PathBuf>) = (vec![], vec![]);
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let hidden = name.starts_with(HIDDEN);
        if !hidden && !is_key(&name) {
            continue;
        }
        match look(entry.path(), now) {
            Ok(found) if found.unused > if hidden { ABANDONED } else { age } => {
                old.push(found.path);
            }
            Ok(found) if !hidden => kept.push(found),
            _ => {}
        }
    }
    let mut total: u64 = kept.iter().map(|f| f.bytes).sum();
    kept.sort_by_key(|f| std::cmp::Reverse(f.unused));
    for f in kept {
        if total <= size {
            break;
        }
        total -= f.bytes;
        old.push(f.path);
    }
    old.iter().for_each(|path| remove(folder, path));
}

fn is_key(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn look(path: PathBuf, now: SystemTime) -> io::Result<Found> {
    let used = fs::symlink_metadata(&path)?.modified()?;
    Ok(Found {
        unused: now.duration_since(used).unwrap_or_default(),
        bytes: bytes(&path)?,
        path,
    })
}

fn bytes(path: &Path) -> io::Result<u64> {
    let about = fs::symlink_metadata(path)?;
    if !about.is_dir() {
        return Ok(about.len());
    }
    fs::read_dir(path)?.map(|e| bytes(&e?.path())).sum()
}

/// First out of sight, in one step, then for good: nobody finds half an entry.
fn remove(folder: &Path, path: &Path) {
    let hidden = tempfile::Builder::new().prefix(HIDDEN).tempdir_in(folder);
    let _gone = hidden.and_then(|to| fs::rename(path, to.path()));
}
