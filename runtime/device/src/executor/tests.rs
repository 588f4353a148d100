//! A hand-written plan: y = x·W + s, s' = y, through two temporaries and a product.

use super::*;
use crate::Kernels;
use seqc_abi::{Buffer, Dim, Gemm, GemmOperand, KernelDecl, KernelFn, Launch};
use seqc_abi::{Elem, Init};
use std::collections::BTreeMap;

const D: usize = 5;

unsafe fn row<'a>(bufs: *const *mut u8, i: usize, cell: i64) -> &'a mut [f32] {
    // SAFETY: buffers, sizes and scratch are those of the plans below.
    unsafe {
        std::slice::from_raw_parts_mut((*bufs.add(i)).cast::<f32>().add(cell as usize * D), D)
    }
}

/// (x, out): out = 2 x, through scratch.
unsafe extern "C" fn double(
    bufs: *const *mut u8,
    dims: *const i64,
    lo: i64,
    hi: i64,
    scratch: *mut u8,
) {
    // SAFETY: buffers, sizes and scratch are those of the plans below.
    let rows = unsafe { *dims };
    assert_eq!(rows, hi.max(rows), "`dims` holds the rows");
    // SAFETY: buffers, sizes and scratch are those of the plans below.
    let scratch = unsafe { std::slice::from_raw_parts_mut(scratch.cast::<f32>(), D) };
    for cell in lo..hi {
        // SAFETY: as above.
        let (x, out) = unsafe { (row(bufs, 0, cell), row(bufs, 1, cell)) };
        scratch.iter_mut().zip(x).for_each(|(s, x)| *s = *x + *x);
        out.copy_from_slice(scratch);
    }
}

/// (a, s, out, s'): out = a / 2 + s; s' = out.
unsafe extern "C" fn add(bufs: *const *mut u8, _: *const i64, lo: i64, hi: i64, _: *mut u8) {
    for cell in lo..hi {
        // SAFETY: buffers, sizes and scratch are those of the plans below.
        let [a, s, out, next] = [0, 1, 2, 3].map(|i| unsafe { row(bufs, i, cell) });
        for c in 0..D {
            out[c] = a[c] / 2.0 + s[c];
            next[c] = out[c];
        }
    }
}

fn kernels() -> Rc<dyn Kernels> {
    Rc::new(BTreeMap::<&'static str, KernelFn>::from([
        ("double", double as KernelFn),
        ("add", add as KernelFn),
    ]))
}

fn buffer(name: &str, rows: Dim, role: Role) -> Buffer {
    Buffer {
        name: name.into(),
        elem: Elem::F32,
        axes: vec!["r".into(), "d".into()],
        shape: vec![rows, Dim::Const(D as u64)],
        role,
    }
}

fn plan() -> Plan {
    let rows = || Dim::Len("rows".into());
    let decl = |symbol: &str, writes: &[bool]| KernelDecl {
        symbol: symbol.into(),
        dims: vec!["rows".into()],
        scratch_bytes: 4 * D,
        writes: writes.to_vec(),
    };
    let matrix = |buffer| GemmOperand {
        buffer,
        offset: 0,
        batch: Dim::Const(0),
        rows: Dim::Const(D as u64),
        cols: Dim::Const(1),
    };
    let d = || Dim::Const(D as u64);
    let gemm = Gemm {
        batch: Dim::Const(1),
        m: rows(),
        n: d(),
        k: d(),
        a: matrix(1),
        b: matrix(3),
        out: matrix(2),
        accumulate: false,
    };
    Plan {
        name: "step".into(),
        lens: vec!["rows".into()],
        buffers: vec![
            buffer("x", rows(), Role::Input { name: "x".into() }),
            buffer("double", rows(), Role::Temp),
            buffer("mixed", rows(), Role::Temp),
            buffer(
                "W",
                d(),
                Role::Param {
                    path: "w".into(),
                    init: Init::Normal { std: 1.0 },
                    decay: true,
                },
            ),
            buffer("y", rows(), Role::Output { name: "y".into() }),
            buffer(
                "s",
                rows(),
                Role::StateIn {
                    name: "s".into(),
                    init: Init::Const(1.0),
                },
            ),
            buffer("s2", rows(), Role::StateOut { name: "s".into() }),
            buffer("spare", rows(), Role::Temp),
        ],
        kernels: vec![
            decl("double", &[false, true]),
            decl("add", &[false, false, true, true]),
        ],
        once: 0,
        launches: vec![
            Launch::Kernel {
                kernel: 0,
                buffers: vec![0, 1],
                grid: vec![rows()],
            },
            Launch::Gemm(gemm),
            Launch::Kernel {
                kernel: 1,
                buffers: vec![2, 5, 4, 6],
                grid: vec![rows()],
            },
        ],
    }
}

