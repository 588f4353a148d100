//! What a person sees while training: a bar with rate and time left on a terminal, plain lines elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Plain lines come at most this often.
const EVERY: Duration = Duration::from_secs(10);

pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    total: u64,
    started: Instant,
    /// Seconds that may be spent, if there is a limit.
    limit: Option<f64>,
    first: u64,
    last_line: Option<Instant>,
    valid: Option<f64>,
}

/// What a step has to show.
#[derive(Clone, Copy)]
pub struct Shown {
    pub step: u64,
    pub loss: f64,
    pub tokens_per_step: u64,
}

impl Progress {
    /// From step `first` to `total`, in `limit` seconds at most.
    pub fn new(first: u64, total: u64, limit: Option<f64>, quiet: bool) -> Progress {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(total).with_position(first);
            let style = ProgressStyle::with_template("{bar:28} {pos}/{len} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Progress {
            bar,
            quiet,
            total,
            started: Instant::now(),
            limit,
            first,
            last_line: None,
            valid: None,
        }
    }

    /// Tokens a second since the start.
    pub fn rate(&self, s: Shown) -> f64 {
        (s.step - self.first) as f64 * s.tokens_per_step as f64
            / self.started.elapsed().as_secs_f64().max(1e-9)
    }

    /// Seconds to go: what the steps take at the present rate, or what the limit leaves, if that is less.
    fn left(&self, s: Shown) -> f64 {
        let tokens = self.total.saturating_sub(s.step) as f64 * s.tokens_per_step as f64;
        let steps = tokens / self.rate(s).max(1e-9);
        let spent = self.started.elapsed().as_secs_f64();
        self.limit
            .map_or(steps, |limit| steps.min((limit - spent).max(0.0)))
    }

    pub fn step(&mut self, s: Shown) {
        let valid = self
            .valid
            .map_or(String::new(), |v| format!(", valid {v:.4}"));
        let text = format!(
            "loss {:.4}{valid}, {} tokens/s, {} left",
            s.loss,
            short(self.rate(s)),
            clock(self.left(s))
        );
        if let Some(bar) = &self.bar {
            bar.set_position(s.step);
            bar.set_message(text);
        } else if !self.quiet
            && (s.step == self.total || self.last_line.is_none_or(|t| t.elapsed() >= EVERY))
        {
            self.last_line = Some(Instant::now());
            tell(&format!("step {}/{}: {text}", s.step, self.total));
        }
    }

    pub fn valid(&mut self, loss: f64) {
        self.valid = Some(loss);
    }

    /// A line of its own, above the bar.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if !self.quiet => tell(text),
            None => (),
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

/// A line for whoever looks; that nobody can see it keeps no run from going on.
fn tell(text: &str) {
    let _unseen = writeln!(std::io::stderr(), "{text}");
}

/// `1234567` as `1.23M`.
fn short(x: f64) -> String {
    match x {
        x if x >= 1e6 => format!("{:.2}M", x / 1e6),
        x if x >= 1e3 => format!("{:.1}k", x / 1e3),
        x => format!("{x:.0}"),
    }
}

fn clock(seconds: f64) -> String {
    let s = seconds.min(1e9) as u64;
    match s {
        3600.. => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        60.. => format!("{}m{:02}s", s / 60, s % 60),
        _ => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_the_limit() {
        let left = |limit, step| {
            let mut p = Progress::new(0, 1_000_000, limit, true);
            p.started = Instant::now() - Duration::from_secs(1);
            let shown = Shown {
                step,
                loss: 0.0,
                tokens_per_step: 64,
            };
            p.left(shown)
        };
        let near = |got: f64, want: f64| assert!((got - want).abs() < 0.02 * want, "{got} {want}");
        near(left(None, 100), 9999.0);
        near(left(Some(3.0), 100), 2.0);
        near(left(Some(1e9), 500_000), 1.0);
        assert_eq!(left(Some(0.5), 100), 0.0);
        assert_eq!(left(None, 2_000_000), 0.0, "a shorter recipe than before");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [short(12.3), short(45_600.0), short(1_234_567.0)],
            ["12", "45.6k", "1.23M"]
        );
        assert_eq!(
            [clock(9.9), clock(61.0), clock(7260.0)],
            ["9s", "1m01s", "2h01m"]
        );
    }
}
