//! Where the first number that is none arises: a run that looks at what each launch has written.

use super::Executor;
use crate::{Result, Store};
use seqc_abi::{Elem, Role};

impl Executor {
    /// Runs like [`run`](Executor::run), looking at what goes in and, after each launch, at what it wrote. Gives the
    /// first tensor that holds NaN or +inf, in words; -inf alone counts where there is nothing else, since a mask
    /// leaves it on purpose. `None`: everything is finite.
    pub fn first_not_finite(&mut self, store: &mut Store) -> Result<Option<String>> {
        let first = self.begin(store)?;
        let mut low = None;
        let given = (0..self.program.plan.buffers.len()).filter(|b| self.is_given(*b));
        for b in given.collect::<Vec<_>>() {
            if let Some(word) = self.odd(b)? {
                return Ok(Some(self.told(b, word)));
            }
        }
        for i in first..self.at.steps.len() {
            self.step(i);
            let plan = self.program.plan.clone();
            for u in plan.launches[i].uses(&plan).iter().filter(|u| u.writes) {
                match self.odd(u.buffer)? {
                    Some("-inf") => low = low.or(Some((u.buffer, "-inf"))),
                    Some(word) => return Ok(Some(self.told(u.buffer, word))),
                    None => {}
                }
            }
        }
        Ok(low.map(|(b, word)| self.told(b, word)))
    }

    fn is_given(&self, buffer: usize) -> bool {
        matches!(
            self.program.plan.buffers[buffer].role,
            Role::Input { .. } | Role::Param { .. } | Role::StateIn { .. } | Role::Noise { .. }
        )
    }

    /// What a buffer holds beside finite numbers: the worst of it.
    fn odd(&self, buffer: usize) -> Result<Option<&'static str>> {
        if self.program.plan.buffers[buffer].elem == Elem::I32 || self.at.ptrs[buffer].is_null() {
            return Ok(None);
        }
        let values = self.f32s(buffer)?;
        let any = |is: fn(f32) -> bool| values.iter().any(|x| is(*x));
        Ok(match any(|x| !x.is_finite()) {
            false => None,
            true if any(f32::is_nan) => Some("NaN"),
            true if any(|x| x == f32::INFINITY) => Some("inf"),
            true => Some("-inf"),
        })
    }

    fn told(&self, buffer: usize, word: &str) -> String {
        let b = &self.program.plan.buffers[buffer];
        let what = match &b.role {
            Role::Param { path, .. } => format!("the parameter `{path}`"),
            Role::Grad { path } => format!("the gradient of `{path}`"),
            Role::Input { name } => format!("the input `{name}`"),
            Role::Output { name } => format!("`{name}`"),
            _ => format!("`{}`", b.name),
        };
        format!("{what} holds {word}")
    }
}
