//! Text to train on: documents one behind the other, with the tail held out for validation. A document is a file,
//! or a line of a `.jsonl` file; a folder holds those of all its files, in the order of their paths.

use seqc_device::{Error, Result, fail};
use serde::Deserialize;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The share of the bytes that is held out.
const HELD_OUT: f64 = 0.1;

/// Bytes, and where documents begin and end in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub bytes: Vec<u8>,
    /// Where a document ends and the next one starts, ascending; the ends of the text are not among them.
    pub borders: Vec<usize>,
}

impl Text {
    /// Adds a document.
    pub fn push(&mut self, document: &[u8]) {
        if !self.bytes.is_empty() && !document.is_empty() {
            self.borders.push(self.bytes.len());
        }
        self.bytes.extend_from_slice(document);
    }

    /// The parts of a window that belong to one document each.
    pub fn documents(&self, window: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = self.borders.partition_point(|b| *b <= window.start);
        let inside = self.borders[first..].iter().copied();
        let ends = inside.take_while(move |b| *b < window.end);
        let mut from = window.start;
        ends.chain([window.end]).map(move |to| {
            let part = from..to;
            from = to;
            part
        })
    }

    fn split_off(&mut self, at: usize) -> Text {
        let keep = self.borders.partition_point(|b| *b < at);
        let borders = self.borders.split_off(keep).into_iter();
        Text {
            bytes: self.bytes.split_off(at),
            borders: borders.filter(|b| *b > at).map(|b| b - at).collect(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    pub train: Text,
    pub valid: Text,
}

impl Corpus {
    /// Reads a file or folder and splits it so that both parts hold at least one row of `length` bytes.
    /// Errors name the path: unreadable, empty, too small; and the line of a `.jsonl` file that is no document.
    pub fn load(path: &Path, length: usize) -> Result<Corpus> {
        let mut files = Vec::new();
        list(path, &mut files, 0)?;
        let mut text = Text::default();
        for file in &files {
            let bytes =
                seqc_files::bytes(file).map_err(|e| Error(format!("{}: {e}", file.display())))?;
            match file.extension().is_some_and(|e| e == "jsonl") {
                true => lines(file, &bytes, &mut text)?,
                false => text.push(&bytes),
            }
        }
        let shown = path.display();
        if text.bytes.is_empty() {
            fail!(
                "{shown}: there is nothing to train on, {} files hold no text",
                files.len()
            );
        }
        Corpus::split(text, length).map_err(|e| Error(format!("{shown}: {e}")))
    }

    /// Holds out the last tenth, but at least one row.
    pub fn split(mut text: Text, length: usize) -> Result<Corpus> {
        let (have, need) = (text.bytes.len(), length.saturating_mul(2));
        if have < need {
            fail!(
                "{have} bytes are too few: rows of {length} need at least {need}, for training and validation"
            );
        }
        let held = ((have as f64 * HELD_OUT) as usize).max(length);
        let valid = text.split_off(have - held);
        Ok(Corpus { train: text, valid })
    }

    fn bytes(&self) -> impl Iterator<Item = &u8> {
        self.train.bytes.iter().chain(&self.valid.bytes)
    }

    /// Changes when the data does (FNV-1a over the bytes and borders of both parts).
    pub fn fingerprint(&self) -> u64 {
        let fold = |h: u64, x: u64| (h ^ x).wrapping_mul(0x0100_0000_01B3);
        let borders = self.train.borders.iter().chain(&self.valid.borders);
        self.bytes()
            .map(|b| u64::from(*b))
            .chain(borders.map(|b| *b as u64))
            .fold(0xCBF2_9CE4_8422_2325, fold)
    }

    /// The largest byte.
    pub fn largest(&self) -> u8 {
        self.bytes().copied().max().unwrap_or(0)
    }
}

/// Adds the documents of a `.jsonl` file: an object a line, whose `text` is the document. Other keys are ignored.
fn lines(file: &Path, bytes: &[u8], text: &mut Text) -> Result<()> {
    #[derive(Deserialize)]
    struct Document {
        text: String,
    }
    for (i, line) in bytes.split(|b| *b == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let document: Document = serde_json::from_slice(line).map_err(|e| {
            let at = (file.display(), i + 1, e.column().max(1));
            let e = e.to_string();
            let why = e.split(" at line ").next().unwrap_or_default();
            Error(format!(
                "{}:{}:{}: {why}; a line is an object with the document as its `text`",
                at.0, at.1, at.2
            ))
        })?;
        text.push(document.text.as_bytes());
    }
    Ok(())
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

    fn text(bytes: Vec<u8>) -> Text {
        Text {
            bytes,
            borders: vec![],
        }
    }

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
            (corpus.train.bytes, corpus.valid.bytes),
            (b"aaaabbbccc".to_vec(), b"cc".to_vec())
        );
        assert_eq!(
            (corpus.train.borders, corpus.valid.borders),
            (vec![4, 7], vec![])
        );
    }

    #[test]
    fn a_line_of_jsonl_is_a_document() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("all.jsonl");
        let good = "{\"id\": 3, \"text\": \"one\"}\n\n{\"text\": \"\"}\n{\"text\": \"tw\\no\"}\n";
        std::fs::write(&path, good).expect("written");
        let corpus = Corpus::load(&path, 1).expect("loads");
        assert_eq!(corpus.train.bytes, b"onetw\n");
        assert_eq!(corpus.train.borders, [3]);
        let refused = |line: &str, part: &str| {
            std::fs::write(&path, format!("{good}{line}\n")).expect("written");
            let why = Corpus::load(&path, 1).expect_err(part).0;
            assert!(why.contains("all.jsonl:5:"), "{why}");
            assert!(why.contains(part), "{why}");
        };
        refused("{\"txt\": \"x\"}", "missing field `text`");
        refused("one", "expected");
        refused("{\"text\": 3}", "invalid type");
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init)] // One document is meant, not its positions.
    fn windows_are_cut_at_borders() {
        let mut text = Text::default();
        for d in ["abc", "", "d", "efgh"] {
            text.push(d.as_bytes());
        }
        let parts = |w: Range<usize>| text.documents(w).collect::<Vec<_>>();
        assert_eq!(parts(0..8), [0..3, 3..4, 4..8]);
        assert_eq!(parts(1..3), [1..3]);
        assert_eq!(parts(3..5), [3..4, 4..5]);
        let valid = text.clone().split_off(2);
        assert_eq!(
            (valid.bytes.as_slice(), valid.borders),
            (&b"cdefgh"[..], vec![1, 2])
        );
    }

    #[test]
    fn a_tenth_is_held_out() {
        let corpus = Corpus::split(text((0..200).collect()), 10).expect("splits");
        assert_eq!(
            (
                corpus.train.bytes.len(),
                corpus.valid.bytes[0],
                corpus.largest()
            ),
            (180, 180, 199)
        );
        assert_ne!(
            corpus.fingerprint(),
            Corpus::split(text(vec![7; 200]), 10)
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
