//! Which register tiles cover a product: strips of column vectors, and rows per tile, by a small cost model.

use crate::emit::Lanes;

/// One vector of columns in a strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// First column, relative to the strip.
    pub at: usize,
    /// Lanes of the vector.
    pub width: u32,
    /// Lanes that are inside the product; fewer than `width`: masked.
    pub active: u32,
}

/// Columns computed together; `count` such strips follow one another.
#[derive(Clone, Debug)]
pub(crate) struct Strip {
    pub first: usize,
    pub count: usize,
    pub columns: Vec<Column>,
    /// Rows of a full tile.
    pub rows: usize,
}

impl Strip {
    /// Columns that one strip covers.
    pub fn span(&self) -> usize {
        self.columns.iter().map(|c| c.active as usize).sum()
    }

    /// Lanes that one strip has, masked ones too.
    pub fn lanes(&self) -> usize {
        self.columns.iter().map(|c| c.width as usize).sum()
    }
}

/// Covers `n` columns. Masked vectors are used only if `masks`.
pub(crate) fn strips(m: usize, n: usize, target: Lanes, masks: bool) -> Vec<Strip> {
    let width = target.width.max(1);
    let (full, tail) = (n / width as usize, tail(n % width as usize, masks));
    let candidates = (1..=8).map(|vectors| cover(m, full, &tail, vectors, width, target));
    candidates
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, s)| s)
        .unwrap_or_default()
}

/// The vectors of the last `rest` columns, from the strip's column 0.
fn tail(rest: usize, masks: bool) -> Vec<Column> {
    if rest > 0 && masks && !rest.is_power_of_two() {
        return vec![Column {
            at: 0,
            width: (rest as u32).next_power_of_two(),
            active: rest as u32,
        }];
    }
    let (mut at, mut columns) = (0, vec![]);
    while at < rest {
        let width = 1u32 << (rest - at).ilog2();
        columns.push(Column {
            at,
            width,
            active: width,
        });
        at += width as usize;
    }
    columns
}

fn cover(
    m: usize,
    full: usize,
    tail: &[Column],
    vectors: usize,
    width: u32,
    target: Lanes,
) -> (f64, Vec<Strip>) {
    let columns = |count: usize| -> Vec<Column> {
        (0..count)
            .map(|i| Column {
                at: i * width as usize,
                width,
                active: width,
            })
            .collect()
    };
    let mut found = vec![];
    let mut total = 0.0;
    let mut push = |first, count, columns: Vec<Column>| {
        let (cost, rows) = rows(m, columns.len(), target);
        total += cost * count as f64;
        found.push(Strip {
            first,
            count,
            columns,
            rows,
        });
    };
    let (whole, rest) = (full / vectors, full % vectors);
    if whole > 0 {
        push(0, whole, columns(vectors));
    }
    let first = whole * vectors * width as usize;
    let moved = |by: usize| {
        tail.iter().map(move |c| Column {
            at: c.at + by,
            ..*c
        })
    };
    if rest + tail.len() <= vectors {
        let mut last = columns(rest);
        last.extend(moved(rest * width as usize));
        if !last.is_empty() {
            push(first, 1, last);
        }
    } else {
        if rest > 0 {
            push(first, 1, columns(rest));
        }
        push(first + rest * width as usize, 1, moved(0).collect());
    }
    (total, found)
}

/// Rows of a tile of that many vectors, and the estimated cycles per k of all rows.
fn rows(m: usize, vectors: usize, target: Lanes) -> (f64, usize) {
    let cost = |rows: usize| {
        let tile = |r: usize| {
            if r == 0 {
                return 0.0;
            }
            // Two multiply-adds and two loads a cycle; a chain of additions advances every four.
            let products = (r * vectors) as f64 / 2.0;
            let loads = (r + vectors) as f64 / 2.0;
            products.max(loads).max(4.0) + 0.3
        };
        (m / rows) as f64 * tile(rows) + tile(m % rows)
    };
    let fits = |rows: &usize| *rows == 1 || rows * vectors + vectors < target.registers as usize;
    let best = (1..=12.min(m.max(1)))
        .filter(fits)
        .min_by(|a, b| cost(*a).total_cmp(&cost(*b)))
        .unwrap_or(1);
    (cost(best), best)
}
