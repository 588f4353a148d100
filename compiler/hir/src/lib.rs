//! AST to algebra: names, axes, sizes, parameters, causality.
//!
//! A mixer is checked by elaborating it: with all sizes known, everything it calls is inlined and its equations
//! become one program over named axes. Errors poison the value they concern, so that several are found at once.
//! Deliberately absent: any mixer's name (the standard library is text in the language), storage, time loops other
//! than the scans that states define.

// A diagnostic is made once, when something is wrong: what moving it costs does not matter.
#![allow(clippy::result_large_err)]

mod along;
mod axes;
mod body;
mod borrowed;
mod budget;
mod builtin;
mod call;
mod clocks;
mod condition;
mod domain;
mod elab;
mod elaborate;
mod eval;
mod exists;
mod graph;
mod group;
mod indexed;
mod inline;
mod lags;
mod linear;
mod names;
pub mod pages;
mod param;
mod ports;
mod print;
mod product;
mod program;
mod pushed;
mod reach;
mod reads;
mod recipe;
mod reduce;
mod reread;
mod scope;
mod settings;
mod stat;
pub mod stdlib;
mod terms;
mod text;
mod tidy;
mod time;
mod told;
mod value;

pub use builtin::names as builtins;
pub use elab::Limit;
pub use elaborate::{
    Causality, Elaborated, Range, Setting, Vocabulary, check, check_item, elaborate,
};
pub use inline::{Inlined, inline};
pub use print::print_hir;
pub use program::{BesideImporter, ImportResolver, Module, NoImports, Place, Program, load};
pub use reach::Look;
pub use recipe::{Optimizer, Recipe, Schedule};
pub use stat::Stat;
