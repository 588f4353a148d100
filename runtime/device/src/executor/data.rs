//! Named data going into an executor and coming out of it.

use super::Executor;
use crate::bf16;
use crate::instantiate::Step;
use crate::{Error, Result, draw, fail, key_of};
use seqc_abi::{Elem, Init, Role};
use std::borrow::Cow;

impl Executor {
    fn find(&self, what: &str, name: &str, is: impl Fn(&Role) -> bool) -> Result<usize> {
        let plan = &self.program.plan;
        match plan.buffers.iter().position(|b| is(&b.role)) {
            Some(i) => Ok(i),
            None => fail!("plan `{}` has no {what} `{name}`", plan.name),
        }
    }

    fn input_index(&self, name: &str) -> Result<usize> {
        self.find(
            "input",
            name,
            |r| matches!(r, Role::Input { name: n } if n == name),
        )
    }

    fn output_index(&self, name: &str) -> Result<usize> {
        self.find(
            "output",
            name,
            |r| matches!(r, Role::Output { name: n } if n == name),
        )
    }

    fn state_in(&self, name: &str) -> Result<usize> {
        self.find(
            "incoming state",
            name,
            |r| matches!(r, Role::StateIn { name: n, .. } if n == name),
        )
    }

    fn state_out(&self, name: &str) -> Result<usize> {
        self.find(
            "outgoing state",
            name,
            |r| matches!(r, Role::StateOut { name: n } if n == name),
        )
    }

    /// The four-byte words of a buffer of `kept`; states may have traded places since.
    pub(super) fn words(&self, buffer: usize) -> &[u32] {
        let (at, len) = (self.at.ptrs[buffer], self.at.shapes.bytes[buffer] / 4);
        // SAFETY: by the type's invariant the address is that of a block of so many bytes; any bits are a word.
        unsafe { std::slice::from_raw_parts(at.cast(), len) }
    }

    fn words_mut(&mut self, buffer: usize) -> &mut [u32] {
        let (at, len) = (self.at.ptrs[buffer], self.at.shapes.bytes[buffer] / 4);
        // SAFETY: as for `words`, and `&mut self` keeps others away.
        unsafe { std::slice::from_raw_parts_mut(at.cast(), len) }
    }

    /// A buffer of bf16 as its two-byte words.
    fn halves_mut(&mut self, buffer: usize) -> &mut [u16] {
        let (at, len) = (self.at.ptrs[buffer], self.at.shapes.lens[buffer]);
        // SAFETY: as for `words`: `len` elements of two bytes.
        unsafe { std::slice::from_raw_parts_mut(at.cast(), len) }
    }

