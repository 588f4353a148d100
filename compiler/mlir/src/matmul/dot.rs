//! One column with contiguous rows: each entry is a dot product along k, four rows at a time.

use super::Atom;
use super::tile::element;
use crate::emit::Lanes;
use crate::text::{F32, Fun, I64, Of, PTR, Ty, Value};

const ROWS: usize = 4;

pub(super) fn print(atom: &Atom, target: Lanes) -> Fun {
    let mut f = Fun::new();
    let whole = atom.m / ROWS * ROWS;
    if whole > 0 {
        let (zero, end, step) = (
            f.int(I64, 0),
            f.int(I64, whole as i64),
            f.int(I64, ROWS as i64),
        );
        let open = f.begin_for("i", &zero, &end, &step, &[]);
        let i = open.iv.clone();
        rows(&mut f, atom, ROWS, &i, target);
        f.end_for(open, &[]);
    }
    if whole < atom.m {
        let i = f.int(I64, whole as i64);
        rows(&mut f, atom, atom.m - whole, &i, target);
    }
    f
}

fn rows(f: &mut Fun, atom: &Atom, count: usize, i: &Value, target: Lanes) {
    let a = element(f, &Value::new("%a", PTR), i, atom.a.rows);
    let out = element(f, &Value::new("%out", PTR), i, atom.out.rows);
    let mut sums: Vec<Value> = (0..count)
        .map(|r| {
            let p = f.address_at(&out, r as i64 * atom.out.rows);
            if atom.accumulate {
                f.load(&p, F32)
            } else {
                f.float(F32, 0.0)
            }
        })
        .collect();
    let width = i64::from(target.width.max(1));
    let whole = atom.k as i64 / width * width;
    if whole > 0 && width > 1 {
        let none = f.float(Ty::new(Of::F32, target.width), 0.0);
        let lanes = along(f, atom, &a, 0, whole, width, &vec![none; count]);
        for (sum, lane) in sums.iter_mut().zip(&lanes) {
            let text = format!(
                "vector.reduction <add>, {lane}, {sum} fastmath<reassoc> : {} into f32",
                lane.ty
            );
            *sum = f.define("v", F32, text);
        }
    }
    let start = if width > 1 { whole } else { 0 };
    if start < atom.k as i64 {
        sums = along(f, atom, &a, start, atom.k as i64, 1, &sums);
    }
    for (r, sum) in sums.iter().enumerate() {
        let p = f.address_at(&out, r as i64 * atom.out.rows);
        f.store(sum, &p);
    }
}

/// Adds the products of `start..end` to the sums, `width` at a time.
fn along(
    f: &mut Fun,
    atom: &Atom,
    a: &Value,
    start: i64,
    end: i64,
    width: i64,
    sums: &[Value],
) -> Vec<Value> {
    let (start, end, step) = (f.int(I64, start), f.int(I64, end), f.int(I64, width));
    let open = f.begin_for("k", &start, &end, &step, sums);
    let ty = Ty::new(Of::F32, width as u32);
    let p = f.address(&Value::new("%b", PTR), &open.iv);
    let b = f.load(&p, ty);
    let row = f.address(a, &open.iv);
    let mut next = vec![];
    for (r, sum) in open.carried.iter().enumerate() {
        let p = f.address_at(&row, r as i64 * atom.a.rows);
        let x = f.load(&p, ty);
        next.push(f.fma(&x, &b, sum));
    }
    f.end_for(open, &next)
}
