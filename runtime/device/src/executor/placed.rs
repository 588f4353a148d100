//! A plan at given lengths: every size evaluated, every launch resolved, the temporaries placed.

use super::memory::{Memory, enough_memory};
use crate::instantiate::{Shapes, Step, lifetimes, place_temps, steps};
use crate::{Program, Result};
use seqc_abi::{Plan, Role, Sizes};

pub(super) struct Placed {
    pub sizes: Sizes,
    pub shapes: Shapes,
    pub steps: Vec<Step>,
    /// Temporaries, and where in the arena each is.
    pub temps: Vec<usize>,
    pub offsets: Vec<usize>,
    pub arena_bytes: usize,
    /// Pairs of incoming and outgoing state that lie alike.
    pub states: Vec<(usize, usize)>,
    /// For each launch, the temporaries whose lives begin there.
    pub births: Vec<Vec<usize>>,
    /// Where each buffer of the plan is, written by the executor; null for temporaries that no launch uses.
    pub ptrs: Vec<*mut u8>,
}

impl Placed {
    /// Nothing of the plan's size is allocated.
    pub fn new(program: &Program, sizes: &Sizes, threads: usize) -> Result<Placed> {
        let plan = &*program.plan;
        let shapes = Shapes::new(plan, sizes)?;
        let (temps, placement) = place_temps(plan, &shapes)?;
        enough_memory(plan, &Memory::of(plan, &shapes, &placement))?;
        let steps = steps(program, sizes, &shapes, threads)?;
        let mut births = vec![Vec::new(); steps.len()];
        let lives = lifetimes(plan);
        temps
            .iter()
            .filter_map(|&b| Some((b, lives[b]?.0)))
            .for_each(|(b, first)| births[first].push(b));
        Ok(Placed {
            sizes: sizes.clone(),
            states: paired_states(plan, &shapes),
            ptrs: vec![std::ptr::null_mut(); plan.buffers.len()],
            arena_bytes: placement.bytes,
            offsets: placement.offsets,
            shapes,
            steps,
            temps,
            births,
        })
    }
}

/// States that go out as they come in: axes, shape and elements.
fn paired_states(plan: &Plan, shapes: &Shapes) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (i, b) in plan.buffers.iter().enumerate() {
        let Role::StateIn { name, .. } = &b.role else {
            continue;
        };
        let out = plan
            .buffers
            .iter()
            .position(|o| matches!(&o.role, Role::StateOut { name: n } if n == name));
        pairs.extend(
            out.filter(|&o| {
                let same = plan.buffers[o].axes == b.axes && plan.buffers[o].elem == b.elem;
                same && shapes.shapes[o] == shapes.shapes[i]
            })
            .map(|o| (i, o)),
        );
    }
    pairs
}
