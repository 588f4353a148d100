//! Plans: buffers, then launches. Launches name kernels that come later in the text, so a plan is first read with
//! the names and bound to the kernels at the end.

use super::lex::Token;
use super::{Parser, Result, Wrong};
use crate::ir::{Access, Kernel};
use seqc_abi::{
    Append, Buffer, Conv, Dim, Elem, Gemm, GemmOperand, Init, KernelDecl, Launch, Online, Plan,
    Role,
};

/// A plan whose launches' kernels are names: for each launch of one, the place in the text and the name.
pub(super) struct Unbound {
    plan: Plan,
    symbols: Vec<Option<(usize, String)>>,
}

impl Unbound {
    /// Declares the kernels and resolves their names.
    pub fn bind(self, kernels: &[Kernel]) -> Result<Plan> {
        let mut plan = self.plan;
        plan.kernels = kernels.iter().map(declared).collect();
        for (launch, symbol) in plan.launches.iter_mut().zip(self.symbols) {
            let (Launch::Kernel { kernel, .. }, Some((at, name))) = (launch, symbol) else {
                continue;
            };
            *kernel = kernels
                .iter()
                .position(|k| k.name == name)
                .ok_or_else(|| Wrong {
                    at,
                    message: format!("there is no kernel `{name}`"),
                })?;
        }
        Ok(plan)
    }
}

/// What a plan says of a kernel.
fn declared(k: &Kernel) -> KernelDecl {
    KernelDecl {
        symbol: k.name.clone(),
        dims: k.dims.clone(),
        scratch_bytes: k.scratch_bytes(),
        writes: k.args.iter().map(|a| a.access != Access::Read).collect(),
    }
}

impl Parser {
    pub(super) fn plan(&mut self) -> Result<Unbound> {
        self.expect("plan")?;
        let mut plan = Plan {
            name: self.name()?,
            ..Plan::default()
        };
        self.expect("(")?;
        plan.lens = self.list(")", Parser::name)?;
        self.expect("{")?;
        while self.take("buffer") {
            let buffer = self.plan_buffer()?;
            plan.buffers.push(buffer);
        }
        let mut symbols = vec![];
        while !self.take("}") {
            let at = self.tokens.get(self.next).map_or(self.end, |t| t.0);
            // Those that run once come first.
            if plan.once == plan.launches.len() && self.take("once") {
                plan.once += 1;
            }
            let (launch, symbol) = self.launch(&plan)?;
            plan.launches.push(launch);
            symbols.push(symbol.map(|name| (at, name)));
        }
        Ok(Unbound { plan, symbols })
    }

    /// Items between commas, up to the closing symbol, which is taken.
    fn list<T>(&mut self, close: &str, item: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut all = vec![];
        while !self.take(close) {
            if !all.is_empty() {
                self.expect(",")?;
            }
            all.push(item(self)?);
        }
        Ok(all)
    }

    fn plan_buffer(&mut self) -> Result<Buffer> {
        let name = self.name()?;
        self.expect(":")?;
        let elem = match self.elem()? {
            crate::ir::Elem::F32 => Elem::F32,
            crate::ir::Elem::I32 => Elem::I32,
            crate::ir::Elem::Bf16 => Elem::Bf16,
        };
        self.expect("[")?;
        let sized = self.list("]", Parser::plan_axis)?;
        let (axes, shape) = sized.into_iter().unzip();
        let role = self.role()?;
        Ok(Buffer {
            name,
            elem,
            axes,
            shape,
            role,
        })
    }

    /// `$t`, or `name = size`.
    fn plan_axis(&mut self) -> Result<(String, Dim)> {
        if self.take("$") {
            let name = self.name()?;
            return Ok((name.clone(), Dim::Len(name)));
        }
        let name = self.name()?;
        self.expect("=")?;
        Ok((name, self.size()?))
    }

    fn role(&mut self) -> Result<Role> {
        if self.take("temporary") {
            return Ok(Role::Temp);
        }
        if self.take("input") {
            return Ok(Role::Input { name: self.name()? });
        }
        if self.take("output") {
            return Ok(Role::Output { name: self.name()? });
        }
        if self.take("gradient") {
            self.expect("of")?;
            return Ok(Role::Grad { path: self.name()? });
        }
        if self.take("parameter") {
            let path = self.name()?;
            let init = self.start()?;
            let decay = self.take("decayed");
            return Ok(Role::Param { path, init, decay });
        }
        if self.take("noise") {
            let name = self.name()?;
            let init = self.start()?;
            return Ok(Role::Noise { name, init });
        }
        if !self.take("state") {
            return self.wrong("expected what the buffer is for, such as `input x` or `temporary`");
        }
        let name = self.name()?;
        if self.take("after") {
            return Ok(Role::StateOut { name });
        }
        self.expect("before")?;
        self.expect(",")?;
        let init = self.start()?;
        Ok(Role::StateIn { name, init })
    }

