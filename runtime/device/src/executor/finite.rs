//! Where the first number that is none arises: a run that looks at what each launch has written.

use super::Executor;
use crate::{Result, Store};
use seqc_abi::{Buffer, Elem, Role};

/// What a buffer may hold beside finite numbers, the worst first.
const WORDS: [&str; 3] = ["NaN", "inf", "-inf"];

impl Executor {
    /// Runs like [`run`](Executor::run), looking at what goes in and, after each launch, at what it wrote. Gives the
    /// first tensor that holds NaN or +inf, in words; -inf alone counts where there is nothing else, since a mask
    /// leaves it on purpose. A tensor that the program has no name for is told by the first named one after it.
    /// `None`: everything is finite.
    pub fn first_not_finite(&mut self, store: &mut Store) -> Result<Option<String>> {
        let first = self.begin(store)?;
        let plan = self.program.plan.clone();
        let given = |b: &Buffer| {
            matches!(
                b.role,
                Role::Input { .. } | Role::Param { .. } | Role::StateIn { .. } | Role::Noise { .. }
            )
        };
        for b in (0..plan.buffers.len()).filter(|b| given(&plan.buffers[*b])) {
            if let Some(word) = self.odd(b)? {
                return Ok(Some(format!("{} holds {word}", name(&plan.buffers[b]))));
            }
        }
        let (mut low, mut unnamed) = (None, None);
        for i in first..self.at.steps.len() {
            self.step(i);
            for u in plan.launches[i].uses(&plan).iter().filter(|u| u.writes) {
                let b = &plan.buffers[u.buffer];
                match (self.odd(u.buffer)?, unnamed) {
                    (None, _) => {}
                    (Some("-inf"), None) => low = low.or(Some(format!("{} holds -inf", name(b)))),
                    (Some(word), None) if is_named(b) => {
                        return Ok(Some(format!("{} holds {word}", name(b))));
                    }
                    (Some(word), None) => unnamed = Some(word),
                    (Some(_), Some(word)) if is_named(b) => {
                        return Ok(Some(format!("a value that makes {} is {word}", name(b))));
                    }
                    _ => {}
                }
            }
        }
        Ok(unnamed.map(|w| format!("a value is {w}")).or(low))
    }

    /// What a buffer holds beside finite numbers: the worst of it.
    fn odd(&self, buffer: usize) -> Result<Option<&'static str>> {
        if self.program.plan.buffers[buffer].elem == Elem::I32 || self.at.ptrs[buffer].is_null() {
            return Ok(None);
        }
        let worst = |x: &f32| match *x {
            x if x.is_finite() => WORDS.len(),
            x if x.is_nan() => 0,
            x if x > 0.0 => 1,
            _ => 2,
        };
        let found = self.f32s(buffer)?.iter().map(worst).min();
        Ok(found.and_then(|n| WORDS.get(n).copied()))
    }
}

/// Has the program a name for it? Lowering calls the others by their numbers.
fn is_named(b: &Buffer) -> bool {
    let number = b.name.strip_prefix('v').unwrap_or_default();
    b.role != Role::Temp || number.is_empty() || !number.bytes().all(|c| c.is_ascii_digit())
}

fn name(b: &Buffer) -> String {
    match &b.role {
        Role::Param { path, .. } => format!("the parameter `{path}`"),
        Role::Grad { path } => format!("the gradient of `{path}`"),
        Role::Input { name } => format!("the input `{name}`"),
        Role::Output { name } => format!("`{name}`"),
        _ => format!("`{}`", b.name),
    }
}
