//! The result of a verification: rows of form × back end × part, each with its worst error and where it was.

use crate::verify::subject::Part;
use serde::Serialize;
use std::fmt;

/// One tensor of one case, and how far it was off.
#[derive(Clone, Debug, Serialize)]
pub struct Worst {
    /// `null` in JSON where it is no number.
    pub error: f64,
    pub bound: f64,
    pub tensor: String,
    pub length: usize,
    pub batch: usize,
    pub inputs: String,
}

impl Worst {
    /// More than 1 is red; so is what is no number.
    fn share(&self) -> f64 {
        match (self.error.is_nan(), self.error == 0.0) {
            (true, _) => f64::INFINITY,
            (_, true) => 0.0,
            _ => self.error / self.bound,
        }
    }
}

/// What a row says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub form: String,
    pub engine: String,
    pub part: String,
    /// How many tensors were compared.
    pub compared: usize,
    /// The one nearest to its bound, or beyond it.
    pub worst: Option<Worst>,
    /// Why it could not be run, if so.
    pub failure: Option<String>,
    /// Of a result beyond its bound: where it goes wrong.
    pub why: Option<String>,
}

impl Row {
    pub fn new(form: &str, engine: &str, part: Part) -> Row {
        Row {
            form: form.into(),
            engine: engine.into(),
            part: part.name().into(),
            ..Row::default()
        }
    }

    /// Counts one comparison.
    pub fn add(&mut self, w: Worst) {
        self.compared += 1;
        if self
            .worst
            .as_ref()
            .is_none_or(|old| w.share() > old.share())
        {
            self.worst = Some(w);
        }
    }

    /// Remembers the first failure.
    pub fn fail(&mut self, why: impl fmt::Display) {
        self.failure.get_or_insert_with(|| why.to_string());
    }

    pub fn green(&self) -> bool {
        self.failure.is_none()
            && self.compared > 0
            && self.worst.as_ref().is_some_and(|w| w.share() <= 1.0)
    }
}

/// The certificate of one mixer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Certificate {
    pub mixer: String,
    /// Sizes and settings that it was run with.
    pub settings: Vec<(String, String)>,
    pub lengths: Vec<usize>,
    /// Steps of a chunk, of a checkpoint; tiles.
    pub shapes: Vec<(String, usize)>,
    pub rows: Vec<Row>,
    /// What does not apply, and why.
    pub notes: Vec<String>,
    /// Why nothing could be run, if so.
    pub unbuilt: Option<String>,
    pub seconds: f64,
}

impl Certificate {
    pub fn green(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(Row::green)
    }

    /// `certified`, `red`, or `not built`.
    pub fn verdict(&self) -> &'static str {
        match (&self.unbuilt, self.green()) {
            (Some(_), _) => "not built",
            (None, true) => "certified",
            (None, false) => "red",
        }
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.mixer, self.verdict())?;
        if let Some(why) = &self.unbuilt {
            return writeln!(f, "\n  {}", why.trim_end().replace('\n', "\n  "));
        }
        let settings: Vec<String> = (self.settings.iter())
            .map(|(k, v)| format!("{k} = {v}"))
            .collect();
        writeln!(f, " ({}; {:.1} s)", settings.join(", "), self.seconds)?;
        let lengths: Vec<String> = self.lengths.iter().map(usize::to_string).collect();
        writeln!(f, "  lengths {}", lengths.join(" "))?;
        writeln!(
            f,
            "  {:<11} {:<14} {:<7} {:>9} {:>9}  {:<5} where",
            "form", "part", "engine", "error", "bound", ""
        )?;
        for r in &self.rows {
            row(f, r)?;
        }
        for n in &self.notes {
            writeln!(f, "  note: {n}")?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, r: &Row) -> fmt::Result {
    let mark = if r.green() { "ok" } else { "RED" };
    write!(f, "  {:<11} {:<14} {:<7} ", r.form, r.part, r.engine)?;
    match (&r.failure, &r.worst) {
        (Some(why), _) => writeln!(f, "{:>9} {:>9}  {mark:<5} {}", "-", "-", why.trim_end()),
        (None, None) => writeln!(f, "{:>9} {:>9}  {mark:<5} nothing was compared", "-", "-"),
        (None, Some(w)) => writeln!(
            f,
            "{:>9.1e} {:>9.1e}  {mark:<5} {} at T={}, batch {}, {}",
            w.error, w.bound, w.tensor, w.length, w.batch, w.inputs
        ),
    }?;
    match &r.why {
        Some(why) => writeln!(f, "      {why}"),
        None => Ok(()),
    }
}
