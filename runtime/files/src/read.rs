//! Reading: regular files only, and never more than there is memory for.
//!
//! Why: a pipe that nobody writes to is waited for without end, a device has no end, and a file may claim to be
//! larger than the machine. Each of them is an error in words instead.

use memmap2::Mmap;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// So much is read of a file that does not say its size (as those of `/proc`) or that grows meanwhile.
const UNSAID: u64 = 1 << 20;

/// Opens a regular file; gives its size too. The flag keeps the opening of a pipe from waiting for its writer.
fn open(path: &Path) -> Result<(File, u64)> {
    let mut how = OpenOptions::new();
    how.read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = how.open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !about.is_file() {
        return Err(Error::other("not a regular file"));
    }
    Ok((file, about.len()))
}

/// Everything in a regular file.
pub fn bytes(path: &Path) -> Result<Vec<u8>> {
    first_bytes(path, u64::MAX)
}

/// The first bytes of a regular file, at most so many.
pub fn first_bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    let (file, size) = open(path)?;
    let mut all = Vec::new();
    let wanted = usize::try_from(size.min(most)).unwrap_or(usize::MAX);
    if all.try_reserve_exact(wanted).is_err() {
        let why = format!("it has {size} bytes, more than there is memory for");
        return Err(Error::new(ErrorKind::OutOfMemory, why));
    }
    file.take(size.max(UNSAID).min(most))
        .read_to_end(&mut all)?;
    Ok(all)
}

/// A regular file of text.
pub fn text(path: &Path) -> Result<String> {
    let not_text = |e: std::string::FromUtf8Error| {
        let at = e.utf8_error().valid_up_to();
        Error::new(ErrorKind::InvalidData, format!("byte {at} is no UTF-8"))
    };
    String::from_utf8(bytes(path)?).map_err(not_text)
}

/// A regular file, mapped: what is not looked at is not read.
pub fn map(path: &Path) -> Result<Mmap> {
    let (file, _) = open(path)?;
    // SAFETY: the file must not be cut short or changed while it is mapped. Those that this project writes are replaced
    // whole and never written in place; of others the user is asked not to change them while they are read.
    unsafe { Mmap::map(&file) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::fs;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for path in [&pipe, Path::new("/dev/zero"), Path::new("/dev/null")] {
            for done in [bytes(path).err(), map(path).err(), text(path).err()] {
                assert_eq!(done.unwrap().to_string(), "not a regular file");
            }
        }
        let error = bytes(dir.path()).unwrap_err().to_string();
        assert!(error.contains("directory"), "{error}");
    }

    #[test]
    fn a_file_that_claims_more_than_there_is_memory_for_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse");
        let file = File::create(&path).unwrap();
        if file
            .set_len(1 << 60)
            .or_else(|_| file.set_len(1 << 43))
            .is_err()
        {
            return; // a file system without files of that size
        }
        let error = bytes(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        assert_eq!(first_bytes(&path, 5).unwrap(), [0; 5]);
    }

    #[test]
    fn contents_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "grüß").unwrap();
        assert_eq!(text(&path).unwrap(), "grüß");
        assert_eq!(bytes(&path).unwrap(), "grüß".as_bytes());
        assert_eq!(&map(&path).unwrap()[..2], b"gr");
        assert_eq!(first_bytes(&path, 2).unwrap(), b"gr");
        fs::write(&path, [b'a', 0xff]).unwrap();
        let error = text(&path).unwrap_err().to_string();
        assert!(error.contains("byte 1 is no UTF-8"), "{error}");
    }
}
