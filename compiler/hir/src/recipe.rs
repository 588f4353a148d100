//! Recipes: how a model is trained, checked against a schema.
//!
//! Invariant: a `Recipe` holds only values that make sense (positive sizes, rates that are numbers).

use crate::program::Program;
use crate::stat::Stat;
use seqc_syntax::ast::{self, Arg, Expr, ExprKind, UnaryOp};
use seqc_syntax::{Diagnostic, Span, did_you_mean};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    AdamW {
        lr: f64,
        beta1: f64,
        beta2: f64,
        eps: f64,
        decay: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// Linear warm-up over so many steps, then a cosine down to `floor` times the rate.
    Cosine {
        warmup: u64,
        floor: f64,
    },
    Constant,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    pub name: String,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    /// Sequences a step.
    pub batch: u64,
    /// Steps of time in each.
    pub length: u64,
    /// Each document in a row is a sequence of its own.
    pub packed: bool,
    pub steps: u64,
    /// Largest norm of the gradient; none: unclipped.
    pub clip: Option<f64>,
    pub seed: u64,
    pub eval_every: u64,
    pub eval_batches: u64,
    /// Steps between checkpoints; 0: only at the end.
    pub save_every: u64,
    /// Wall-clock limit.
    pub seconds: Option<f64>,
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            name: String::new(),
            optimizer: Optimizer::AdamW {
                lr: 1e-3,
                beta1: 0.9,
                beta2: 0.95,
                eps: 1e-8,
                decay: 0.1,
            },
            schedule: Schedule::Cosine {
                warmup: 100,
                floor: 0.1,
            },
            batch: 16,
            length: 256,
            packed: false,
            steps: 1000,
            clip: Some(1.0),
            seed: 0,
            eval_every: 100,
            eval_batches: 8,
            save_every: 500,
            seconds: None,
        }
    }
}

const SETTINGS: &[&str] = &[
    "optimizer",
    "schedule",
    "batch",
    "length",
    "packed",
    "steps",
    "clip",
    "seed",
    "eval_every",
    "eval_batches",
    "save_every",
    "seconds",
];

/// Errors: E24 for unknown settings, E28 for values that do not fit, E03 for a recipe without its model.
pub fn check(r: &ast::Recipe, program: &Program) -> Result<Recipe, Vec<Diagnostic>> {
    let mut out = Recipe {
        name: r.name.text.clone(),
        ..Recipe::default()
    };
    let mut diags = Vec::new();
    if !program
        .own()
        .iter()
        .any(|i| program.mixer(*i).name.text == r.name.text)
    {
        let d = Diagnostic::error(
            "E03",
            format!("there is no model `{}` for this recipe", r.name.text),
            r.name.span,
        );
        let own = program.own();
        let names = own.iter().map(|i| program.mixer(*i).name.text.as_str());
        diags.push(match did_you_mean(&r.name.text, names) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.help("a recipe has the name of a model in the same file"),
        });
    }
    let mut seen: Vec<(&str, Span)> = Vec::new();
    for s in &r.settings {
        if let Some((_, old)) = seen.iter().find(|(n, _)| *n == s.name.text) {
            diags.push(
                Diagnostic::error(
                    "E04",
                    format!("`{}` has two definitions", s.name.text),
                    s.name.span,
                )
                .secondary(*old, "the first"),
            );
            continue;
        }
        seen.push((&s.name.text, s.name.span));
        if let Err(d) = set(&mut out, &s.name.text, &s.value, s.name.span) {
            diags.push(d);
        }
    }
    if diags.is_empty() {
        Ok(out)
    } else {
        Err(diags)
    }
}

fn set(out: &mut Recipe, name: &str, value: &Expr, at: Span) -> Result<(), Diagnostic> {
    match name {
        "optimizer" => out.optimizer = optimizer(value)?,
        "schedule" => out.schedule = schedule(value)?,
        "batch" => out.batch = count(name, value, 1)?,
        "length" => out.length = count(name, value, 1)?,
        "packed" => out.packed = truth(name, value)?,
        "steps" => out.steps = count(name, value, 1)?,
        "seed" => out.seed = count(name, value, 0)?,
        "eval_every" => out.eval_every = count(name, value, 1)?,
        "eval_batches" => out.eval_batches = count(name, value, 0)?,
        "save_every" => out.save_every = count(name, value, 0)?,
        "clip" => out.clip = Some(positive(name, value)?).filter(|c| c.is_finite()),
        "seconds" => out.seconds = Some(positive(name, value)?).filter(|c| c.is_finite()),
        _ => {
            let d = Diagnostic::error(
                "E24",
                format!(
                    "a recipe has no setting `{name}`; it has {}",
                    SETTINGS.join(", ")
                ),
                at,
            );
            return Err(match did_you_mean(name, SETTINGS.iter().copied()) {
                Some(near) => d.help(format!("did you mean `{near}`?")),
                None => d,
            });
        }
    }
    Ok(())
}

