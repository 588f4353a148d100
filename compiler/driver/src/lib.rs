//! The compiler, from text to artifact.
//!
//! ```text
//! stage      the stages, by name
//! target     what code is made for
//! frontend   text -> checked program (syntax, hir)
//! passes     algebra -> derived algebra: THE list of passes
//! build      derived algebra -> plans and kernels (schedule)
//! code       kernels -> texts and files of a target
//! backend    kernels -> callable code (mlir, clif)
//! emit       one program from text to any stage, as text
//! artifact   plans and code in a folder
//! cache      artifacts found again by content
//! bench      how long compiled programs take
//! package    one program from text to an artifact
//! model      a model's plans with their code, as the commands that run models want them
//! run        what a RUN folder says of its model
//! engine     programs run on named tensors, by the interpreter or compiled
//! packed     documents of different lengths in one row
//! eval       one mixer on given tensors
//! stepless   causal programs that have no step, at their places
//! verify     the certificate: all forms of a mixer against its definition
//! ```
//! No printing and no arguments here: that is the command line's part.

pub mod artifact;
pub mod backend;
pub mod bench;
pub mod build;
pub mod cache;
pub mod code;
pub mod emit;
pub mod engine;
pub mod eval;
pub mod explain;
pub mod frontend;
pub mod model;
pub mod package;
pub mod packed;
pub mod parallel;
mod parts;
pub mod passes;
pub mod run;
pub mod stage;
pub mod stepless;
pub mod target;
pub mod timeline;
pub mod timings;
pub mod verify;

use seqc_syntax::{Diagnostic, SourceMap};

/// Anything that keeps a file from becoming an artifact.
#[derive(Debug)]
pub enum Error {
    /// Errors in the source, with the text that they point into.
    Source(Box<SourceMap>, Vec<Diagnostic>),
    /// The request itself makes no sense: what there is instead.
    Usage(String),
    /// Anything else, in words: what failed and what to do.
    Other(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Source(map, d) => f.write_str(&seqc_syntax::render_human(map, d, false)),
            Error::Usage(why) | Error::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;

/// An error of a later stage in the words of the user's mixer.
pub(crate) fn other(what: &str, e: impl std::fmt::Display) -> Error {
    Error::Other(format!("{what}: {e}"))
}
