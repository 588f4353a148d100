//! One kernel that is well formed, and one edit of it for each rule.

use super::verify;
use crate::parse::kernel;

const GOOD: &str = "\
kernel good(x: read f32, tokens: read i32, y: write f32, z: readwrite f32; $batch, $t) grid(i0 < $batch, i1 < 4) {
  local s: f32[64]
  local p: f32[32]
  for i2 in 0..64 par {
    s[i2] = x[i2 + i0 * $t]
  }
  for i3 in 0..32 vec(8) {
    let %0 = s[i3] * 2.0
    p[i3] = %0 + s[i3 + 32]
  }
  for i4 in 1..$t seq reverse {
    if [i4 < 64] && x[i4] > 0.0 {
      s[i4] = s[i4 - 1] + fold(sum, i5 in 0..i4, lanes 4, p[i5 % 32])
    }
  }
  matmul(4, 8, 8) s[0; 8, 1] += p[0; 8, 1] * x[i0; 1, 8] lower
  for i6 in 0..4 par {
    for i7 in 0..8 seq {
      z[i6 * 8 + i7] = z[i6 * 8 + i7] + s[i7 + data(tokens[i7])]
    }
    if [i6 == 0] {
      y[0] = 1.0
    }
  }
}";

fn faults(text: &str) -> Vec<String> {
    let k = kernel(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    match verify(&k) {
        Ok(()) => vec![],
        Err(all) => all.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_good_kernel_is_good() {
    assert_eq!(faults(GOOD), Vec::<String>::new());
}

#[test]
fn each_rule_is_enforced() {
    let cases = [
        (
            "local p: f32[32]",
            "local w: f32[1]\n  local w: i32[2]\n  local p: f32[32]",
            "two buffers are called `w`",
        ),
        (
            "$batch, $t)",
            "$batch, $t, $n, $n)",
            "two sizes are called `n`",
        ),
        ("i1 < 4", "i1 < i0", "is not of sizes only"),
        ("for i3 in", "for i2 in", "variable i2 is bound twice"),
        (
            "s[i2] = ",
            "s[i9] = ",
            "statement 0.0 `s[i9] = x[i2 + i0 * $t]`: variable i9 is used outside its loop",
        ),
        ("%0 + s", "%1 + s", "value %1 is used where it is not bound"),
        (
            "let %0 = s[i3] * 2.0",
            "let %0 = s[i3] * 2.0\n    let %0 = 1.0",
            "value %0 is bound twice",
        ),
        (
            "[i4 < 64] && x[i4] > 0.0",
            "x[i4]",
            "a number stands where a truth value is needed",
        ),
        (
            "s[i3] * 2.0",
            "[i3 < 4]",
            "a truth value stands where a number is needed",
        ),
        (
            "s[i3] * 2.0",
            "word(xor([i3], rotl([i3], 32)))",
            "a word is shifted by 32 bits",
        ),
        (
            "s[i3] * 2.0",
            "word(mul([i3], [i9]))",
            "variable i9 is used outside its loop",
        ),
        (
            "y[0] = 1.0",
            "y[0] = y[1]",
            "statement 4.1.0 `y[0] = y[1]`: `y` is read, but declared to be only written",
        ),
        (
            "y[0] = 1.0",
            "x[0] = 1.0",
            "`x` is written, but declared to be only read",
        ),
        (
            "p[i3] = ",
            "p[i3 + 1] = ",
            "elements 1..=32 of `p`, which has 32",
        ),
        (
            "s[0; 8, 1]",
            "s[33; 8, 1]",
            "elements 33..=64 of `s`, which has 64",
        ),
        ("vec(8)", "vec(0)", "no lanes"),
        ("i5 % 32", "i5 % 0", "an index is divided by 0"),
        (
            "p[i3] = %0",
            "if [i0 < 1] { }\n    p[i3] = %0",
            "a vector loop holds more than stores and bindings",
        ),
        (
            "s[i2] = ",
            "s[5] = ",
            "all iterations over i2 write the same element of `s`",
        ),
        (
            "z[i6 * 8 + i7] = ",
            "z[i7] = ",
            "statement 4 `for i6 in 0..4 par`: all iterations over i6 write",
        ),
        (
            "p[i3] = %0 + s[i3 + 32]",
            "p[i3] = p[i3 + 3]",
            "an iteration over i3 reads what the one 3 further writes to `p`",
        ),
        (
            "s[0; 8, 1] +=",
            "s[0; 4, 1] +=",
            "two elements of the product stand in one place",
        ),
        (
            "+= p[0; 8, 1]",
            "+= s[24; 8, 1]",
            "a product overwrites its operand",
        ),
        (
            "* x[i0; 1, 8]",
            "* tokens[i0; 1, 8]",
            "a matrix product of integers",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(GOOD.contains(from), "{from}");
        let found = faults(&GOOD.replacen(from, to, 1));
        assert!(
            found.iter().any(|f| f.contains(expected)),
            "{to}: {found:#?}"
        );
    }
}

#[test]
fn a_local_that_nothing_writes() {
    let found = faults("kernel k(y: write f32) grid() { local s: f32[4] y[0] = s[0] }");
    assert_eq!(
        found,
        ["kernel `k`: local `s` is read, but nothing writes it"]
    );
}

#[test]
fn a_guarded_or_endless_access_is_left_to_the_interpreter() {
    let text = "kernel k(y: write f32; $t) grid() {
        local s: f32[4]
        for i0 in 0..$t seq { s[i0 + 100] = 1.0 }
        if [$t > 200] { y[0] = s[200] }
    }";
    assert_eq!(faults(text), Vec::<String>::new());
}
