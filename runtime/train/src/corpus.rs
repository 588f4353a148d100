//! Text to train on: the bytes of a file, or of all files of a folder in the order of their paths, with the
//! tail held out for validation.

use seqc_device::{Error, Result, fail};
use std::path::{Path, PathBuf};

/// The share of the bytes that is held out.
const HELD_OUT: f64 = 0.1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    pub train: Vec<u8>,
    pub valid: Vec<u8>,
}

impl Corpus {
    /// Reads a file or folder and splits it so that both parts hold at least one row of `length` bytes.
    /// Errors name the path: unreadable, empty, too small.
    pub fn load(path: &Path, length: usize) -> Result<Corpus> {
        let mut files = Vec::new();
        list(path, &mut files, 0)?;
        let mut bytes = Vec::new();
        for file in &files {
            bytes.append(
                &mut std::fs::read(file).map_err(|e| Error(format!("{}: {e}", file.display())))?,
            );
        }
        let shown = path.display();
        if bytes.is_empty() {
            fail!(
                "{shown}: there is nothing to train on, {} files hold no bytes",
                files.len()
            );
        }
        Corpus::split(bytes, length).map_err(|e| Error(format!("{shown}: {e}")))
    }

    /// Holds out the last tenth, but at least one row.
    pub fn split(mut bytes: Vec<u8>, length: usize) -> Result<Corpus> {
        let need = length.saturating_mul(2);
        if bytes.len() < need {
            fail!(
                "{} bytes are too few: rows of {length} need at least {need}, for training and validation",
                bytes.len()
            );
        }
        let held = ((bytes.len() as f64 * HELD_OUT) as usize).max(length);
        let valid = bytes.split_off(bytes.len() - held);
        Ok(Corpus {
            train: bytes,
            valid,
        })
    }

    /// Changes when the data does (FNV-1a over both parts).
    pub fn fingerprint(&self) -> u64 {
        let fold = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01B3);
        self.train
            .iter()
            .chain(&self.valid)
            .fold(0xCBF2_9CE4_8422_2325, fold)
    }

    /// The largest byte.
    pub fn largest(&self) -> u8 {
        self.train
            .iter()
            .chain(&self.valid)
            .copied()
            .max()
            .unwrap_or(0)
    }
}

/// Files under a path, sorted; hidden ones are left out. Depth is bounded, so a loop of links ends.
fn list(path: &Path, files: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    let named = |e: std::io::Error| Error(format!("{}: {e}", path.display()));
    if depth > 16 {
        fail!("{}: folders are nested too deeply", path.display());
    }
    if !std::fs::metadata(path).map_err(named)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut inside = Vec::new();
    for entry in std::fs::read_dir(path).map_err(named)? {
        let entry = entry.map_err(named)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            inside.push(entry.path());
        }
    }
    inside.sort();
    inside.iter().try_for_each(|p| list(p, files, depth + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_folder_come_in_order() {
        let dir = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(dir.path().join("b")).expect("made");
        for (name, text) in [
            ("c.txt", "ccccc"),
            ("b/x", "bbb"),
            ("a", "aaaa"),
            (".hidden", "hhh"),
        ] {
            std::fs::write(dir.path().join(name), text).expect("written");
        }
        let corpus = Corpus::load(dir.path(), 2).expect("loads");
        assert_eq!(
            (corpus.train, corpus.valid),
            (b"aaaabbbccc".to_vec(), b"cc".to_vec())
        );
    }

    #[test]
    fn a_tenth_is_held_out() {
        let corpus = Corpus::split((0..200).collect(), 10).expect("splits");
        assert_eq!(
            (corpus.train.len(), corpus.valid[0], corpus.largest()),
            (180, 180, 199)
        );
        assert_ne!(
            corpus.fingerprint(),
            Corpus::split(vec![7; 200], 10)
                .expect("splits")
                .fingerprint()
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let error = |p: &Path| Corpus::load(p, 8).expect_err("refused").0;
        assert!(error(&dir.path().join("none")).contains("none: No such file"));
        assert!(error(dir.path()).contains("nothing to train on"));
        std::fs::write(dir.path().join("short"), "123456789").expect("written");
        assert!(
            error(&dir.path().join("short"))
                .contains("9 bytes are too few: rows of 8 need at least 16")
        );
    }
}
