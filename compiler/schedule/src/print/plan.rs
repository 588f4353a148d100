//! The readable text of a whole plan: buffers with their roles and shapes, then launches in order, then the kernels.
//! [`crate::parse::plan`] reads it back to the identical values. Names are written as in kernels; a buffer whose name
//! another has too is followed by its position (`x#3`).

use super::name::quoted;
use crate::ir::Kernel;
use seqc_abi::{
    Append, Buffer, Conv, Dim, Elem, Gemm, GemmOperand, Init, Launch, Online, Plan, Role,
};
use std::fmt::Write;

/// A plan as text, followed by its kernels (those given, in the order of `plan.kernels`).
pub fn plan(plan: &Plan, kernels: &[Kernel]) -> String {
    let lens: Vec<String> = plan.lens.iter().map(|l| quoted(l)).collect();
    let mut out = format!("plan {}({}) {{\n", quoted(&plan.name), lens.join(", "));
    for b in &plan.buffers {
        let _ = writeln!(out, "  buffer {}", buffer(b));
    }
    for (k, l) in plan.launches.iter().enumerate() {
        let once = if k < plan.once { "once " } else { "" };
        let _ = writeln!(out, "  {once}{}", launch(plan, l));
    }
    out.push_str("}\n");
    for k in kernels {
        let _ = write!(out, "\n{k}\n");
    }
    out
}

/// A run-time size as a formula. Parentheses stand only where the tree differs from the usual reading.
pub fn dim(d: &Dim) -> String {
    match d {
        Dim::Const(n) => n.to_string(),
        Dim::Len(name) => format!("${}", quoted(name)),
        Dim::CeilDiv(a, n) => format!("ceil({} / {n})", product(a)),
        Dim::Mul(a, b) => format!("{} * {}", product(a), factor(b)),
        Dim::Add(a, b) => format!("{} + {}", dim(a), product(b)),
    }
}

fn product(d: &Dim) -> String {
    match d {
        Dim::Add(..) => format!("({})", dim(d)),
        _ => dim(d),
    }
}

fn factor(d: &Dim) -> String {
    match d {
        Dim::Add(..) | Dim::Mul(..) => format!("({})", dim(d)),
        _ => dim(d),
    }
}

fn list(dims: &[Dim]) -> String {
    dims.iter().map(dim).collect::<Vec<_>>().join(", ")
}

fn buffer(b: &Buffer) -> String {
    let elem = match b.elem {
        Elem::F32 => "f32",
        Elem::I32 => "i32",
        Elem::Bf16 => "bf16",
    };
    let axes: Vec<String> = b
        .axes
        .iter()
        .zip(&b.shape)
        .map(|(name, d)| match d {
            Dim::Len(l) if l == name => format!("${}", quoted(l)),
            d => format!("{} = {}", quoted(name), dim(d)),
        })
        .collect();
    let (name, axes) = (quoted(&b.name), axes.join(", "));
    format!("{name}: {elem}[{axes}] {}", role(&b.role))
}

fn role(r: &Role) -> String {
    match r {
        Role::Input { name } => format!("input {}", quoted(name)),
        Role::Param { path, init, decay } => {
            let decay = if *decay { " decayed" } else { "" };
            format!("parameter {} from {}{decay}", quoted(path), start(init))
        }
        Role::Grad { path } => format!("gradient of {}", quoted(path)),
        Role::Output { name } => format!("output {}", quoted(name)),
        Role::StateIn { name, init } => {
            format!("state {} before, from {}", quoted(name), start(init))
        }
        Role::StateOut { name } => format!("state {} after", quoted(name)),
        Role::Noise { name, init } => format!("noise {} from {}", quoted(name), start(init)),
        Role::Temp => "temporary".into(),
    }
}

fn start(init: &Init) -> String {
    match init {
        Init::Zero => "0".into(),
        Init::Const(x) => number(*x),
        Init::Values(v) => {
            let v: Vec<String> = v.iter().map(|x| format!("{x:?}")).collect();
            format!("values({})", v.join(", "))
        }
        Init::Normal { std } => format!("normal({})", number(*std)),
        Init::Bernoulli { p } => format!("bernoulli({})", number(*p)),
        Init::Uniform { lo, hi } => format!("uniform({}, {})", number(*lo), number(*hi)),
        Init::LogUniform { lo, hi } => format!("log_uniform({}, {})", number(*lo), number(*hi)),
        Init::Apply { f, args } => {
            let args: Vec<String> = args.iter().map(start).collect();
            format!("{}({})", quoted(f), args.join(", "))
        }
        Init::Coord { axis } => format!("coordinate({axis})"),
    }
}

