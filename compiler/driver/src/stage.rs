//! The stages of a compilation, in order. A stage's name is what `seqc build --emit` takes and its key in
//! `--timings`; what lies between `algebra` and `derived` is the list in [`crate::passes`].

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Ast,
    Hir,
    Algebra,
    Derived,
    Schedule,
    Mlir,
    Llvm,
    Asm,
    Ptx,
}

/// Each stage: its name, the ending of its files, what starts a comment in its text, and what it shows.
const ALL: [(Stage, &str, &str, &str, &str); 9] = {
    use Stage::*;
    [
        (Ast, "ast", "ast", "//", "the file's syntax tree"),
        (
            Hir,
            "hir",
            "hir",
            "//",
            "settings, types, parameters, reach",
        ),
        (
            Algebra,
            "algebra",
            "algebra",
            "//",
            "the program as written",
        ),
        (
            Derived,
            "derived",
            "derived",
            "//",
            "the program in its form",
        ),
        (
            Schedule,
            "schedule",
            "schedule",
            "//",
            "buffers, launches, loops",
        ),
        (Mlir, "mlir", "mlir", "//", "the kernels as one MLIR module"),
        (Llvm, "llvm", "ll", ";", "the kernels' optimised LLVM IR"),
        (Asm, "asm", "s", "#", "the kernels' assembly"),
        (Ptx, "ptx", "ptx", "//", "the kernels' PTX"),
    ]
};

impl Stage {
    /// In the order of compilation.
    pub fn all() -> impl Iterator<Item = Stage> {
        ALL.iter().map(|s| s.0)
    }

    pub fn named(name: &str) -> Option<Stage> {
        ALL.iter().find(|s| s.1 == name).map(|s| s.0)
    }

    pub fn name(self) -> &'static str {
        ALL[self as usize].1
    }

    /// The ending of files that hold the stage's text.
    pub fn extension(self) -> &'static str {
        ALL[self as usize].2
    }

    /// What starts a comment line in the stage's text.
    pub fn comment(self) -> &'static str {
        ALL[self as usize].3
    }

    /// What the stage shows, in a few words.
    pub fn shows(self) -> &'static str {
        ALL[self as usize].4
    }

    /// Does it show the file and not one of its mixers?
    pub fn is_of_file(self) -> bool {
        self == Stage::Ast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_stages_and_back() {
        assert_eq!(Stage::all().count(), ALL.len());
        for (at, s) in Stage::all().enumerate() {
            assert_eq!(s as usize, at);
            assert_eq!(Stage::named(s.name()), Some(s));
        }
        assert_eq!(Stage::named("AST"), None);
    }
}
