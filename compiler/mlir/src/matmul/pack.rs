//! Packing a strip of the lane operand: `tile[k][column]`, contiguous along the columns.

use super::Atom;
use super::shape::{Column, Strip};
use super::tile::element;
use crate::text::{F32, Fun, I64, Of, Ty, Value};

/// Prints the copy of the strip's columns from `b` (its first column) to `to`.
pub(super) fn print(f: &mut Fun, atom: &Atom, strip: &Strip, b: &Value, to: &Value) {
    let row = strip.lanes() as i64;
    let mut offset = 0;
    for c in &strip.columns {
        let from = f.address_at(b, c.at as i64 * atom.b.cols);
        let into = f.address_at(to, offset);
        let width = i64::from(c.width);
        let mut done = 0;
        if atom.b.rows == 1 && c.active == c.width && c.width >= 4 {
            done = atom.k as i64 / width * width;
            transpose(f, atom, c, done, &from, &into, row);
        }
        scalar(f, atom, c, done, &from, &into, row);
        offset += width;
    }
}

/// Blocks of `width` columns by `width` of k: vector loads along k, shuffles, vector stores along the columns.
fn transpose(f: &mut Fun, atom: &Atom, c: &Column, end: i64, from: &Value, into: &Value, row: i64) {
    let width = i64::from(c.width);
    let (zero, end, step) = (f.int(I64, 0), f.int(I64, end), f.int(I64, width));
    let open = f.begin_for("k", &zero, &end, &step, &[]);
    let source = f.address(from, &open.iv);
    let target = element(f, into, &open.iv, row);
    let mut lines: Vec<Value> = (0..width)
        .map(|i| {
            let p = f.address_at(&source, i * atom.b.cols);
            f.load(&p, Ty::new(Of::F32, c.width))
        })
        .collect();
    let mut distance = c.width / 2;
    while distance > 0 {
        exchange(f, &mut lines, distance);
        distance /= 2;
    }
    for (i, line) in lines.iter().enumerate() {
        let p = f.address_at(&target, i as i64 * row);
        f.store(line, &p);
    }
    f.end_for(open, &[]);
}

/// One stage of a transposition: swaps the off-diagonal squares of size `distance`.
fn exchange(f: &mut Fun, lines: &mut [Value], distance: u32) {
    let n = lines.len() as u32;
    let low: Vec<u32> = (0..n)
        .map(|c| {
            if c & distance == 0 {
                c
            } else {
                n + c - distance
            }
        })
        .collect();
    let high: Vec<u32> = (0..n)
        .map(|c| {
            if c & distance == 0 {
                c + distance
            } else {
                n + c
            }
        })
        .collect();
    for i in (0..n).filter(|i| i & distance == 0) {
        let (a, b) = (
            lines[i as usize].clone(),
            lines[(i + distance) as usize].clone(),
        );
        lines[i as usize] = f.shuffle(&a, &b, &low);
        lines[(i + distance) as usize] = f.shuffle(&a, &b, &high);
    }
}

/// Element by element, from `start` to the end of k; lanes outside the product are left as they are.
fn scalar(f: &mut Fun, atom: &Atom, c: &Column, start: i64, from: &Value, into: &Value, row: i64) {
    if start == atom.k as i64 {
        return;
    }
    let (start, end, one) = (f.int(I64, start), f.int(I64, atom.k as i64), f.int(I64, 1));
    let open = f.begin_for("k", &start, &end, &one, &[]);
    let source = element(f, from, &open.iv, atom.b.rows);
    let target = element(f, into, &open.iv, row);
    for lane in 0..i64::from(c.active) {
        let p = f.address_at(&source, lane * atom.b.cols);
        let x = f.load(&p, F32);
        let p = f.address_at(&target, lane);
        f.store(&x, &p);
    }
    f.end_for(open, &[]);
}