/// With a point or an exponent, so that it is no position; `inf` and `NaN` as words.
fn number(x: f64) -> String {
    format!("{x:?}")
}

fn name(plan: &Plan, index: usize) -> String {
    let Some(b) = plan.buffers.get(index) else {
        return format!("#{index}");
    };
    match plan.buffers.iter().filter(|o| o.name == b.name).count() {
        1 => quoted(&b.name),
        _ => format!("{}#{index}", quoted(&b.name)),
    }
}

fn launch(plan: &Plan, l: &Launch) -> String {
    match l {
        Launch::Kernel {
            kernel,
            buffers,
            grid,
        } => {
            let symbol = plan
                .kernels
                .get(*kernel)
                .map_or_else(|| format!("#{kernel}"), |k| quoted(&k.symbol));
            let buffers: Vec<String> = buffers.iter().map(|&b| name(plan, b)).collect();
            format!("run {symbol}({}) grid({})", buffers.join(", "), list(grid))
        }
        Launch::Gemm(g) => gemm(plan, g),
        Launch::Conv(c) => conv(plan, c),
        Launch::Online(o) => online(plan, o),
        Launch::Append(a) => append(plan, a),
        Launch::Zero { buffer } => format!("zero {}", name(plan, *buffer)),
    }
}

fn gemm(plan: &Plan, g: &Gemm) -> String {
    let operand = |o: &GemmOperand| {
        let (buffer, strides) = (name(plan, o.buffer), [&o.batch, &o.rows, &o.cols]);
        let strides: Vec<String> = strides.into_iter().map(dim).collect();
        format!("{buffer}[{}; {}]", o.offset, strides.join(", "))
    };
    let (out, a, b) = (operand(&g.out), operand(&g.a), operand(&g.b));
    let assign = if g.accumulate { "+=" } else { "=" };
    let sizes = list(&[g.batch.clone(), g.m.clone(), g.n.clone(), g.k.clone()]);
    format!("gemm({sizes}) {out} {assign} {a} * {b}")
}

fn conv(plan: &Plan, c: &Conv) -> String {
    let sizes = list(&[c.batch.clone(), c.len.clone(), c.channels.clone()]);
    let (f, x, out) = (name(plan, c.f), name(plan, c.x), name(plan, c.out));
    let mut flags = String::new();
    if c.transpose {
        flags.push_str(" transposed");
    }
    if c.kernel_grad {
        flags.push_str(" kernel_gradient");
    }
    format!("convolve({sizes}) {out} = {f} * {x}{flags}")
}

fn online(plan: &Plan, o: &Online) -> String {
    let sizes = list(&[o.batch.clone(), o.len.clone(), o.channels.clone()]);
    let [f, x, past, pos, out] = [o.f, o.x, o.past, o.pos, o.out].map(|b| name(plan, b));
    format!("online({sizes}) {out} = {f} * {x} after {past} at {pos}")
}

fn append(plan: &Plan, a: &Append) -> String {
    let sizes = list(&[a.batch.clone(), a.len.clone(), a.channels.clone()]);
    let [from, to, x, pos] = [a.from, a.to, a.x, a.pos].map(|b| name(plan, b));
    format!("append({sizes}) {to} = {from} with {x} at {pos}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_abi::KernelDecl;

    #[test]
    fn a_plan_reads_as_it_runs() {
        let len = |n: &str| Dim::Len(n.into());
        let tall = Dim::product([len("batch"), len("t")]);
        let buffer = |name: &str, role| Buffer {
            name: name.into(),
            elem: Elem::F32,
            axes: vec!["batch".into(), "t".into(), "d".into()],
            shape: vec![len("batch"), len("t"), Dim::Const(8)],
            role,
        };
        let p = Plan {
            name: "forward".into(),
            lens: vec!["batch".into(), "t".into()],
            buffers: vec![
                buffer("x", Role::Input { name: "x".into() }),
                buffer("y", Role::Output { name: "y".into() }),
            ],
            kernels: vec![KernelDecl {
                symbol: "scale".into(),
                dims: vec![],
                scratch_bytes: 0,
                writes: vec![false, true],
            }],
            once: 0,
            launches: vec![
                Launch::Zero { buffer: 1 },
                Launch::Kernel {
                    kernel: 0,
                    buffers: vec![0, 1],
                    grid: vec![tall, Dim::CeilDiv(Box::new(len("t")), 16)],
                },
            ],
        };
        let expected = "\
plan forward(batch, t) {
  buffer x: f32[$batch, $t, d = 8] input x
  buffer y: f32[$batch, $t, d = 8] output y
  zero y
  run scale(x, y) grid($batch * $t, ceil($t / 16))
}
";
        assert_eq!(plan(&p, &[]), expected);
    }
}
