//! How much memory a plan takes at given lengths, and whether the machine has it.

use crate::instantiate::{Shapes, place_temps};
use crate::place::Placement;
use crate::{Result, fail};
use seqc_abi::{Plan, Role, Sizes};

/// What a plan takes at some sizes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Temporaries, which share bytes when they live at different times.
    pub arena: usize,
    /// Inputs, outputs, parameters, gradients and states.
    pub kept: usize,
}

impl Memory {
    /// Nothing is allocated for the answer.
    pub fn at(plan: &Plan, sizes: &Sizes) -> Result<Memory> {
        let shapes = Shapes::new(plan, sizes)?;
        let (_, placement) = place_temps(plan, &shapes)?;
        Ok(Memory::of(plan, &shapes, &placement))
    }

    pub(super) fn of(plan: &Plan, shapes: &Shapes, placement: &Placement) -> Memory {
        let buffers = plan.buffers.iter().zip(&shapes.bytes);
        let kept = buffers.filter(|(b, _)| b.role != Role::Temp);
        Memory {
            arena: placement.bytes,
            kept: kept.fold(0, |n: usize, (_, bytes)| n.saturating_add(*bytes)),
        }
    }
}

/// Refuses a plan that the machine has no memory for, where the system says how much there is.
pub(super) fn enough_memory(plan: &Plan, m: &Memory) -> Result<()> {
    let need = m.arena.saturating_add(m.kept);
    let gib = |n: usize| n as f64 / f64::from(1 << 30);
    match available_memory() {
        Some(free) if need > free => fail!(
            "plan `{}` needs {:.1} GiB at this batch and length, {:.1} GiB are free",
            plan.name,
            gib(need),
            gib(free)
        ),
        _ => Ok(()),
    }
}

fn available_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<usize>()
        .ok()?
        .checked_mul(1024)
}
