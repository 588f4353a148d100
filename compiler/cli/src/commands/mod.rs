//! One file a command. Each returns whether the input was right; an error is shown as it is.

pub mod build;
pub mod check;
pub mod eval;
pub mod fmt;
pub mod train;
pub mod verify;

use seqc_driver::Error;

/// `--set key=value`, split.
pub fn settings(set: &[String]) -> Result<Vec<(String, String)>, Error> {
    let split = |s: &String| match s.split_once('=') {
        Some((k, v)) if !k.is_empty() => Ok((k.to_owned(), v.to_owned())),
        _ => Err(Error::Other(format!(
            "`--set {s}`: write `--set name=value`"
        ))),
    };
    set.iter().map(split).collect()
}