fn sizes(rows: u64) -> Sizes {
    Sizes::from([("rows".into(), rows)])
}

fn made(rows: u64, store: &mut Store) -> Executor {
    let program = Program::new(plan(), kernels()).expect("sound");
    Executor::new(&program, &sizes(rows), store, &Pool::new(3)).expect("instantiates")
}

#[test]
fn runs_carry_state_and_share_parameters() {
    let mut store = Store::new(4);
    for rows in [1u64, 2, 33, 100] {
        let mut e = made(rows, &mut store);
        e.set_poison(true);
        let x: Vec<f32> = (0..rows as usize * D)
            .map(|i| (i as f32 * 0.7).sin())
            .collect();
        e.set_input("x", &x[..]).expect("set");
        let w = store.get("w").expect("declared").value().to_vec();
        let mut s = vec![1.0f64; x.len()];
        for _ in 0..3 {
            e.run(&mut store).expect("runs");
            for (i, s) in s.iter_mut().enumerate() {
                *s += (0..D)
                    .map(|k| f64::from(x[i / D * D + k]) * f64::from(w[k * D + i % D]))
                    .sum::<f64>();
            }
            let y = e.output("y").expect("there");
            assert!(
                y.iter()
                    .zip(&s)
                    .all(|(y, s)| (f64::from(*y) - s).abs() < 1e-5),
                "{rows} rows"
            );
            e.advance().expect("states match");
        }
        e.reset_states().expect("resets");
        assert!(e.words(5).iter().all(|&w| f32::from_bits(w) == 1.0));
    }
    assert_eq!(store.len(), D * D);
}

#[test]
fn a_smaller_state_goes_into_the_leading_corner() {
    let mut store = Store::new(0);
    let mut e = made(3, &mut store);
    e.set_state("s", &[5.0, 6.0, 7.0, 8.0], &[2, 2])
        .expect("fits");
    let s = e.f32s(5).expect("f32").to_vec();
    let mut want = [1.0; 15];
    (want[0], want[1], want[D], want[D + 1]) = (5.0, 6.0, 7.0, 8.0);
    assert_eq!(s, want);
    assert!(e.set_state("s", &[0.0; 20], &[4, 5]).is_err());
    assert!(e.set_state("s", &[0.0; 15], &[15]).is_err());
    assert!(e.set_state("s", &[0.0; 3], &[2, 2]).is_err());
}

/// `double` of a parameter, kept for all runs beside temporaries that come and go; then `y = x + p / 2`.
#[test]
fn launches_that_run_once_leave_their_temporaries() {
    let mut p = plan();
    let decay = false;
    let init = Init::Const(3.0);
    let path = "p".into();
    p.buffers[5] = buffer("p", Dim::Len("rows".into()), Role::Temp);
    p.buffers[6] = buffer(
        "unused",
        Dim::Len("rows".into()),
        Role::Output { name: "z".into() },
    );
    p.buffers[7].role = Role::Param { path, init, decay };
    p.buffers[7].shape[0] = Dim::Const(2);
    let run = |kernel, buffers| Launch::Kernel {
        kernel,
        buffers,
        grid: vec![Dim::Len("rows".into())],
    };
    // The first two come and go in every run, in bytes that the third must not share.
    p.launches = vec![
        run(0, vec![0, 1]),
        run(0, vec![1, 2]),
        run(0, vec![7, 5]),
        run(1, vec![5, 0, 4, 6]),
    ];
    let p = p.hoisted();
    assert_eq!(p.once, 1);
    let mut store = Store::new(0);
    let program = Program::new(p, kernels()).expect("sound");
    let mut e = Executor::new(&program, &sizes(2), &mut store, &Pool::new(2)).expect("fits");
    e.set_poison(true);
    for (k, x) in [1.0f32, 2.0, 5.0].into_iter().enumerate() {
        e.set_input("x", &[x; 2 * D][..]).expect("set");
        e.run(&mut store).expect("runs");
        assert_eq!(*e.output("y").expect("there"), [x + 3.0; 2 * D], "run {k}");
    }
    // Another parameter is seen.
    store.get_mut("p").expect("declared").value_mut().fill(4.0);
    e.set_input("x", &[1.0; 2 * D][..]).expect("set");
    e.run(&mut store).expect("runs");
    assert_eq!(*e.output("y").expect("there"), [5.0; 2 * D]);
}

