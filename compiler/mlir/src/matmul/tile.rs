//! The loops over strips and row tiles, and the tile itself: accumulators carried through the loop over k.

use super::shape::{Strip, strips};
use super::{Atom, Operand, Strides, pack};
use crate::emit::Lanes;
use crate::text::{F32, Fun, I64, Of, PTR, Ty, Value};
use seqc_schedule::ir::Part;

/// Where a tile reads the lane operand.
struct Lane {
    at: Value,
    strides: Strides,
    /// All lanes may be read, even masked ones.
    padded: bool,
}

pub(crate) fn print(atom: &Atom, operand: Operand, target: Lanes) -> Fun {
    let mut f = Fun::new();
    let masks = atom.out.cols == 1 && operand != Operand::Strided;
    let strips = strips(atom.m, atom.n, target, masks);
    let stack = (operand == Operand::Packed).then(|| {
        let lanes = strips.iter().map(Strip::lanes).max().unwrap_or(1);
        let size = f.int(I64, (lanes * atom.k.max(1)) as i64);
        f.define(
            "tile",
            PTR,
            format!("llvm.alloca {size} x f32 {{alignment = 64 : i64}} : (i64) -> !llvm.ptr"),
        )
    });
    for strip in &strips {
        let first = f.int(I64, strip.first as i64);
        if strip.count == 1 {
            one_strip(&mut f, atom, strip, &first, stack.as_ref());
            continue;
        }
        let (end, step) = (strip.first + strip.count * strip.span(), strip.span());
        let (end, step) = (f.int(I64, end as i64), f.int(I64, step as i64));
        let open = f.begin_for("j", &first, &end, &step, &[]);
        let j = open.iv.clone();
        one_strip(&mut f, atom, strip, &j, stack.as_ref());
        f.end_for(open, &[]);
    }
    f
}

/// All rows of the strip that starts at column `j`.
fn one_strip(f: &mut Fun, atom: &Atom, strip: &Strip, j: &Value, stack: Option<&Value>) {
    let b = element(f, &Value::new("%b", PTR), j, atom.b.cols);
    let lane = match stack {
        Some(tile) => {
            pack::print(f, atom, strip, &b, tile);
            Lane {
                at: tile.clone(),
                strides: Strides {
                    rows: strip.lanes() as i64,
                    cols: 1,
                },
                padded: true,
            }
        }
        None => Lane {
            at: b,
            strides: atom.b,
            padded: false,
        },
    };
    let out = element(f, &Value::new("%out", PTR), j, atom.out.cols);
    let (rows, whole) = (strip.rows, atom.m / strip.rows * strip.rows);
    if whole > 0 {
        let (lo, hi) = row_range(f, atom.part, j, strip, whole);
        let step = f.int(I64, rows as i64);
        let open = f.begin_for("i", &lo, &hi, &step, &[]);
        let i = open.iv.clone();
        tile(f, atom, strip, rows, &i, &out, &lane);
        f.end_for(open, &[]);
    }
    if whole < atom.m {
        let i = f.int(I64, whole as i64);
        let wanted = last_rows_wanted(f, atom.part, j, strip, atom.m, whole);
        if let Some(c) = &wanted {
            f.begin_if(c);
        }
        tile(f, atom, strip, atom.m - whole, &i, &out, &lane);
        if wanted.is_some() {
            f.end_if();
        }
    }
}

/// First rows of the full tiles that hold a wanted entry of the strip.
fn row_range(f: &mut Fun, part: Part, j: &Value, strip: &Strip, whole: usize) -> (Value, Value) {
    let (zero, end) = (f.int(I64, 0), f.int(I64, whole as i64));
    match part {
        Part::All => (zero, end),
        Part::Lower => {
            let rows = f.int(I64, strip.rows as i64);
            let skipped = f.binary("arith.divui", j, &rows);
            (f.mul(&skipped, &rows), end)
        }
        Part::Upper => {
            let span = f.int(I64, strip.span() as i64);
            let past = f.add(j, &span);
            (zero, f.binary("arith.minsi", &past, &end))
        }
    }
}

