//! Is a plan that came from a file one that can be run? Everything that does not depend on run-time lengths is
//! checked here, so that the executor may index without fear; what does depend on them it checks when it
//! instantiates the plan. No input, however odd, makes this panic.

use crate::{Append, Dim, Elem, Gemm, GemmOperand, Launch, Plan, Role};
use std::collections::BTreeSet;

/// The longest private scratch a kernel may ask for, per thread.
pub const MAX_SCRATCH_BYTES: usize = 1 << 30;

/// How a launch touches a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    pub buffer: usize,
    pub reads: bool,
    pub writes: bool,
}

impl Launch {
    /// The buffers that this launch touches. A kernel's written buffers may be read by it too: the declaration
    /// does not say, so `reads` is false only for products and fills that overwrite. Buffers out of range of
    /// the declaration are skipped; [`Plan::validate`] refuses them.
    pub fn uses(&self, plan: &Plan) -> Vec<Use> {
        let read = |buffer| Use {
            buffer,
            reads: true,
            writes: false,
        };
        let write = |buffer, reads| Use {
            buffer,
            reads,
            writes: true,
        };
        match self {
            Launch::Kernel {
                kernel, buffers, ..
            } => {
                let writes = plan.kernels.get(*kernel).map_or(&[][..], |k| &k.writes);
                let one = |(&buffer, &writes): (&usize, &bool)| Use {
                    buffer,
                    reads: !writes,
                    writes,
                };
                buffers.iter().zip(writes).map(one).collect()
            }
            Launch::Gemm(g) => vec![
                read(g.a.buffer),
                read(g.b.buffer),
                write(g.out.buffer, g.accumulate),
            ],
            Launch::Conv(c) => vec![read(c.f), read(c.x), write(c.out, false)],
            Launch::Online(o) => vec![
                read(o.f),
                read(o.past),
                read(o.x),
                read(o.pos),
                write(o.out, false),
            ],
            Launch::Append(a) => vec![read(a.from), read(a.x), read(a.pos), write(a.to, false)],
            Launch::Zero { buffer } => vec![write(*buffer, false)],
        }
    }
}

impl Plan {
    /// Reads and validates a plan. The error says what is wrong and where.
    pub fn from_json(text: &str) -> Result<Plan, String> {
        let plan: Plan = serde_json::from_str(text).map_err(|e| format!("not a plan: {e}"))?;
        plan.validate()?;
        Ok(plan)
    }

    /// Checks indices, arities, element types, names and the order of use. Costs a pass over the plan.
    pub fn validate(&self) -> Result<(), String> {
        self.buffers_are_sound()?;
        self.kernels_are_sound()?;
        for (i, launch) in self.launches.iter().enumerate() {
            self.launch_is_sound(launch)
                .map_err(|e| format!("plan `{}`, launch {i}: {e}", self.name))?;
        }
        if self.once > self.launches.len() {
            return Err(format!(
                "plan `{}`: {} of {} launches run once",
                self.name,
                self.once,
                self.launches.len()
            ));
        }
        self.temps_are_written_first()
    }

    fn buffers_are_sound(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for b in &self.buffers {
            let wrong = |e: String| format!("plan `{}`, buffer `{}`: {e}", self.name, b.name);
            if b.axes.len() != b.shape.len() {
                return Err(wrong(format!(
                    "{} axes but {} sizes",
                    b.axes.len(),
                    b.shape.len()
                )));
            }
            b.shape
                .iter()
                .try_for_each(|d| self.dim_is_sound(d))
                .map_err(wrong)?;
            let key = match &b.role {
                Role::Input { name } => ("input", name),
                Role::Param { path, .. } => ("parameter", path),
                Role::Grad { path } => ("gradient", path),
                Role::Output { name } => ("output", name),
                Role::StateIn { name, .. } => ("incoming state", name),
                Role::StateOut { name } => ("outgoing state", name),
                Role::Noise { name, .. } => ("noise", name),
                Role::Temp => continue,
            };
            let allowed: &[Elem] = match b.role {
                Role::Input { .. } | Role::Output { .. } => &[Elem::F32, Elem::Bf16, Elem::I32],
                Role::StateIn { .. } | Role::StateOut { .. } => &[Elem::F32, Elem::I32],
                Role::Param { .. } => &[Elem::F32, Elem::Bf16],
                _ => &[Elem::F32],
            };
            if !allowed.contains(&b.elem) {
                return Err(wrong(format!("a {} is not {:?}", key.0, b.elem)));
            }
            if !seen.insert(key) {
                return Err(wrong(format!("a second {} `{}`", key.0, key.1)));
            }
        }
        Ok(())
    }

    fn kernels_are_sound(&self) -> Result<(), String> {
        for k in &self.kernels {
            let wrong = |e: String| format!("plan `{}`, kernel `{}`: {e}", self.name, k.symbol);
            if k.scratch_bytes > MAX_SCRATCH_BYTES {
                return Err(wrong(format!("{} bytes of scratch", k.scratch_bytes)));
            }
            k.dims
                .iter()
                .try_for_each(|d| self.len_is_declared(d))
                .map_err(wrong)?;
        }
        Ok(())
    }

    fn len_is_declared(&self, name: &str) -> Result<(), String> {
        match self.lens.iter().any(|l| l == name) {
            true => Ok(()),
            false => Err(format!(
                "length `{name}` is not among the plan's ({})",
                self.lens.join(", ")
            )),
        }
    }