/// A row goes into a state where it is; poison leaves the others.
#[test]
fn a_row_is_written_in_place() {
    let mut p = plan();
    let at = Role::Input { name: "pos".into() };
    p.buffers[1] = buffer("pos", Dim::Const(1), at);
    p.buffers[1].shape = vec![Dim::Const(1), Dim::Const(1)];
    p.buffers[0].shape[0] = Dim::Const(1);
    p.launches = vec![Launch::Append(seqc_abi::Append {
        from: 5,
        to: 6,
        x: 0,
        pos: 1,
        batch: Dim::Const(1),
        len: Dim::Len("rows".into()),
        channels: Dim::Const(D as u64),
    })];
    let mut store = Store::new(0);
    let program = Program::new(p, kernels()).expect("sound");
    let mut e = Executor::new(&program, &sizes(3), &mut store, &Pool::new(2)).expect("fits");
    e.set_poison(true);
    for pos in [2.0f32, 0.0] {
        e.set_input("pos", &[pos][..]).expect("set");
        e.set_input("x", &[pos + 7.0; D][..]).expect("set");
        e.run(&mut store).expect("runs");
        e.advance().expect("one state");
    }
    let (s, shape) = e.state("s").expect("there");
    let rows: Vec<f32> = s.chunks(D).map(|row| row[0]).collect();
    assert_eq!((shape, rows), (&[3, D][..], vec![7.0, 1.0, 9.0]));
}

#[test]
fn misuse_is_an_error() {
    let mut store = Store::new(0);
    let mut e = made(3, &mut store);
    assert!(
        e.set_input("z", &[0.0f32][..])
            .expect_err("none")
            .0
            .contains("no input `z`")
    );
    assert!(
        e.set_input("x", &[0.0f32][..])
            .expect_err("short")
            .0
            .contains("1 elements")
    );
    assert!(
        e.set_input("x", &[0i32; 15][..])
            .expect_err("type")
            .0
            .contains("I32")
    );
    assert!(e.output("x").is_err() && e.output_i32("y").is_err());
    assert!(
        e.run(&mut Store::new(0))
            .expect_err("other store")
            .0
            .contains("another store")
    );
    let program = Program::new(plan(), kernels()).expect("sound");
    let instantiate = |s: &Sizes| {
        Executor::new(&program, s, &mut Store::new(0), &Pool::new(1))
            .err()
            .map(|e| e.0)
    };
    assert!(
        instantiate(&Sizes::new())
            .expect("missing")
            .contains("wants a length `rows`")
    );
    assert!(
        instantiate(&sizes(u64::MAX))
            .expect("overflow")
            .contains("overflows")
    );
    assert!(
        instantiate(&sizes(1 << 40))
            .expect("memory")
            .contains("GiB")
    );
    assert_eq!(instantiate(&sizes(0)), None);
}

#[test]
fn poison_shows_what_is_not_written() {
    let mut partial = plan();
    partial.launches.pop();
    let program = Program::new(partial, kernels()).expect("sound");
    let mut store = Store::new(0);
    let mut e =
        Executor::new(&program, &sizes(2), &mut store, &Pool::new(1)).expect("instantiates");
    e.set_poison(true);
    let mut times = Vec::new();
    e.run_timed(&mut store, &mut times).expect("runs");
    assert!(e.output("y").expect("there").iter().all(|y| y.is_nan()));
    assert_eq!(e.launch_names().collect::<Vec<_>>(), ["double", "gemm"]);
    assert_eq!(times.len(), 2);
}
