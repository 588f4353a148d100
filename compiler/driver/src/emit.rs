//! One mixer or model from its text to any stage, as text. Only what the stages asked for need is run; equal
//! inputs give equal texts, in any process.

use crate::build::{derived, lowered};
use crate::frontend::Source;
use crate::passes::Form;
use crate::stage::Stage;
use crate::target::{DEFAULT_GPU, Target};
use crate::timings::Record;
use crate::{Result, code, other};
use seqc_hir::Elaborated;

/// What to compile, and how.
#[derive(Clone, Debug)]
pub struct Job {
    pub item: String,
    /// Settings by name.
    pub set: Vec<(String, String)>,
    pub form: Form,
    /// The gradient program instead of the program.
    pub grad: bool,
    /// Without one: this machine's CPU, and for PTX [`DEFAULT_GPU`].
    pub target: Option<Target>,
}

/// Can the stage be shown for the target? The error says which can.
pub fn suits(stage: Stage, target: Option<Target>) -> std::result::Result<(), String> {
    match (stage, target) {
        (Stage::Ptx, Some(t)) if !t.is_gpu() => Err(format!(
            "stage `ptx` is for GPUs, the target is `{t}`: write `--target {DEFAULT_GPU}`"
        )),
        (Stage::Asm, Some(t)) if t.is_gpu() => Err(format!(
            "stage `asm` is for CPUs, the target is `{t}`: its assembly is stage `ptx`"
        )),
        _ => Ok(()),
    }
}

/// The syntax tree of the file itself.
pub fn ast(source: &Source) -> String {
    let own = source.program.modules.first();
    own.map_or_else(String::new, |m| seqc_syntax::dump(&m.ast))
}

/// The texts of the wanted stages, in the order of compilation; [`Stage::Ast`] is the file's and not among them.
pub fn texts(
    source: &Source,
    job: &Job,
    wanted: &[Stage],
    record: &mut Record,
) -> Result<Vec<(Stage, String)>> {
    let item = job.item.as_str();
    let e = record.time(item, Stage::Hir, || source.elaborate(item, &job.set))?;
    let mut done = vec![];
    if wanted.contains(&Stage::Hir) {
        done.push((Stage::Hir, seqc_hir::print_hir(&e)));
    }
    if wanted.contains(&Stage::Algebra) {
        let text = record.time(item, Stage::Algebra, || e.func.to_string());
        done.push((Stage::Algebra, text));
    }
    for (target, stages) in legs(job, wanted) {
        lower(&e, job, target, &stages, record, &mut done)?;
    }
    Ok(done)
}

/// The targets to compile for, each with the stages beyond the algebra that are shown for it.
fn legs(job: &Job, wanted: &[Stage]) -> Vec<(Target, Vec<Stage>)> {
    let main = job.target.unwrap_or(Target::Host);
    let gpu = job.target.unwrap_or(DEFAULT_GPU);
    let mut legs: Vec<(Target, Vec<Stage>)> = vec![];
    for stage in Stage::all().filter(|s| *s > Stage::Algebra && wanted.contains(s)) {
        let target = if stage == Stage::Ptx { gpu } else { main };
        match legs.iter_mut().find(|l| l.0 == target) {
            Some((_, stages)) => stages.push(stage),
            None => legs.push((target, vec![stage])),
        }
    }
    legs
}

/// From the elaborated program to the wanted stages for one target.
fn lower(
    e: &Elaborated,
    job: &Job,
    target: Target,
    wanted: &[Stage],
    record: &mut Record,
    done: &mut Vec<(Stage, String)>,
) -> Result<()> {
    let item = job.item.as_str();
    let f = record.time_passes(item, Stage::Derived.name(), |times| {
        derived(e, job.form, job.grad, &target.shapes(), times)
    })?;
    if wanted.contains(&Stage::Derived) {
        done.push((Stage::Derived, f.to_string()));
    }
    if wanted.iter().all(|s| *s == Stage::Derived) {
        return Ok(());
    }
    let low = record.time(item, Stage::Schedule, || lowered(&f, target.lanes()))?;
    if cfg!(debug_assertions) {
        seqc_schedule::verify::verify_all(&low.kernels).map_err(|e| other(item, e))?;
    }
    for stage in wanted.iter().copied().filter(|s| *s > Stage::Derived) {
        let text = if stage == Stage::Schedule {
            Ok(seqc_schedule::print::plan::plan(&low.plan, &low.kernels))
        } else {
            record.time(item, stage, || code::text(stage, &low.kernels, target))
        };
        let text = text.map_err(|why| other(item, why))?;
        done.push((stage, text));
    }
    Ok(())
}