    fn start(&mut self) -> Result<Init> {
        self.expect("from")?;
        self.init()
    }

    fn init(&mut self) -> Result<Init> {
        if matches!(self.peek(), Some(Token::Number(n)) if n == "0") {
            self.next += 1;
            return Ok(Init::Zero);
        }
        let called = matches!(
            self.tokens.get(self.next + 1),
            Some((_, Token::Symbol("(")))
        );
        if !called {
            return self.real().map(Init::Const);
        }
        let f = self.name()?;
        self.expect("(")?;
        let init = match f.as_str() {
            "values" => return self.list(")", Parser::real).map(Init::Values),
            "normal" => Init::Normal { std: self.real()? },
            "bernoulli" => Init::Bernoulli { p: self.real()? },
            "uniform" => {
                let (lo, hi) = self.bounds()?;
                Init::Uniform { lo, hi }
            }
            "log_uniform" => {
                let (lo, hi) = self.bounds()?;
                Init::LogUniform { lo, hi }
            }
            "coordinate" => Init::Coord {
                axis: self.number()?,
            },
            _ => {
                let args = self.nested(|p| p.list(")", Parser::init))?;
                return Ok(Init::Apply { f, args });
            }
        };
        self.expect(")")?;
        Ok(init)
    }

    fn bounds(&mut self) -> Result<(f64, f64)> {
        let lo = self.real()?;
        self.expect(",")?;
        Ok((lo, self.real()?))
    }

    /// A number with its sign, as Rust writes it.
    fn real<T: std::str::FromStr>(&mut self) -> Result<T> {
        let sign = if self.take("-") { "-" } else { "" };
        let text = match self.peek() {
            Some(Token::Number(n)) => n.clone(),
            Some(Token::Word(w)) if w == "inf" || w == "NaN" => w.clone(),
            _ => return self.wrong("expected a number"),
        };
        match format!("{sign}{text}").parse() {
            Ok(x) => {
                self.next += 1;
                Ok(x)
            }
            Err(_) => self.wrong(format!("`{text}` is no number")),
        }
    }

    fn size(&mut self) -> Result<Dim> {
        let mut left = self.size_product()?;
        while self.take("+") {
            left = Dim::Add(left.into(), self.size_product()?.into());
        }
        Ok(left)
    }

    fn size_product(&mut self) -> Result<Dim> {
        let mut left = self.nested(Parser::size_atom)?;
        while self.take("*") {
            left = Dim::Mul(left.into(), self.nested(Parser::size_atom)?.into());
        }
        Ok(left)
    }

    fn size_atom(&mut self) -> Result<Dim> {
        if self.take("(") {
            let size = self.size()?;
            self.expect(")")?;
            return Ok(size);
        }
        if self.take("$") {
            return self.name().map(Dim::Len);
        }
        if self.take("ceil") {
            self.expect("(")?;
            let a = self.size_product()?;
            self.expect("/")?;
            let n = self.number()?;
            self.expect(")")?;
            return Ok(Dim::CeilDiv(a.into(), n));
        }
        self.number().map(Dim::Const)
    }

    /// A launch, and its kernel's name if it runs one.
    fn launch(&mut self, plan: &Plan) -> Result<(Launch, Option<String>)> {
        if self.take("zero") {
            let buffer = self.plan_ref(plan)?;
            return Ok((Launch::Zero { buffer }, None));
        }
        if self.take("gemm") {
            return Ok((Launch::Gemm(self.gemm(plan)?), None));
        }
        if self.take("convolve") {
            return Ok((Launch::Conv(self.conv(plan)?), None));
        }
        if self.take("online") {
            return Ok((Launch::Online(self.online(plan)?), None));
        }
        if self.take("append") {
            return Ok((Launch::Append(self.append(plan)?), None));
        }
        if !self.take("run") {
            return self
                .wrong("expected `run`, `gemm`, `convolve`, `online`, `append`, `zero` or `}`");
        }
        let symbol = self.name()?;
        self.expect("(")?;
        let buffers = self.list(")", |p| p.plan_ref(plan))?;
        self.expect("grid")?;
        self.expect("(")?;
        let grid = self.list(")", Parser::size)?;
        let launch = Launch::Kernel {
            kernel: 0,
            buffers,
            grid,
        };
        Ok((launch, Some(symbol)))
    }

