//! The source files of one run: names, texts, and where a byte stands in lines and columns.
//!
//! Why: spans are bare byte ranges; only this map turns them into something a reader can find.
//! Invariant: a file's text never changes once added, and every text is valid UTF-8. Bytes that are
//! not are replaced by U+FFFD for display, and `bad_utf8` remembers where the first of them stood,
//! so that the parser can refuse the file.

use crate::span::{FileId, Span};
use serde::Serialize;
use std::path::Path;

/// Files up to this many bytes are read; more is refused by the parser.
pub const MAX_BYTES: usize = 4 << 20;

/// Names and texts, by `FileId`. Every lookup is total: an unknown file has the name `?`, no text.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<Source>,
}

#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
    /// Byte offset at which each line starts; the first is 0.
    lines: Vec<u32>,
    bad_utf8: Option<u32>,
    /// The size as given, which the text of a refused file no longer has.
    bytes: usize,
}

/// A place in a file: lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    pub line: u32,
    pub column: u32,
}

impl SourceMap {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file under the name that diagnostics show; any bytes are accepted.
    pub fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> FileId {
        let bytes = bytes.into();
        let size = bytes.len();
        // A file over the limit is refused unread, so that offsets always fit a span.
        let kept = if size > MAX_BYTES { Vec::new() } else { bytes };
        let (text, bad_utf8) = match String::from_utf8(kept) {
            Ok(text) => (text, None),
            Err(error) => {
                let at = error.utf8_error().valid_up_to() as u32;
                (
                    String::from_utf8_lossy(error.as_bytes()).into_owned(),
                    Some(at),
                )
            }
        };
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        let lines = line_starts(&text);
        self.files.push(Source {
            name: name.into(),
            text,
            lines,
            bad_utf8,
            bytes: size,
        });
        id
    }

    /// Reads and adds the file at `path`, under that path as its name.
    pub fn read(&mut self, path: &Path) -> std::io::Result<FileId> {
        // One byte more than is accepted: how much more there is, if at all, does not matter.
        let bytes = seqc_files::first_bytes(path, MAX_BYTES as u64 + 1)?;
        Ok(self.add(path.display().to_string(), bytes))
    }

    fn get(&self, file: FileId) -> Option<&Source> {
        self.files.get(file.0 as usize)
    }

    pub fn name(&self, file: FileId) -> &str {
        self.get(file).map_or("?", |source| &source.name)
    }

    pub fn text(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.text)
    }

    /// Where the first byte stood that was not UTF-8.
    pub fn bad_utf8(&self, file: FileId) -> Option<u32> {
        self.get(file).and_then(|source| source.bad_utf8)
    }

    /// The file's size as it was given to `add`.
    pub fn size(&self, file: FileId) -> usize {
        self.get(file).map_or(0, |source| source.bytes)
    }

    /// The text of a span, cut to what the file holds.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file)
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }

    /// The line and column of a byte; past the end, those of the end.
    pub fn location(&self, file: FileId, offset: u32) -> Location {
        let Some(source) = self.get(file) else {
            return Location { line: 1, column: 1 };
        };
        let offset = floor_char(&source.text, offset as usize);
        let line = source
            .lines
            .partition_point(|start| *start as usize <= offset)
            .max(1);
        let start = source.lines[line - 1] as usize;
        let column = source.text[start..offset].chars().count() + 1;
        Location {
            line: line as u32,
            column: column as u32,
        }
    }

    /// The line of a byte, from 1.
    pub fn line(&self, file: FileId, offset: u32) -> u32 {
        self.location(file, offset).line
    }

    /// Every file, in the order of `add`.
    pub fn files(&self) -> impl Iterator<Item = FileId> + '_ {
        (0..self.files.len() as u32).map(FileId)
    }
}

/// The greatest character boundary that is at most `offset`.
pub(crate) fn floor_char(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn line_starts(text: &str) -> Vec<u32> {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0)
        .chain(breaks.map(|(at, _)| at as u32 + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let mut map = SourceMap::new();
        let file = map.add("a.seq", "seq 1\n// é\nx");
        assert_eq!(map.location(file, 0), Location { line: 1, column: 1 });
        assert_eq!(map.location(file, 5), Location { line: 1, column: 6 });
        assert_eq!(map.location(file, 6), Location { line: 2, column: 1 });
        // `é` has two bytes: the newline after it is byte 11, column 5.
        assert_eq!(map.location(file, 11), Location { line: 2, column: 5 });
        assert_eq!(map.location(file, 12), Location { line: 3, column: 1 });
        assert_eq!(map.location(file, 999), Location { line: 3, column: 2 });
        assert_eq!(map.slice(Span::new(file, 12, 13)), "x");
    }

    #[test]
    fn unknown_files_and_bad_bytes_are_no_panic() {
        let mut map = SourceMap::new();
        let file = map.add("a.seq", vec![b's', 0xff, b'q']);
        assert_eq!(map.bad_utf8(file), Some(1));
        assert_eq!(map.name(FileId(7)), "?");
        assert_eq!(map.slice(Span::new(FileId(7), 0, 3)), "");
        assert_eq!(map.location(file, 2), Location { line: 1, column: 2 });
    }
}
