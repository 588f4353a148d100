use super::*;
use crate::{Buffer, Conv, Init, KernelDecl};

fn buffer(name: &str, role: Role) -> Buffer {
    let shape = vec![Dim::Len("t".into()), Dim::Const(4)];
    Buffer {
        name: name.into(),
        elem: Elem::F32,
        axes: vec!["t".into(), "d".into()],
        shape,
        role,
    }
}

fn sound() -> Plan {
    let kernel = KernelDecl {
        symbol: "k".into(),
        dims: vec!["t".into()],
        scratch_bytes: 0,
        writes: vec![false, true],
    };
    Plan {
        name: "p".into(),
        lens: vec!["t".into()],
        buffers: vec![
            buffer("x", Role::Input { name: "x".into() }),
            buffer("tmp", Role::Temp),
            buffer("y", Role::Output { name: "y".into() }),
        ],
        kernels: vec![kernel],
        once: 0,
        launches: vec![
            Launch::Kernel {
                kernel: 0,
                buffers: vec![0, 1],
                grid: vec![Dim::Len("t".into())],
            },
            Launch::Kernel {
                kernel: 0,
                buffers: vec![1, 2],
                grid: vec![Dim::Len("t".into())],
            },
        ],
    }
}

fn refuses(change: impl FnOnce(&mut Plan), part: &str) {
    let mut plan = sound();
    change(&mut plan);
    let error = plan.validate().expect_err(part);
    assert!(error.contains(part), "{error}");
}

#[test]
fn a_sound_plan_passes_and_survives_json() {
    let text = serde_json::to_string(&sound()).expect("serialises");
    assert_eq!(Plan::from_json(&text).expect("valid"), sound());
}

#[test]
fn what_is_wrong_is_named() {
    refuses(
        |p| p.launches[0] = Launch::Zero { buffer: 9 },
        "buffer 9 of 3",
    );
    refuses(
        |p| {
            p.launches[1] = Launch::Kernel {
                kernel: 3,
                buffers: vec![],
                grid: vec![],
            }
        },
        "kernel 3 of 1",
    );
    refuses(
        |p| p.kernels[0].writes.push(true),
        "takes 3 buffers, 2 are given",
    );
    refuses(|p| p.lens.clear(), "length `t` is not among");
    refuses(
        |p| p.launches.swap(0, 1),
        "`tmp` is read before it is written",
    );
    refuses(|p| p.buffers[0].axes.clear(), "0 axes but 2 sizes");
    refuses(
        |p| p.buffers[2].role = Role::Input { name: "x".into() },
        "a second input `x`",
    );
    refuses(
        |p| p.buffers[0].shape[0] = Dim::CeilDiv(Box::new(Dim::Const(1)), 0),
        "divides by zero",
    );
    refuses(
        |p| p.kernels[0].scratch_bytes = usize::MAX,
        "bytes of scratch",
    );
    refuses(|p| p.once = 3, "3 of 2 launches run once");
    let append = |p: &mut Plan| {
        let one = || Dim::Const(1);
        p.launches.push(Launch::Append(Append {
            from: 0,
            to: 2,
            x: 0,
            pos: 0,
            batch: one(),
            len: one(),
            channels: one(),
        }));
    };
    refuses(append, "no state of the shape of `x`");
    let integer = |p: &mut Plan| {
        p.buffers[0].elem = Elem::I32;
        let one = || Dim::Const(1);
        let conv = Conv {
            f: 0,
            x: 1,
            out: 2,
            batch: one(),
            len: one(),
            channels: one(),
            transpose: false,
            kernel_grad: false,
        };
        p.launches.push(Launch::Conv(conv));
    };
    refuses(integer, "`x` holds integers");
    let param = |p: &mut Plan| {
        p.buffers[0].elem = Elem::I32;
        p.buffers[0].role = Role::Param {
            path: "w".into(),
            init: Init::Zero,
            decay: true,
        };
    };
    refuses(param, "a parameter is not I32");
}

#[test]
fn malformed_files_are_errors() {
    for text in ["", "{", "[]", "{\"name\":1}", "null"] {
        assert!(
            Plan::from_json(text)
                .expect_err("malformed")
                .starts_with("not a plan"),
            "{text}"
        );
    }
}