    fn dim_is_sound(&self, dim: &Dim) -> Result<(), String> {
        match dim {
            Dim::Const(_) => Ok(()),
            Dim::Len(name) => self.len_is_declared(name),
            Dim::CeilDiv(_, 0) => Err("a size divides by zero".into()),
            Dim::CeilDiv(a, _) => self.dim_is_sound(a),
            Dim::Mul(a, b) | Dim::Add(a, b) => {
                self.dim_is_sound(a).and_then(|()| self.dim_is_sound(b))
            }
        }
    }

    fn launch_is_sound(&self, launch: &Launch) -> Result<(), String> {
        match launch {
            Launch::Kernel {
                kernel,
                buffers,
                grid,
            } => {
                let count = self.kernels.len();
                let decl = self
                    .kernels
                    .get(*kernel)
                    .ok_or_else(|| format!("kernel {kernel} of {count}"))?;
                if decl.writes.len() != buffers.len() {
                    let (takes, given) = (decl.writes.len(), buffers.len());
                    return Err(format!(
                        "`{}` takes {takes} buffers, {given} are given",
                        decl.symbol
                    ));
                }
                buffers.iter().try_for_each(|&b| self.buffer_exists(b))?;
                grid.iter().try_for_each(|d| self.dim_is_sound(d))
            }
            Launch::Gemm(g) => self.gemm_is_sound(g),
            Launch::Conv(c) => {
                [c.f, c.x, c.out]
                    .into_iter()
                    .try_for_each(|b| self.is_f32(b))?;
                [&c.batch, &c.len, &c.channels]
                    .into_iter()
                    .try_for_each(|d| self.dim_is_sound(d))?;
                self.out_is_apart(c.out, &[c.f, c.x])
            }
            Launch::Online(o) => {
                [o.f, o.past, o.x, o.pos, o.out]
                    .into_iter()
                    .try_for_each(|b| self.is_f32(b))?;
                [&o.batch, &o.len, &o.channels]
                    .into_iter()
                    .try_for_each(|d| self.dim_is_sound(d))?;
                self.out_is_apart(o.out, &[o.f, o.past, o.x, o.pos])
            }
            Launch::Append(a) => self.append_is_sound(a),
            // Nothing adds into less than f32.
            Launch::Zero { buffer } => self.is_f32(*buffer),
        }
    }

    /// `from` and `to` come to lie in one place, so they are the two sides of one state.
    fn append_is_sound(&self, a: &Append) -> Result<(), String> {
        [a.from, a.to, a.x, a.pos]
            .into_iter()
            .try_for_each(|b| self.is_f32(b))?;
        [&a.batch, &a.len, &a.channels]
            .into_iter()
            .try_for_each(|d| self.dim_is_sound(d))?;
        self.out_is_apart(a.to, &[a.from, a.x, a.pos])?;
        let (from, to) = (&self.buffers[a.from], &self.buffers[a.to]);
        match (&from.role, &to.role) {
            (Role::StateIn { name, .. }, Role::StateOut { name: out })
                if name == out && from.shape == to.shape =>
            {
                Ok(())
            }
            _ => Err(format!(
                "a row is written into `{}`, which is no state of the shape of `{}`",
                to.name, from.name
            )),
        }
    }

    fn gemm_is_sound(&self, g: &Gemm) -> Result<(), String> {
        [&g.batch, &g.m, &g.n, &g.k]
            .into_iter()
            .try_for_each(|d| self.dim_is_sound(d))?;
        for o in [&g.a, &g.b, &g.out] {
            let GemmOperand {
                buffer,
                batch,
                rows,
                cols,
                ..
            } = o;
            self.is_float(*buffer)?;
            [batch, rows, cols]
                .into_iter()
                .try_for_each(|d| self.dim_is_sound(d))?;
        }
        match g.accumulate {
            true => self.is_f32(g.out.buffer),
            false => Ok(()),
        }
    }

    fn out_is_apart(&self, out: usize, ins: &[usize]) -> Result<(), String> {
        match ins.contains(&out) {
            true => Err(format!(
                "`{}` is both read and overwritten",
                self.buffers[out].name
            )),
            false => Ok(()),
        }
    }

    fn buffer_exists(&self, b: usize) -> Result<(), String> {
        match b < self.buffers.len() {
            true => Ok(()),
            false => Err(format!("buffer {b} of {}", self.buffers.len())),
        }
    }

    fn is_float(&self, b: usize) -> Result<(), String> {
        self.buffer_exists(b)?;
        match self.buffers[b].elem {
            Elem::F32 | Elem::Bf16 => Ok(()),
            Elem::I32 => Err(format!(
                "`{}` holds integers, a product wants numbers",
                self.buffers[b].name
            )),
        }
    }

    fn is_f32(&self, b: usize) -> Result<(), String> {
        self.is_float(b)?;
        match self.buffers[b].elem {
            Elem::F32 => Ok(()),
            elem => Err(format!(
                "`{}` holds {elem:?}, f32 is wanted",
                self.buffers[b].name
            )),
        }
    }

    /// A temporary is garbage until written, so its first launch must write it.
    fn temps_are_written_first(&self) -> Result<(), String> {
        let mut written = vec![false; self.buffers.len()];
        for (i, launch) in self.launches.iter().enumerate() {
            let uses = launch.uses(self);
            for u in uses.iter().filter(|u| u.reads) {
                if self.buffers[u.buffer].role == Role::Temp && !written[u.buffer] {
                    let name = &self.buffers[u.buffer].name;
                    return Err(format!(
                        "plan `{}`, launch {i}: `{name}` is read before it is written",
                        self.name
                    ));
                }
            }
            uses.iter()
                .filter(|u| u.writes)
                .for_each(|u| written[u.buffer] = true);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