/// Condition for the rows after the full tiles; `None`: always.
fn last_rows_wanted(
    f: &mut Fun,
    part: Part,
    j: &Value,
    strip: &Strip,
    m: usize,
    whole: usize,
) -> Option<Value> {
    match part {
        Part::All => None,
        Part::Lower => {
            let m = f.int(I64, m as i64);
            Some(f.cmp("slt", j, &m))
        }
        Part::Upper => {
            let (span, whole) = (f.int(I64, strip.span() as i64), f.int(I64, whole as i64));
            let past = f.add(j, &span);
            Some(f.cmp("sgt", &past, &whole))
        }
    }
}

fn tile(f: &mut Fun, atom: &Atom, strip: &Strip, rows: usize, i: &Value, out: &Value, lane: &Lane) {
    let a = element(f, &Value::new("%a", PTR), i, atom.a.rows);
    let out = element(f, out, i, atom.out.rows);
    let mut sums = vec![];
    for r in 0..rows {
        for c in &strip.columns {
            let ty = Ty::new(Of::F32, c.width);
            sums.push(if atom.accumulate {
                let p = f.address_at(&out, r as i64 * atom.out.rows + c.at as i64 * atom.out.cols);
                load(f, &p, ty, atom.out.cols, c.active)
            } else {
                f.float(ty, 0.0)
            });
        }
    }
    let (zero, one, k) = (f.int(I64, 0), f.int(I64, 1), f.int(I64, atom.k as i64));
    let open = f.begin_for("k", &zero, &k, &one, &sums);
    let a = element(f, &a, &open.iv, atom.a.cols);
    let b = element(f, &lane.at, &open.iv, lane.strides.rows);
    let mut lanes = vec![];
    for c in &strip.columns {
        let p = f.address_at(&b, c.at as i64 * lane.strides.cols);
        let active = if lane.padded { c.width } else { c.active };
        lanes.push(load(
            f,
            &p,
            Ty::new(Of::F32, c.width),
            lane.strides.cols,
            active,
        ));
    }
    let mut next = vec![];
    for r in 0..rows {
        let p = f.address_at(&a, r as i64 * atom.a.rows);
        let x = f.load(&p, F32);
        for (c, b) in lanes.iter().enumerate() {
            let x = f.broadcast(&x, b.ty.lanes);
            next.push(f.fma(&x, b, &open.carried[r * lanes.len() + c].clone()));
        }
    }
    let sums = f.end_for(open, &next);
    for r in 0..rows {
        for (i, c) in strip.columns.iter().enumerate() {
            let p = f.address_at(&out, r as i64 * atom.out.rows + c.at as i64 * atom.out.cols);
            store(
                f,
                &sums[r * strip.columns.len() + i],
                &p,
                atom.out.cols,
                c.active,
            );
        }
    }
}

/// `base + index*stride`
pub(super) fn element(f: &mut Fun, base: &Value, index: &Value, stride: i64) -> Value {
    if stride == 1 {
        return f.address(base, index);
    }
    let s = f.int(I64, stride);
    let at = f.mul(index, &s);
    f.address(base, &at)
}

fn load(f: &mut Fun, p: &Value, ty: Ty, stride: i64, active: u32) -> Value {
    if ty.lanes > 1 && stride != 1 {
        let at = f.ramp(Ty::new(Of::I64, ty.lanes), stride);
        let p = f.address(p, &at);
        return f.gather(&p, Of::F32);
    }
    if active < ty.lanes {
        let mask = mask(f, ty, active);
        return f.load_masked(p, &mask);
    }
    f.load(p, ty)
}

fn store(f: &mut Fun, x: &Value, p: &Value, stride: i64, active: u32) {
    if x.ty.lanes > 1 && stride != 1 {
        let at = f.ramp(x.ty.with(Of::I64), stride);
        let p = f.address(p, &at);
        f.scatter(x, &p);
    } else if active < x.ty.lanes {
        let mask = mask(f, x.ty, active);
        f.store_masked(x, p, &mask);
    } else {
        f.store(x, p);
    }
}

/// The first `active` lanes.
fn mask(f: &mut Fun, ty: Ty, active: u32) -> Value {
    let lane = f.ramp(ty.with(Of::I32), 1);
    let end = f.int(lane.ty, i64::from(active));
    f.cmp("slt", &lane, &end)
}
