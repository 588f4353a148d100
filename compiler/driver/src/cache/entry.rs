//! One entry: sealed when it is ready, and looked at before it is used.

use super::hex;
use crate::artifact::SUMS;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Result;
use std::path::Path;

/// Makes a folder that is ready an entry: its sums are written, others are shut out, and it lasts.
pub fn seal(folder: &Path) -> Result<()> {
    let text: String = sums(folder)?
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(folder.join(SUMS), text)?;
    seqc_files::close(folder)?;
    seqc_files::sync_tree(folder)
}

/// Is the entry the user's own, and exactly what was sealed?
pub fn is_sound(folder: &Path) -> bool {
    let sound = || -> Result<bool> {
        Ok(is_private(folder)? && {
            let want = seqc_files::text(&folder.join(SUMS))?;
            sums(folder)?.iter().eq(want.lines())
        })
    };
    sound().unwrap_or(false)
}

/// Are a folder and all that is in it the user's own?
fn is_private(path: &Path) -> Result<bool> {
    let about = fs::symlink_metadata(path)?;
    if !seqc_files::is_private(&about) {
        return Ok(false);
    }
    if about.is_dir() {
        for entry in fs::read_dir(path)? {
            if !is_private(&entry?.path())? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// A line `SHA-256  PATH` for each file in a folder but the sums' own, in order.
fn sums(folder: &Path) -> Result<Vec<String>> {
    fn add(folder: &Path, prefix: &str, all: &mut Vec<(String, String)>) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                add(&entry.path(), &format!("{name}/"), all)?;
            } else if name != SUMS {
                let sum = Sha256::digest(seqc_files::bytes(&entry.path())?);
                all.push((name, hex(&sum)));
            }
        }
        Ok(())
    }
    let mut all = vec![];
    add(folder, "", &mut all)?;
    all.sort();
    Ok(all
        .into_iter()
        .map(|(name, sum)| format!("{sum}  {name}"))
        .collect())
}
