//! bf16 in memory, f32 in registers: the upper half of the word.

use crate::text::{Fun, Of, Value};

/// The f32 of each stored half, without loss.
pub(super) fn widen(f: &mut Fun, x: &Value) -> Value {
    let wide = f.cast("arith.extui", x, Of::I32);
    let half = f.int(wide.ty, 16);
    let word = f.binary("arith.shli", &wide, &half);
    f.cast("arith.bitcast", &word, Of::F32)
}

/// Rounds to nearest, ties to even; what is no number becomes the quiet NaN.
pub(super) fn narrow(f: &mut Fun, x: &Value) -> Value {
    let word = f.cast("arith.bitcast", x, Of::I32);
    let (half, one, most) = (
        f.int(word.ty, 16),
        f.int(word.ty, 1),
        f.int(word.ty, 0x7fff),
    );
    let upper = f.binary("arith.shrui", &word, &half);
    let odd = f.binary("arith.andi", &upper, &one);
    let up = f.add(&most, &odd);
    let rounded = f.add(&word, &up);
    let upper = f.binary("arith.shrui", &rounded, &half);
    let (none, nan) = (f.cmp("uno", x, x), f.int(word.ty, 0x7fc0));
    let kept = f.select(&none, &nan, &upper);
    f.cast("arith.trunci", &kept, Of::I16)
}