    /// `name`, or `name#3`: a position decides, a name must be the only one of its kind.
    fn plan_ref(&mut self, plan: &Plan) -> Result<usize> {
        let start = self.next;
        let name = self.name()?;
        let found = if self.take("#") {
            let at: usize = self.number()?;
            let same = plan.buffers.get(at).is_some_and(|b| b.name == name);
            (same.then_some(at)).ok_or_else(|| format!("buffer {at} is not called `{name}`"))
        } else {
            let mut all = (0..plan.buffers.len()).filter(|i| plan.buffers[*i].name == name);
            match (all.next(), all.next()) {
                (Some(i), None) => Ok(i),
                (Some(_), Some(_)) => Err(format!("several buffers are called `{name}`")),
                (None, _) => Err(format!("there is no buffer `{name}`")),
            }
        };
        found.or_else(|why| {
            // The place of the name, not of what follows it.
            self.next = start;
            self.wrong(why)
        })
    }

    fn sizes<const N: usize>(&mut self) -> Result<[Dim; N]> {
        self.expect("(")?;
        let all = self.list(")", Parser::size)?;
        match all.try_into() {
            Ok(sizes) => Ok(sizes),
            Err(_) => self.wrong(format!("expected {N} sizes")),
        }
    }

    fn gemm(&mut self, plan: &Plan) -> Result<Gemm> {
        let [batch, m, n, k] = self.sizes()?;
        let out = self.operand(plan)?;
        let accumulate = self.take("+=");
        if !accumulate {
            self.expect("=")?;
        }
        let a = self.operand(plan)?;
        self.expect("*")?;
        let b = self.operand(plan)?;
        Ok(Gemm {
            batch,
            m,
            n,
            k,
            a,
            b,
            out,
            accumulate,
        })
    }

    fn operand(&mut self, plan: &Plan) -> Result<GemmOperand> {
        let buffer = self.plan_ref(plan)?;
        self.expect("[")?;
        let offset = self.number()?;
        self.expect(";")?;
        let mut stride = |last: &str| {
            let size = self.size()?;
            self.expect(last)?;
            Ok(size)
        };
        let (batch, rows, cols) = (stride(",")?, stride(",")?, stride("]")?);
        Ok(GemmOperand {
            buffer,
            offset,
            batch,
            rows,
            cols,
        })
    }

    fn conv(&mut self, plan: &Plan) -> Result<Conv> {
        let [batch, len, channels] = self.sizes()?;
        let out = self.plan_ref(plan)?;
        self.expect("=")?;
        let f = self.plan_ref(plan)?;
        self.expect("*")?;
        let x = self.plan_ref(plan)?;
        let transpose = self.take("transposed");
        let kernel_grad = self.take("kernel_gradient");
        Ok(Conv {
            f,
            x,
            out,
            batch,
            len,
            channels,
            transpose,
            kernel_grad,
        })
    }

    fn online(&mut self, plan: &Plan) -> Result<Online> {
        let [batch, len, channels] = self.sizes()?;
        let out = self.plan_ref(plan)?;
        let mut after = |word: &str| {
            self.expect(word)?;
            self.plan_ref(plan)
        };
        let (f, x, past, pos) = (after("=")?, after("*")?, after("after")?, after("at")?);
        Ok(Online {
            f,
            past,
            x,
            pos,
            out,
            batch,
            len,
            channels,
        })
    }

