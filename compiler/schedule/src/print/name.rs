//! How names are written, and the words of the language.

use super::Names;
use crate::ir::{Buf, FoldOp, Unary};

pub const UNARIES: [(Unary, &str); 14] = [
    (Unary::Neg, "neg"),
    (Unary::Abs, "abs"),
    (Unary::Exp, "exp"),
    (Unary::Expm1, "expm1"),
    (Unary::Log, "log"),
    (Unary::Log1p, "log1p"),
    (Unary::Sqrt, "sqrt"),
    (Unary::Sin, "sin"),
    (Unary::Cos, "cos"),
    (Unary::Tanh, "tanh"),
    (Unary::Floor, "floor"),
    (Unary::Sign, "sign"),
    (Unary::Erf, "erf"),
    (Unary::Single, "single"),
];

pub const FOLDS: [(FoldOp, &str); 4] = [
    (FoldOp::Sum, "sum"),
    (FoldOp::Prod, "prod"),
    (FoldOp::Max, "max"),
    (FoldOp::Min, "min"),
];

/// Words that mean something where a buffer's name could stand.
const RESERVED: [&str; 11] = [
    "local", "for", "let", "if", "else", "matmul", "nan", "inf", "kernel", "lower", "upper",
];

pub(crate) fn unary_name(op: Unary) -> &'static str {
    UNARIES
        .iter()
        .find(|(o, _)| *o == op)
        .map_or("?", |(_, n)| n)
}

pub(crate) fn fold_name(op: FoldOp) -> &'static str {
    FOLDS.iter().find(|(o, _)| *o == op).map_or("?", |(_, n)| n)
}

/// Can the name stand without quotes? Dots may separate words, as in the paths of parameters.
pub(crate) fn plain(name: &str) -> bool {
    let word = |w: &str| {
        w.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.split('.').all(word) && !RESERVED.contains(&name) && !is_variable(name)
}

/// `i` and digits: the name of a variable.
fn is_variable(name: &str) -> bool {
    let digits = name.strip_prefix('i').unwrap_or("");
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

/// The name, in quotes if it needs them; only quotes and backslashes are escaped, so any text survives.
pub(crate) fn quoted(name: &str) -> String {
    if plain(name) {
        return name.to_string();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Names<'_> {
    pub(crate) fn buf(&self, buf: Buf) -> String {
        let k = self.kernel;
        let (name, place) = match buf {
            Buf::Arg(i) => (k.args.get(i as usize).map(|a| &a.name), format!("#{i}")),
            Buf::Local(i) => (
                k.locals.get(i as usize).map(|l| &l.name),
                format!("#local{i}"),
            ),
        };
        let Some(name) = name else { return place };
        let all = k
            .args
            .iter()
            .map(|a| &a.name)
            .chain(k.locals.iter().map(|l| &l.name));
        if all.filter(|n| *n == name).count() == 1 {
            quoted(name)
        } else {
            quoted(name) + &place
        }
    }

    pub(crate) fn dim(&self, index: u32) -> String {
        let dims = &self.kernel.dims;
        match dims.get(index as usize) {
            Some(n) if dims.iter().filter(|d| *d == n).count() == 1 => format!("${}", quoted(n)),
            _ => format!("$#{index}"),
        }
    }
}