    pub(super) fn f32s(&self, buffer: usize) -> Result<Cow<'_, [f32]>> {
        let b = &self.program.plan.buffers[buffer];
        let (at, len) = (self.at.ptrs[buffer], self.at.shapes.lens[buffer]);
        // `len` elements of the buffer's type; any bits are a number.
        match b.elem {
            Elem::I32 => fail!("`{}` holds integers", b.name),
            // SAFETY: as for `words`.
            Elem::F32 => Ok(unsafe { std::slice::from_raw_parts(at.cast(), len) }.into()),
            Elem::Bf16 => {
                let mut wide = vec![0.0; len];
                bf16::widen(
                    // SAFETY: as for `words`: `len` elements of two bytes.
                    unsafe { std::slice::from_raw_parts(at.cast(), len) },
                    &mut wide,
                );
                Ok(wide.into())
            }
        }
    }

    /// Fills an input, row-major; numbers are rounded if it lies in bf16. Errors: no such input, wrong element type,
    /// wrong number of elements.
    pub fn set_input<'a>(&mut self, name: &str, data: impl Into<Data<'a>>) -> Result<()> {
        let (i, data) = (self.input_index(name)?, data.into());
        let (elem, shape) = (self.program.plan.buffers[i].elem, &self.at.shapes.shapes[i]);
        if (elem == Elem::I32) != matches!(data, Data::I32(_)) {
            fail!("input `{name}` holds {elem:?}, {:?} is given", data.elem());
        }
        if self.at.shapes.lens[i] != data.len() {
            fail!(
                "input `{name}` has shape {shape:?}, {} elements are given",
                data.len()
            );
        }
        match (elem, data) {
            (Elem::Bf16, Data::F32(x)) => bf16::narrow(x, self.halves_mut(i)),
            _ => data.copy_to(self.words_mut(i)),
        }
        Ok(())
    }

    pub fn has_input(&self, name: &str) -> bool {
        self.input_index(name).is_ok()
    }

    /// Draws every noise buffer for a step: a function of seed, step, name and part only. A step that is run in
    /// several parts (see [`crate::GradSum`]) counts them.
    pub fn draw_noise(&mut self, seed: u64, step: u32, part: usize) -> Result<()> {
        let plan = self.program.plan.clone();
        for (i, b) in plan.buffers.iter().enumerate() {
            if let Role::Noise { name, init } = &b.role {
                let key = match part {
                    0 => key_of(seed, &format!("noise.{name}")),
                    n => key_of(seed, &format!("noise.{name}.{n}")),
                };
                let drawn = draw(init, &self.at.shapes.shapes[i], key, step)?;
                Data::F32(&drawn).copy_to(self.words_mut(i));
            }
        }
        Ok(())
    }

    /// The numbers of an output of the last run, row-major.
    pub fn output(&self, name: &str) -> Result<Cow<'_, [f32]>> {
        self.f32s(self.output_index(name)?)
    }

    /// Any output's shape.
    pub fn output_shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.at.shapes.shapes[self.output_index(name)?])
    }

    /// An integer output of the last run.
    pub fn output_i32(&self, name: &str) -> Result<&[i32]> {
        let i = self.output_index(name)?;
        if self.program.plan.buffers[i].elem != Elem::I32 {
            fail!("output `{name}` holds numbers, not integers");
        }
        let words = self.words(i);
        // SAFETY: the same words under another type of four bytes.
        Ok(unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len()) })
    }

    /// Names of the incoming states.
    pub fn states(&self) -> impl Iterator<Item = &str> {
        self.program
            .plan
            .buffers
            .iter()
            .filter_map(|b| match &b.role {
                Role::StateIn { name, .. } => Some(name.as_str()),
                _ => None,
            })
    }

    /// Names of the outgoing states.
    pub fn states_out(&self) -> impl Iterator<Item = &str> {
        self.program
            .plan
            .buffers
            .iter()
            .filter_map(|b| match &b.role {
                Role::StateOut { name } => Some(name.as_str()),
                _ => None,
            })
    }

    /// What the last run left of a state (four-byte words, whatever they mean), and its shape.
    pub fn state_words(&self, name: &str) -> Result<(&[u32], &[usize])> {
        let i = self.state_out(name)?;
        Ok((self.words(i), &self.at.shapes.shapes[i]))
    }

    /// What the next run reads of a state, and its shape.
    pub fn incoming_words(&self, name: &str) -> Result<(&[u32], &[usize])> {
        let i = self.state_in(name)?;
        Ok((self.words(i), &self.at.shapes.shapes[i]))
    }

    /// What the last run left of an f32 state, and its shape.
    pub fn state(&self, name: &str) -> Result<(Cow<'_, [f32]>, &[usize])> {
        let i = self.state_out(name)?;
        Ok((self.f32s(i)?, &self.at.shapes.shapes[i]))
    }

    /// Sets the state that the next run reads: values of the given row-major shape go into the leading corner
    /// of the state (a key/value cache that is longer than its prompt), the rest becomes its start. The ranks
    /// must agree and no size may be larger than the state's.
    pub fn set_state_words(&mut self, name: &str, words: &[u32], shape: &[usize]) -> Result<()> {
        let i = self.state_in(name)?;
        let to = self.at.shapes.shapes[i].clone();
        let fits = shape.len() == to.len() && shape.iter().zip(&to).all(|(a, b)| a <= b);
        if !fits || shape.iter().product::<usize>() != words.len() {
            fail!(
                "state `{name}` has shape {to:?}; {} values of shape {shape:?} do not fit",
                words.len()
            );
        }
        if shape != to {
            self.reset_state(i)?;
        }
        copy_corner(words, shape, self.words_mut(i), &to);
        self.forget();
        Ok(())
    }

    /// States or parameters are others than the last run had.
    pub(super) fn forget(&self) {
        for s in &self.at.steps {
            if let Step::Online(o) = s {
                o.forget();
            }
        }
    }

    pub fn set_state(&mut self, name: &str, values: &[f32], shape: &[usize]) -> Result<()> {
        let words: Vec<u32> = values.iter().map(|x| x.to_bits()).collect();
        self.set_state_words(name, &words, shape)
    }

    /// Puts every incoming state back to its start.
    pub fn reset_states(&mut self) -> Result<()> {
        for i in 0..self.at.ptrs.len() {
            self.reset_state(i)?;
        }
        Ok(())
    }

    fn reset_state(&mut self, i: usize) -> Result<()> {
        let plan = self.program.plan.clone();
        if let Role::StateIn { name, init } = &plan.buffers[i].role {
            let start = self.start_of(name, init, i)?;
            self.words_mut(i).copy_from_slice(&start);
            self.forget();
        }
        Ok(())
    }

    fn start_of(&self, name: &str, init: &Init, i: usize) -> Result<Vec<u32>> {
        let values = draw(init, &self.at.shapes.shapes[i], key_of(0, name), 0);
        let values = values.map_err(|e| Error(format!("state `{name}`: {e}")))?;
        let integer = self.program.plan.buffers[i].elem == Elem::I32;
        Ok(values
            .into_iter()
            .map(|x| {
                if integer {
                    x as i32 as u32
                } else {
                    x.to_bits()
                }
            })
            .collect())
    }

    /// What the last run left becomes what the next run reads: the two buffers trade places. Errors if a
    /// state's two sides differ in shape.
    pub fn advance(&mut self) -> Result<()> {
        let plan = self.program.plan.clone();
        let incoming = plan
            .buffers
            .iter()
            .filter(|b| matches!(b.role, Role::StateIn { .. }))
            .count();
        if incoming != self.at.states.len() {
            fail!(
                "plan `{}`: some state does not go out as it comes in",
                plan.name
            );
        }
        self.at
            .states
            .iter()
            .for_each(|&(a, b)| self.at.ptrs.swap(a, b));
        self.fill_tables();
        Ok(())
    }
}

