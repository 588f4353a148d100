//! The standard library, built into the compiler.
//!
//! `std` is the file that gathers all others; `std/norms` and so on are its parts. Invariant: a path is listed
//! here iff the file exists in `stdlib/`.

/// Path and text of each file.
const FILES: &[(&str, &str)] = &[
    ("std", include_str!("../../../stdlib/std.seq")),
    ("std/norms", include_str!("../../../stdlib/norms.seq")),
    ("std/blocks", include_str!("../../../stdlib/blocks.seq")),
    (
        "std/positions",
        include_str!("../../../stdlib/positions.seq"),
    ),
    (
        "std/objectives",
        include_str!("../../../stdlib/objectives.seq"),
    ),
    (
        "std/attention",
        include_str!("../../../stdlib/attention.seq"),
    ),
    (
        "std/selective_attention",
        include_str!("../../../stdlib/selective_attention.seq"),
    ),
    (
        "std/linear_attention",
        include_str!("../../../stdlib/linear_attention.seq"),
    ),
    ("std/ssm", include_str!("../../../stdlib/ssm.seq")),
    ("std/delta", include_str!("../../../stdlib/delta.seq")),
    ("std/conv", include_str!("../../../stdlib/conv.seq")),
    ("std/matrices", include_str!("../../../stdlib/matrices.seq")),
    ("std/rnn", include_str!("../../../stdlib/rnn.seq")),
    (
        "std/quantised",
        include_str!("../../../stdlib/quantised.seq"),
    ),
    (
        "std/multirate",
        include_str!("../../../stdlib/multirate.seq"),
    ),
    ("std/prelude", include_str!("../../../stdlib/prelude.seq")),
];

/// The text of `std/…`, if there is such a file.
pub fn text(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(p, _)| *p == path).map(|(_, t)| *t)
}

/// The paths that can be imported.
pub fn paths() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(p, _)| *p)
}

/// Does some file of the library define a mixer of this name?
pub fn has_mixer(name: &str) -> bool {
    let header = format!("mixer {name}");
    FILES.iter().any(|(_, text)| {
        text.lines().any(|l| {
            l.strip_prefix(header.as_str())
                .is_some_and(|rest| rest.starts_with(['(', '[']))
        })
    })
}
