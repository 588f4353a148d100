//! Interned names, sizes and axes. An axis is a name with a size; two axes are the same iff both agree.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, OnceLock};

/// An interned string: cheap to copy, compared by content, never freed (names of a program are few).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sym(&'static str);

impl Sym {
    pub fn new(text: &str) -> Sym {
        static TABLE: OnceLock<Mutex<HashSet<&'static str>>> = OnceLock::new();
        let mut table = match TABLE.get_or_init(Default::default).lock() {
            Ok(table) => table,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(known) = table.get(text) {
            return Sym(known);
        }
        let leaked: &'static str = Box::leak(text.to_owned().into_boxed_str());
        table.insert(leaked);
        Sym(leaked)
    }

    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Sym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Sym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl From<&str> for Sym {
    fn from(text: &str) -> Sym {
        Sym::new(text)
    }
}

/// How many positions an axis has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Size {
    Const(usize),
    /// A run-time length by name: `batch`, a clock (`t`, `s`), a cache.
    Len(Sym),
    /// `ceil(len / tile)`: the number of tiles of a run-time length.
    Tiles(Sym, usize),
    /// `ceil(times len / tile)`: so many positions for each of a run-time length, in tiles.
    Times {
        len: Sym,
        times: usize,
        tile: usize,
    },
}

impl Size {
    /// How many tiles of `tile` positions there are, the last of which may be ragged.
    pub fn tiled(self, tile: usize) -> Size {
        match self {
            Size::Const(n) => Size::Const(n.div_ceil(tile)),
            Size::Len(s) => Size::Tiles(s, tile),
            Size::Tiles(s, n) => Size::Tiles(s, n.saturating_mul(tile)),
            Size::Times {
                len,
                times,
                tile: n,
            } => Size::Times {
                len,
                times,
                tile: n.saturating_mul(tile),
            },
        }
    }

    /// `n` positions for each; `None` of tiles, the last of which may be ragged.
    pub fn times(self, n: usize) -> Option<Size> {
        let times = |len, times| Size::Times {
            len,
            times,
            tile: 1,
        };
        match self {
            Size::Const(m) => m.checked_mul(n).map(Size::Const),
            Size::Len(s) => Some(times(s, n)),
            Size::Times {
                len,
                times: m,
                tile: 1,
            } => m.checked_mul(n).map(|n| times(len, n)),
            Size::Tiles(..) | Size::Times { .. } => None,
        }
    }

    /// The run-time length that it follows.
    pub fn length(self) -> Option<Sym> {
        match self {
            Size::Const(_) => None,
            Size::Len(len) | Size::Tiles(len, _) | Size::Times { len, .. } => Some(len),
        }
    }

    /// `(times, tile)` of `ceil(times len / tile)`.
    pub fn ratio(self) -> (usize, usize) {
        match self {
            Size::Const(_) | Size::Len(_) => (1, 1),
            Size::Tiles(_, tile) => (1, tile),
            Size::Times { times, tile, .. } => (times, tile),
        }
    }

    /// How many positions there are where the run-time length is `len`; `None` if too many to count, or tiles of 0.
    pub fn at(self, len: usize) -> Option<usize> {
        match (self, self.ratio()) {
            (Size::Const(n), _) => Some(n),
            (_, (_, 0)) => None,
            (_, (times, tile)) => Some(len.checked_mul(times)?.div_ceil(tile)),
        }
    }

    pub fn constant(self) -> Option<usize> {
        match self {
            Size::Const(n) => Some(n),
            _ => None,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Const(n) => write!(f, "{n}"),
            Size::Len(s) => write!(f, "{s}"),
            Size::Tiles(s, n) => write!(f, "{s}/{n}"),
            Size::Times {
                len,
                times,
                tile: 1,
            } => write!(f, "{len}*{times}"),
            Size::Times { len, times, tile } => write!(f, "{len}*{times}/{tile}"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Axis {
    pub name: Sym,
    pub size: Size,
}

impl Axis {
    pub fn new(name: &str, size: usize) -> Axis {
        Axis {
            name: Sym::new(name),
            size: Size::Const(size),
        }
    }

    /// An axis with a run-time length: `Axis::len("i", "t")` runs over the clock `t`.
    pub fn len(name: &str, length: &str) -> Axis {
        Axis {
            name: Sym::new(name),
            size: Size::Len(Sym::new(length)),
        }
    }

    pub fn batch() -> Axis {
        Axis::len("batch", "batch")
    }

    pub fn time() -> Axis {
        Axis::len("t", "t")
    }

    /// The same positions under another name.
    pub fn renamed(self, name: &str) -> Axis {
        Axis {
            name: Sym::new(name),
            size: self.size,
        }
    }

    pub fn is_const(self) -> bool {
        matches!(self.size, Size::Const(_))
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.size)
    }
}
