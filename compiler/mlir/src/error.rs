//! What can go wrong between a kernel and machine code, as values.

use std::fmt;

/// An error of this crate. `Kernel` means that the schedule IR breaks one of its own rules; the others name
/// the stage that failed and carry its diagnostics.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("kernel `{kernel}`: {what}")]
    Kernel { kernel: String, what: String },
    #[error("MLIR {stage}: {what}")]
    Mlir { stage: &'static str, what: String },
    #[error("LLVM {stage}: {what}")]
    Llvm { stage: &'static str, what: String },
    #[error("{0}")]
    Link(String),
    #[error("{what}: {error}")]
    Io { what: String, error: std::io::Error },
}

impl Error {
    pub(crate) fn llvm(stage: &'static str, what: impl fmt::Display) -> Error {
        Error::Llvm {
            stage,
            what: what.to_string(),
        }
    }

    pub(crate) fn io(what: impl Into<String>, error: std::io::Error) -> Error {
        Error::Io {
            what: what.into(),
            error,
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Error>;
