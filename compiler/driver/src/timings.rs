//! How long each stage took: what `--timings` writes, one JSON object a line, in the order of the work.

use crate::passes;
use crate::stage::Stage;
use std::time::Instant;

/// `pass` is one of the passes of the stage, by name; without one the line is for the whole stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub item: String,
    pub stage: &'static str,
    pub pass: Option<&'static str>,
    pub seconds: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record(pub Vec<Entry>);

impl Record {
    /// Runs `work` and records its time under the stage's name.
    pub fn time<T>(&mut self, item: &str, stage: Stage, work: impl FnOnce() -> T) -> T {
        self.time_passes(item, stage.name(), |_| work())
    }

    /// The same for work that is made of passes: theirs come first.
    pub fn time_passes<T>(
        &mut self,
        item: &str,
        stage: &'static str,
        work: impl FnOnce(&mut passes::Timings) -> T,
    ) -> T {
        let start = Instant::now();
        let mut parts = vec![];
        let done = work(&mut parts);
        let seconds = start.elapsed().as_secs_f64();
        let mut add = |pass, seconds| {
            self.0.push(Entry {
                item: item.to_owned(),
                stage,
                pass,
                seconds,
            })
        };
        parts.into_iter().for_each(|t| add(Some(t.pass), t.seconds));
        add(None, seconds);
        done
    }

    /// One JSON object a line.
    pub fn to_json_lines(&self) -> String {
        let line = |e: &Entry| {
            let mut o = serde_json::json!({
                "item": e.item, "stage": e.stage, "seconds": e.seconds,
            });
            if let Some(p) = e.pass {
                o["pass"] = p.into();
            }
            format!("{o}\n")
        };
        self.0.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_their_passes() {
        let mut r = Record::default();
        let got = r.time_passes("m", "derived", |parts| {
            parts.push(passes::Taken {
                pass: "prune",
                seconds: 0.25,
                looks: 0,
            });
            7
        });
        r.time("m", Stage::Mlir, || ());
        assert_eq!(got, 7);
        let lines: Vec<serde_json::Value> = r
            .to_json_lines()
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(lines[0]["pass"], "prune");
        assert_eq!(lines[0]["seconds"], 0.25);
        assert_eq!(lines[1]["stage"], "derived");
        assert_eq!(lines[1].get("pass"), None);
        assert_eq!(lines[2]["stage"], "mlir");
    }
}
