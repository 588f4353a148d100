//! A model that goes on with a text.
//!
//! Plans' contract: both have the length `batch`; `prefill` has the length `t`, an integer input {batch, t} and an
//! output {batch, vocab} at the last position; `step` has the same input without `t`, a number `pos` (how many
//! tokens came before) and the same output. What `prefill` leaves as state NAME, `step` reads as state NAME, with its
//! axes in the same order. `resume`, if there is one, reads several tokens as `prefill` does, from states as `step` does.
//! The length `cache`, where they have it, is how many tokens there will be in all.

use seqc_device::abi::{Buffer, Init, Plan, Role, Sizes};
use seqc_device::{Error, Executor, Pool, Program, Result, Store, fail, weights};
use std::path::Path;
use std::sync::Arc;

/// More tokens than this have no exact position as f32.
pub const MAX_LENGTH: usize = 1 << 24;

/// The programs of a model, and what its input and output are called in them.
pub struct Model {
    pub prefill: Program,
    pub step: Program,
    pub resume: Option<Program>,
    pub input: String,
    pub output: String,
}

/// A model with its weights.
pub struct Generator {
    model: Model,
    store: Store,
    pool: Arc<Pool>,
    vocab: usize,
}

impl Generator {
    /// The weights are zero until [`load`](Self::load). Errors: the plans disagree with the contract or each other.
    pub fn new(model: Model, pool: Arc<Pool>) -> Result<Generator> {
        let mut store = Store::new(0);
        let resume = model.resume.as_ref().map(|p| &p.plan);
        for plan in [&model.prefill.plan, &model.step.plan]
            .into_iter()
            .chain(resume)
        {
            declare(plan, &mut store)?;
            alike(plan, &model.step.plan)?;
        }
        let vocab = vocabulary(&model.step.plan, &model.output)?;
        Ok(Generator {
            model,
            store,
            pool,
            vocab,
        })
    }

    /// How many tokens the model knows.
    pub fn vocab(&self) -> usize {
        self.vocab
    }

    /// Reads the weights. `trained` says of a name whether it belongs to the model even though generating does not
    /// need it (a head that only the objective has). Errors name the file and the tensor; then nothing changed.
    pub fn load(&mut self, file: &Path, trained: &dyn Fn(&str) -> bool) -> Result<()> {
        weights::load_part(file, &mut self.store, trained)
    }

    pub fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Reads a prompt, with room for `new` tokens after it. Errors: an empty prompt, a token that the model does
    /// not know, more tokens in all than [`MAX_LENGTH`] or than there is memory for.
    pub fn start(&mut self, prompt: &[i32], new: usize) -> Result<Generation<'_>> {
        if prompt.is_empty() {
            fail!("a generation needs at least one token to go on from");
        }
        let bad = |t: &i32| usize::try_from(*t).map_or(true, |t| t >= self.vocab);
        if let Some(at) = prompt.iter().position(bad) {
            fail!(
                "token {at} of the prompt is {}, the model knows {} tokens",
                prompt[at],
                self.vocab
            );
        }
        let all = prompt.len().saturating_add(new);
        if all > MAX_LENGTH {
            fail!("{all} tokens are too many: a text has at most {MAX_LENGTH}");
        }
        let sizes = Sizes::from([
            ("batch".to_owned(), 1),
            ("t".to_owned(), prompt.len() as u64),
            ("cache".to_owned(), all as u64),
        ]);
        let m = &self.model;
        let mut prefill = Executor::new(&m.prefill, &sizes, &mut self.store, &self.pool)?;
        prefill.set_input(&m.input, prompt)?;
        prefill.run(&mut self.store)?;
        let logits = prefill.output(&m.output)?.to_vec();
        if logits.len() != self.vocab {
            fail!(
                "plan `prefill` gives {} values of `{}`, `step` gives {}",
                logits.len(),
                m.output,
                self.vocab
            );
        }
        let mut step = Executor::new(&m.step, &sizes, &mut self.store, &self.pool)?;
        hand_over(&prefill, &mut step)?;
        Ok(Generation {
            model: &self.model,
            store: &mut self.store,
            pool: &self.pool,
            step,
            logits,
            len: prompt.len(),
            room: all,
        })
    }
}

/// Everything that a pass leaves, to where the step reads it.
fn hand_over(from: &Executor, step: &mut Executor) -> Result<()> {
    let names: Vec<String> = step.states().map(str::to_owned).collect();
    for name in &names {
        let (words, shape) = from.state_words(name)?;
        step.set_state_words(name, words, shape)?;
    }
    match from.states_out().find(|n| !names.iter().any(|m| m == n)) {
        Some(extra) => fail!(
            "plan `{}` leaves a state `{extra}` that `step` does not read",
            from.plan().name
        ),
        None => Ok(()),
    }
}