/// Data of an input.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    F32(&'a [f32]),
    I32(&'a [i32]),
}

impl<'a> From<&'a [f32]> for Data<'a> {
    fn from(x: &'a [f32]) -> Self {
        Data::F32(x)
    }
}

impl<'a> From<&'a [i32]> for Data<'a> {
    fn from(x: &'a [i32]) -> Self {
        Data::I32(x)
    }
}

impl Data<'_> {
    fn elem(&self) -> Elem {
        match self {
            Data::F32(_) => Elem::F32,
            Data::I32(_) => Elem::I32,
        }
    }

    fn len(&self) -> usize {
        match self {
            Data::F32(x) => x.len(),
            Data::I32(x) => x.len(),
        }
    }

    fn copy_to(&self, words: &mut [u32]) {
        match self {
            Data::F32(x) => words.iter_mut().zip(*x).for_each(|(w, x)| *w = x.to_bits()),
            Data::I32(x) => words.iter_mut().zip(*x).for_each(|(w, x)| *w = *x as u32),
        }
    }
}

/// Copies a row-major array into the leading corner of a larger one of the same rank.
fn copy_corner(from: &[u32], shape: &[usize], to: &mut [u32], size: &[usize]) {
    match (shape.split_first(), size.split_first()) {
        (Some((&n, inner)), Some((_, outer))) if !inner.is_empty() => {
            let (a, b) = (
                inner.iter().product::<usize>(),
                outer.iter().product::<usize>(),
            );
            for i in 0..n {
                copy_corner(
                    &from[i * a..(i + 1) * a],
                    inner,
                    &mut to[i * b..(i + 1) * b],
                    outer,
                );
            }
        }
        _ => to[..from.len()].copy_from_slice(from),
    }
}
