//! `metrics.jsonl`: one JSON object a line, in the order of the steps.
//!
//! Invariant: a resumed run's file holds no line of a step after the one it resumed from, and no half line.

use crate::files::{named, write};
use seqc_device::Result;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

pub struct Metrics {
    path: PathBuf,
    file: File,
}

impl Metrics {
    /// Opens the file for appending, with only the lines up to step `done` kept.
    pub fn open(path: &Path, done: u64) -> Result<Metrics> {
        let old = match seqc_files::text(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(named(path, &e)),
        };
        let keep = |line: &&str| {
            let step = serde_json::from_str::<Value>(line)
                .ok()
                .and_then(|v| v["step"].as_u64());
            step.is_some_and(|s| s <= done)
        };
        let kept: String = old.lines().filter(keep).flat_map(|l| [l, "\n"]).collect();
        write(path, kept.as_bytes())?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(|e| named(path, &e))?;
        Ok(Metrics {
            path: path.to_owned(),
            file,
        })
    }

    pub fn line(&mut self, value: &Value) -> Result<()> {
        self.file
            .write_all(format!("{value}\n").as_bytes())
            .map_err(|e| named(&self.path, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_after_the_resumed_step_go() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("metrics.jsonl");
        let mut all = Metrics::open(&path, 0).expect("opens");
        (1..=5).for_each(|step| all.line(&json!({ "step": step })).expect("written"));
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .expect("opens")
            .write_all(b"{\"step\":")
            .expect("written");
        Metrics::open(&path, 3)
            .expect("opens")
            .line(&json!({ "step": 4, "new": true }))
            .expect("written");
        let text = std::fs::read_to_string(&path).expect("read");
        assert_eq!(text.lines().count(), 4);
        assert!(text.ends_with("{\"new\":true,\"step\":4}\n"));
    }
}