fn number(name: &str, e: &Expr) -> Result<Stat, Diagnostic> {
    let wrong = || Diagnostic::error("E28", format!("`{name}` must be a number"), e.span);
    match &e.kind {
        ExprKind::Number(n) if !n.imaginary => Ok(n
            .as_integer()
            .map_or(Stat::Float(n.value), |k| Stat::int(i128::from(k)))),
        ExprKind::Name(n) if n.text == "inf" => Ok(Stat::Float(f64::INFINITY)),
        ExprKind::Unary {
            op: UnaryOp::Neg,
            operand,
        } => Ok(-number(name, operand)?),
        ExprKind::Binary { op, left, right } => {
            use seqc_syntax::ast::BinaryOp::{Add, Div, Mul, Pow, Sub};
            let (l, r) = (number(name, left)?, number(name, right)?);
            match op {
                Add => Ok(l + r),
                Sub => Ok(l - r),
                Mul => Ok(l * r),
                Div => Ok(l / r),
                Pow => Ok(l.pow(r)),
                _ => Err(wrong()),
            }
        }
        _ => Err(wrong()),
    }
}

pub fn count(name: &str, e: &Expr, least: u64) -> Result<u64, Diagnostic> {
    let st = number(name, e)?;
    let n = st
        .as_int()
        .and_then(|n| u64::try_from(n).ok())
        .filter(|n| *n >= least && *n <= 1 << 53);
    n.ok_or_else(|| {
        Diagnostic::error(
            "E28",
            format!("`{name}` must be a whole number of at least {least}, {st} is not"),
            e.span,
        )
    })
}

fn truth(name: &str, e: &Expr) -> Result<bool, Diagnostic> {
    match &e.kind {
        ExprKind::Name(n) if n.text == "true" => Ok(true),
        ExprKind::Name(n) if n.text == "false" => Ok(false),
        _ => Err(Diagnostic::error(
            "E28",
            format!("`{name}` is true or false"),
            e.span,
        )),
    }
}

fn positive(name: &str, e: &Expr) -> Result<f64, Diagnostic> {
    let x = number(name, e)?.as_f64();
    if x > 0.0 {
        Ok(x)
    } else {
        Err(Diagnostic::error(
            "E28",
            format!("`{name}` must be greater than 0"),
            e.span,
        ))
    }
}

/// A number within bounds.
fn within(name: &str, e: &Expr, lo: f64, hi: f64) -> Result<f64, Diagnostic> {
    let x = number(name, e)?.as_f64();
    if x >= lo && x <= hi {
        Ok(x)
    } else {
        Err(Diagnostic::error(
            "E28",
            format!("`{name}` must lie between {lo} and {hi}"),
            e.span,
        ))
    }
}

type NamedArgs<'a> = Vec<(&'a ast::Name, &'a Expr)>;

/// The kind and the named arguments of `kind(…)`.
fn named<'a>(
    what: &str,
    e: &'a Expr,
    kinds: &[&str],
) -> Result<(&'a str, NamedArgs<'a>), Diagnostic> {
    let wrong = |span| {
        Diagnostic::error(
            "E28",
            format!("`{what}` is one of {}", kinds.join(", ")),
            span,
        )
    };
    let ExprKind::Call(c) = &e.kind else {
        return Err(wrong(e.span));
    };
    if !kinds
        .iter()
        .any(|k| k.split('(').next() == Some(c.name.text.as_str()))
    {
        return Err(wrong(c.name.span));
    }
    let args = c.args.iter().map(|a| match a {
        Arg::Named { name, value, .. } => Ok((name, value)),
        other => Err(
            Diagnostic::error("E28", "settings are given by name", other.span())
                .help("write `name = value`"),
        ),
    });
    Ok((&c.name.text, args.collect::<Result<_, _>>()?))
}

fn unknown(what: &str, n: &ast::Name, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::error(
        "E24",
        format!(
            "`{what}` has no setting `{}`; it has {}",
            n.text,
            known.join(", ")
        ),
        n.span,
    );
    match did_you_mean(&n.text, known.iter().copied()) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d,
    }
}

fn optimizer(e: &Expr) -> Result<Optimizer, Diagnostic> {
    let (_, args) = named("optimizer", e, &["adamw(lr, beta1, beta2, eps, decay)"])?;
    let (mut lr, mut beta1, mut beta2, mut eps, mut decay) = (1e-3, 0.9, 0.95, 1e-8, 0.1);
    for (n, v) in args {
        match n.text.as_str() {
            "lr" => lr = within("lr", v, 0.0, 1e3)?,
            "beta1" => beta1 = within("beta1", v, 0.0, 1.0)?,
            "beta2" => beta2 = within("beta2", v, 0.0, 1.0)?,
            "eps" => eps = positive("eps", v)?,
            "decay" => decay = within("decay", v, 0.0, 1e3)?,
            _ => {
                return Err(unknown(
                    "adamw",
                    n,
                    &["lr", "beta1", "beta2", "eps", "decay"],
                ));
            }
        }
    }
    Ok(Optimizer::AdamW {
        lr,
        beta1,
        beta2,
        eps,
        decay,
    })
}

fn schedule(e: &Expr) -> Result<Schedule, Diagnostic> {
    let (kind, args) = named("schedule", e, &["cosine(warmup, floor)", "constant()"])?;
    if kind == "constant" {
        return match args.first() {
            None => Ok(Schedule::Constant),
            Some((n, _)) => Err(Diagnostic::error(
                "E24",
                format!("`constant` has no setting `{}`; it has none", n.text),
                n.span,
            )),
        };
    }
    let (mut warmup, mut floor) = (0, 0.0);
    for (n, v) in args {
        match n.text.as_str() {
            "warmup" => warmup = count("warmup", v, 0)?,
            "floor" => floor = within("floor", v, 0.0, 1.0)?,
            _ => return Err(unknown("cosine", n, &["warmup", "floor"])),
        }
    }
    Ok(Schedule::Cosine { warmup, floor })
}
