//! The text of any kernel reads back as the same kernel; malformed texts are refused where they go wrong.

use super::{kernel, kernels};
use crate::ir::*;
use crate::testing::any_kernel;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn print_then_parse_is_the_identity(seed: u64, size in 0usize..24) {
        let k = any_kernel(seed, size);
        let text = k.to_string();
        match kernel(&text) {
            Ok(back) => prop_assert_eq!(k, back, "{}", text),
            Err(e) => prop_assert!(false, "{}\n{}", e, text),
        }
    }

    #[test]
    fn damaged_texts_do_not_panic(seed: u64, cut: prop::sample::Index, with in "[-+*/%()\\[\\]{}#$.\"a0i ]{0,3}") {
        let mut text = any_kernel(seed, 8).to_string();
        let mut at = cut.index(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.replace_range(at..at, &with);
        let _ = kernel(&text);
    }
}

const SCALE: &str = "\
kernel scale(x: read f32, tokens: read i32, y: write f32; $batch, $t) grid(i0 < $batch, i1 < 4) {
  local row: f32[64]
  for i2 in 0..min($t, 64) vec(8) {
    let %0 = exp(x[(i0 * $t + i2) * 4 + i1]) * 2.0 - -1.0
    row[i2] = select([i2 <= 3] && !(%0 < 0.5), %0, [i2 + 1])
  }
  for i3 in 0..$t seq reverse {
    if [i3 % 2 == 0] || row[data(tokens[i3])] > 0.0 {
      y[i3] = fold(sum, i4 in 0..64, lanes 8, row[i4] * (row[i4] + 1.0))
    } else {
      y[i3] = -inf
    }
  }
  matmul(4, 64, 8) y[0; 64, 1] += x[i0; -1, 8] * row[0; 8, 1] lower
}";

#[test]
fn a_listing_reads_as_written() {
    let k = kernel(SCALE).expect("parses");
    assert_eq!(k.to_string(), SCALE);
    assert_eq!(k.dims, ["batch", "t"]);
    let Stmt::Matmul(m) = &k.body[2] else {
        panic!("the last statement is a product")
    };
    assert_eq!(
        (m.m, m.n, m.k, m.accumulate, m.part),
        (4, 64, 8, true, Part::Lower)
    );
    assert_eq!(
        m.a,
        Tile {
            buf: Buf::Arg(0),
            base: Ix::Var(Var(0)),
            rows: -1,
            cols: 8
        }
    );
    let Stmt::For { body, kind, .. } = &k.body[0] else {
        panic!("the first is a loop")
    };
    assert_eq!(*kind, LoopKind::Vec(8));
    let Stmt::Store { value, .. } = &body[1] else {
        panic!("a store")
    };
    let Expr::Select(c, _, i) = value else {
        panic!("a selection")
    };
    assert!(matches!(**c, Expr::And(..)));
    assert_eq!(**i, Expr::Index(Ix::Var(Var(2)) + 1));
}

#[test]
fn several_kernels_and_comments() {
    let text = "// first\nkernel a() grid() {\n}\nkernel b() grid() { // second\n}\n";
    let names: Vec<String> = kernels(text)
        .expect("parses")
        .into_iter()
        .map(|k| k.name)
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert!(kernel(text).is_err());
}

#[test]
fn errors_say_where() {
    let wrong = |text: &str| kernel(text).expect_err("is refused").to_string();
    assert_eq!(
        wrong("kernel k(x: read f32) grid() {\n  y[0] = 1.0\n}"),
        "2:4: there is no buffer `y`"
    );
    assert_eq!(
        wrong("kernel k(x: write f32) grid() {\n  x[$n] = 1.0\n}"),
        "2:7: there is no size `n`"
    );
    assert_eq!(
        wrong("kernel k(x: write f32) grid() {"),
        "1:32: expected a name"
    );
    assert_eq!(
        wrong("kernel k(x: write f32) grid() { x[0] = log2(1.0) }"),
        "1:40: there is no function `log2`"
    );
    assert_eq!(
        wrong("kernel k(x: write f32) grid() { x[99999999999999999999] = 1.0 }"),
        "1:35: `99999999999999999999` is no 64-bit whole number"
    );
    let deep = format!(
        "kernel k(x: write f32) grid() {{ x[0] = {}",
        "(".repeat(100_000)
    );
    assert!(wrong(&deep).ends_with("nested too deeply"));
    let deep = format!("kernel k() grid() {{ {}", "if %0 {".repeat(100_000));
    assert!(wrong(&deep).ends_with("nested too deeply"));
}