/// Holds the states of a plan to those that the step reads: axes in one order, so that memory means the same.
fn alike(plan: &Plan, step: &Plan) -> Result<()> {
    let read = |name: &str| {
        let own = |b: &&Buffer| matches!(&b.role, Role::StateIn { name: n, .. } if n == name);
        step.buffers.iter().find(own)
    };
    for b in &plan.buffers {
        let (Role::StateIn { name, .. } | Role::StateOut { name }) = &b.role else {
            continue;
        };
        if let Some(own) = read(name).filter(|own| own.axes != b.axes) {
            fail!(
                "plan `{}` has the state `{name}` with the axes {}, `step` with {}",
                plan.name,
                b.axes.join(", "),
                own.axes.join(", ")
            );
        }
    }
    Ok(())
}

/// Declares a plan's parameters, without drawing starts that the weights will replace.
fn declare(plan: &Plan, store: &mut Store) -> Result<()> {
    for b in &plan.buffers {
        if let Role::Param { path, decay, .. } = &b.role {
            store.declare(path, &fixed_shape(plan, b)?, &Init::Zero, *decay)?;
        }
    }
    Ok(())
}

fn fixed_shape(plan: &Plan, b: &Buffer) -> Result<Vec<usize>> {
    let size = |d: &seqc_device::abi::Dim| {
        let n = d.eval(&Sizes::new())?;
        usize::try_from(n).map_err(|_| format!("a size of {n}"))
    };
    let shape: std::result::Result<Vec<usize>, String> = b.shape.iter().map(size).collect();
    shape.map_err(|e| Error(format!("plan `{}`, parameter `{}`: {e}", plan.name, b.name)))
}

/// The size of the output's one axis beside the batch.
fn vocabulary(plan: &Plan, output: &str) -> Result<usize> {
    let is = |r: &Role| matches!(r, Role::Output { name } if name == output);
    let Some(b) = plan.buffers.iter().find(|b| is(&b.role)) else {
        fail!("plan `{}` has no output `{output}`", plan.name);
    };
    let own = b.axes.iter().zip(&b.shape).filter(|(a, _)| *a != "batch");
    let own: Vec<_> = own.map(|(_, d)| d).collect();
    match own.as_slice() {
        [seqc_device::abi::Dim::Const(n)] if *n > 0 => {
            usize::try_from(*n).map_err(|_| Error(format!("`{output}` has {n} values")))
        }
        _ => fail!(
            "plan `{}`: `{output}` has the axes {}, one of tokens is wanted",
            plan.name,
            b.axes.join(", ")
        ),
    }
}

/// A text being written.
pub struct Generation<'a> {
    model: &'a Model,
    store: &'a mut Store,
    pool: &'a Arc<Pool>,
    step: Executor,
    logits: Vec<f32>,
    len: usize,
    room: usize,
}

impl Generation<'_> {
    /// Of the next token.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Tokens so far, the prompt's included; the position of the next one.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: a generation starts with a prompt.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The model knows the tokens, and there is room for them.
    fn allowed(&self, tokens: &[i32]) -> Result<()> {
        let strange = |t: &&i32| usize::try_from(**t).map_or(true, |t| t >= self.logits.len());
        if let Some(token) = tokens.iter().find(strange) {
            fail!("token {token} of {}", self.logits.len());
        }
        if self.room - self.len < tokens.len() {
            fail!("there is room for {} tokens only", self.room);
        }
        Ok(())
    }

    /// Appends several tokens in one pass; step by step where the model has no plan `resume`. Errors: the model does not
    /// know one, or there is no room left; then none is appended.
    pub fn extend(&mut self, tokens: &[i32]) -> Result<()> {
        self.allowed(tokens)?;
        let (Some(resume), true) = (&self.model.resume, tokens.len() > 1) else {
            return tokens.iter().try_for_each(|t| self.push(*t));
        };
        let sizes = Sizes::from([
            ("batch".to_owned(), 1),
            ("t".to_owned(), tokens.len() as u64),
            ("cache".to_owned(), self.room as u64),
        ]);
        let mut pass = Executor::new(resume, &sizes, self.store, self.pool)?;
        let names: Vec<String> = pass.states().map(str::to_owned).collect();
        for name in &names {
            let (words, shape) = self.step.incoming_words(name)?;
            pass.set_state_words(name, words, shape)?;
        }
        pass.set_input(&self.model.input, tokens)?;
        if pass.has_input("pos") {
            pass.set_input("pos", &[self.len as f32][..])?;
        }
        pass.run(self.store)?;
        self.logits
            .copy_from_slice(&pass.output(&self.model.output)?);
        hand_over(&pass, &mut self.step)?;
        self.len += tokens.len();
        Ok(())
    }

    /// Appends a token: one step. Errors: the model does not know it, or there is no room left.
    pub fn push(&mut self, token: i32) -> Result<()> {
        self.allowed(&[token])?;
        self.step.set_input(&self.model.input, &[token][..])?;
        if self.step.has_input("pos") {
            self.step.set_input("pos", &[self.len as f32][..])?;
        }
        self.step.run(self.store)?;
        self.step.advance()?;
        self.logits
            .copy_from_slice(&self.step.output(&self.model.output)?);
        self.len += 1;
        Ok(())
    }
}

#[cfg(test)]
#[path = "generator_tests.rs"]
mod tests;