    fn append(&mut self, plan: &Plan) -> Result<Append> {
        let [batch, len, channels] = self.sizes()?;
        let to = self.plan_ref(plan)?;
        let mut after = |word: &str| {
            self.expect(word)?;
            self.plan_ref(plan)
        };
        let (from, x, pos) = (after("=")?, after("with")?, after("at")?);
        Ok(Append {
            from,
            to,
            x,
            pos,
            batch,
            len,
            channels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;

    fn len(n: &str) -> Dim {
        Dim::Len(n.into())
    }

    fn mul(a: Dim, b: Dim) -> Dim {
        Dim::Mul(a.into(), b.into())
    }

    fn add(a: Dim, b: Dim) -> Dim {
        Dim::Add(a.into(), b.into())
    }

    /// Every kind of role, start, size and launch, with names that need quotes or are there twice.
    fn odd() -> (Plan, Vec<Kernel>) {
        let buffer = |name: &str, role| Buffer {
            name: name.into(),
            elem: Elem::F32,
            axes: vec!["batch".into(), "a'b".into()],
            shape: vec![len("batch"), Dim::Const(3)],
            role,
        };
        let nested = Init::Apply {
            f: "log".into(),
            args: vec![
                Init::LogUniform { lo: 1e-9, hi: 2.5 },
                Init::Apply {
                    f: "none".into(),
                    args: vec![],
                },
            ],
        };
        let param = |path: &str, init, decay| Role::Param {
            path: path.into(),
            init,
            decay,
        };
        let name = || String::from("x y");
        let mut buffers = vec![
            buffer("x", Role::Input { name: name() }),
            buffer("x", Role::Output { name: "x".into() }),
            buffer("0.w", param("0.w", nested, true)),
            buffer("p", param("p", Init::Coord { axis: 1 }, false)),
            buffer("g", Role::Grad { path: "0.w".into() }),
            buffer("t", Role::Temp),
        ];
        let starts = [
            Init::Zero,
            Init::Const(0.0),
            Init::Const(f64::NEG_INFINITY),
            Init::Const(-1e300),
            Init::Values(vec![0.1, -2.0, f32::INFINITY]),
            Init::Values(vec![]),
            Init::Normal { std: 0.02 },
            Init::Bernoulli { p: 0.5 },
            Init::Uniform { lo: -0.1, hi: 7.0 },
        ];
        for (i, init) in starts.into_iter().enumerate() {
            let name = || format!("s{i}");
            let state = Role::StateIn {
                name: name(),
                init: init.clone(),
            };
            buffers.push(buffer(&name(), state));
            buffers.push(buffer("n", Role::Noise { name: name(), init }));
        }
        buffers.push(buffer("s0", Role::StateOut { name: "s0".into() }));
        buffers[5].axes = vec!["c".into(), "d".into(), "e".into()];
        buffers[5].shape = vec![
            mul(len("t"), mul(len("batch"), add(Dim::Const(1), len("t")))),
            add(len("t"), add(Dim::Const(2), mul(len("t"), len("u v")))),
            Dim::CeilDiv(add(len("t"), Dim::Const(1)).into(), 16),
        ];
        let operand = |buffer, offset| GemmOperand {
            buffer,
            offset,
            batch: Dim::CeilDiv(mul(len("t"), len("t")).into(), 8),
            rows: Dim::Const(4),
            cols: Dim::Const(1),
        };
        let kernel = |name: &str| {
            crate::parse::kernel(&format!(
                "kernel {name}(x: read f32, y: readwrite i32; $t) grid(i0 < $t) {{ local a: f32[9] y[i0] = x[i0] }}"
            ))
        };
        let kernels = vec![kernel("k1").unwrap(), kernel("\"k 2\"").unwrap()];
        let launches = vec![
            Launch::Zero { buffer: 1 },
            Launch::Kernel {
                kernel: 1,
                buffers: vec![0, 5],
                grid: vec![len("t"), Dim::Const(2)],
            },
            Launch::Kernel {
                kernel: 0,
                buffers: vec![],
                grid: vec![],
            },
            Launch::Gemm(Gemm {
                batch: Dim::Const(1),
                m: len("t"),
                n: Dim::Const(2),
                k: Dim::Const(3),
                a: operand(0, 0),
                b: operand(2, 7),
                out: operand(5, 0),
                accumulate: true,
            }),
            Launch::Conv(Conv {
                f: 2,
                x: 3,
                out: 5,
                batch: Dim::Const(1),
                len: len("t"),
                channels: Dim::Const(2),
                transpose: true,
                kernel_grad: true,
            }),
            Launch::Online(Online {
                f: 2,
                past: 6,
                x: 3,
                pos: 0,
                out: 5,
                batch: Dim::Const(1),
                len: len("t"),
                channels: Dim::Const(2),
            }),
            Launch::Append(Append {
                from: 6,
                to: buffers.len() - 1,
                x: 3,
                pos: 0,
                batch: len("batch"),
                len: Dim::Const(1),
                channels: Dim::Const(3),
            }),
        ];
        let plan = Plan {
            name: "for ward".into(),
            lens: vec!["batch".into(), "t".into(), "u v".into()],
            buffers,
            kernels: kernels.iter().map(declared).collect(),
            launches,
            once: 2,
        };
        (plan, kernels)
    }

    #[test]
    fn plans_read_back_as_they_are() {
        let (p, kernels) = odd();
        let text = crate::print::plan::plan(&p, &kernels);
        let (back, also) = plan(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(back, p, "{text}");
        assert_eq!(also, kernels);
    }

    #[test]
    fn errors_say_where() {
        for (text, line, what) in [
            ("plan p() {\n  run k() grid()\n}", 2, "no kernel `k`"),
            ("plan p() {\n  zero x\n}", 2, "no buffer `x`"),
            (
                "plan p() {\n  buffer x: f32[] thing\n}",
                2,
                "what the buffer is for",
            ),
            ("plan p() {\n\n  gemm(1, 2) x\n}", 3, "4 sizes"),
            ("plan p(", 1, "a name"),
        ] {
            let e = plan(text).unwrap_err();
            assert!(e.message.contains(what) && e.line == line, "{e}");
        }
    }

    /// Every prefix of a good text, and every text with one token less, is refused or read, never a panic.
    #[test]
    fn broken_plans_are_no_panic() {
        let (p, kernels) = odd();
        let text = crate::print::plan::plan(&p, &kernels);
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        for i in 0..words.len() {
            let _ = plan(&words[..i].concat());
            let _ = plan(&[&words[..i], &words[i + 1..]].concat().concat());
        }
    }
}
