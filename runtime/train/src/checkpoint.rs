//! Checkpoints: everything that the next step depends on, in `RUN/checkpoint/step-N/`.
//!
//! `params.safetensors`, `optimizer.safetensors` (`first.PATH`, `second.PATH`) and `state.json` are written into
//! a hidden folder, synced, and the folder renamed: a checkpoint is whole or not there. The newest two stay.
//! Invariant: loading sets everything or, on an error, nothing.

use crate::files::named;
use crate::{AdamW, Recipe};
use seqc_device::weights::{self, Tensor};
use seqc_device::{Error, Result, Store, fail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Checkpoints that are kept.
const KEEP: usize = 2;

/// What names begin with while a checkpoint is being written.
pub(crate) const HIDDEN: &str = ".writing-";

/// What a checkpoint says beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps done.
    pub step: u64,
    pub seed: u64,
    /// Wall-clock seconds of training so far.
    pub seconds: f64,
    /// Of the last step, and the last validation's.
    #[serde(default)]
    pub loss: Option<f64>,
    #[serde(default)]
    pub valid_loss: Option<f64>,
    /// Of the data, in hexadecimal.
    pub data: String,
    pub recipe: Recipe,
}

/// The checkpoints of one run.
pub struct Checkpoint {
    folder: PathBuf,
}

impl Checkpoint {
    pub fn of_run(run: &Path) -> Checkpoint {
        Checkpoint {
            folder: run.join("checkpoint"),
        }
    }

    fn at(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:08}"))
    }

    /// Steps of the checkpoints that are there, ascending. A folder that does not exist has none.
    pub fn steps(&self) -> Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|e| named(&self.folder, &e))?,
        };
        let mut steps = Vec::new();
        for entry in entries {
            let name = entry.map_err(|e| named(&self.folder, &e))?.file_name();
            steps.extend(
                name.to_str()
                    .and_then(|n| n.strip_prefix("step-")?.parse::<u64>().ok()),
            );
        }
        steps.sort_unstable();
        Ok(steps)
    }

    /// Writes a checkpoint, then removes all but the newest two. On an error the older ones are untouched.
    pub fn save(&self, store: &Store, adam: &AdamW, state: &State) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|e| named(&self.folder, &e))?;
        let hidden = tempfile::Builder::new()
            .prefix(HIDDEN)
            .permissions(fs::Permissions::from_mode(0o777)) // less the umask
            .tempdir_in(&self.folder);
        let hidden = hidden.map_err(|e| named(&self.folder, &e))?;
        let write = |name: &str, bytes: &[u8]| {
            let path = hidden.path().join(name);
            fs::write(&path, bytes).map_err(|e| named(&path, &e))
        };
        write("params.safetensors", &weights::of_store(store)?)?;
        write("optimizer.safetensors", &optimizer_bytes(adam)?)?;
        let text =
            serde_json::to_string_pretty(state).map_err(|e| Error(format!("state.json: {e}")))?;
        write("state.json", text.as_bytes())?;
        // The same step saved twice (a run resumed and stopped at once): the old one makes way.
        let place = self.at(state.step);
        seqc_files::sync_tree(hidden.path())
            .and_then(|()| seqc_files::place(hidden.path(), &place))
            .map_err(|e| named(&place, &e))?;
        drop(hidden);
        self.prune()
    }

    /// Removes all but the newest two, and what a process that was killed had begun to write.
    fn prune(&self) -> Result<()> {
        let at = |e: std::io::Error| named(&self.folder, &e);
        for entry in fs::read_dir(&self.folder).map_err(at)? {
            let entry = entry.map_err(at)?;
            if entry.file_name().to_string_lossy().starts_with(HIDDEN) {
                fs::remove_dir_all(entry.path()).map_err(at)?;
            }
        }
        let steps = self.steps()?;
        for &step in &steps[..steps.len().saturating_sub(KEEP)] {
            let path = self.at(step);
            fs::remove_dir_all(&path).map_err(|e| named(&path, &e))?;
        }
        Ok(())
    }

    /// Reads the newest checkpoint into the store and the optimizer; `None` if there is none. A damaged one is
    /// an error that says how to go on from the one before it.
    pub fn load(&self, store: &mut Store, adam: &mut AdamW) -> Result<Option<State>> {
        let steps = self.steps()?;
        let Some(&step) = steps.last() else {
            return Ok(None);
        };
        let older = match steps.len() {
            1 => String::new(),
            n => format!(
                "; remove {} to resume from step {}",
                self.at(step).display(),
                steps[n - 2]
            ),
        };
        self.read(step, store, adam)
            .map(Some)
            .map_err(|e| Error(format!("{e}{older}")))
    }

    /// The newest checkpoint's step where the run's weights are not its own: its process was killed, or is about to
    /// write them.
    pub fn newer_than(&self, weights: &Path) -> Option<u64> {
        let step = *self.steps().ok()?.last()?;
        let own = seqc_files::map(&self.at(step).join("params.safetensors")).ok()?;
        let there = seqc_files::map(weights).ok()?;
        (own[..] != there[..]).then_some(step)
    }

    fn read(&self, step: u64, store: &mut Store, adam: &mut AdamW) -> Result<State> {
        let folder = self.at(step);
        let path = folder.join("state.json");
        let text = seqc_files::text(&path).map_err(|e| named(&path, &e))?;
        let state: State = serde_json::from_str(&text)
            .map_err(|e| Error(format!("{}: truncated or damaged ({e})", path.display())))?;
        if state.step != step {
            fail!("{}: it says step {}", path.display(), state.step);
        }
        let path = folder.join("optimizer.safetensors");
        let mut tensors = weights::read(&path)?;
        let moments = take_moments(adam, &mut tensors)
            .map_err(|e| Error(format!("{}: {e}", path.display())))?;
        weights::load(&folder.join("params.safetensors"), store)?;
        for (m, (first, second)) in adam.moments.iter_mut().zip(moments) {
            (m.first, m.second) = (first, second);
        }
        Ok(state)
    }
}

fn optimizer_bytes(adam: &AdamW) -> Result<Vec<u8>> {
    weights::to_bytes(adam.moments.iter().flat_map(|m| {
        [
            (format!("first.{}", m.path), &m.shape[..], &m.first[..]),
            (format!("second.{}", m.path), &m.shape[..], &m.second[..]),
        ]
    }))
}

/// The moments of every parameter, in the optimizer's order.
fn take_moments(
    adam: &AdamW,
    tensors: &mut BTreeMap<String, Tensor>,
) -> Result<Vec<(Vec<f32>, Vec<f32>)>> {
    let mut take =
        |kind: &str, path: &str, shape: &[usize]| match tensors.remove(&format!("{kind}.{path}")) {
            Some((s, values)) if s == shape => Ok(values),
            Some((s, _)) => fail!("`{kind}.{path}` has shape {s:?}, the model wants {shape:?}"),
            None => fail!("`{kind}.{path}` is missing"),
        };
    adam.moments
        .iter()
        .map(|m| {
            Ok((
                take("first", &m.path, &m.shape)?,
                take("second", &m.path, &m.shape)?,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_device::abi::Init;

    fn fresh(seed: u64) -> (Store, AdamW) {
        let mut store = Store::new(seed);
        for path in ["a", "b.weight"] {
            store
                .declare(path, &[4], &Init::Normal { std: 1.0 }, true)
                .expect("declared");
        }
        let mut adam = AdamW::new(&store);
        adam.moments[1].second[2] = seed as f32;
        (store, adam)
    }

    fn state(step: u64) -> State {
        State {
            step,
            seed: 1,
            seconds: 0.1 + 0.2,
            loss: Some(2.0 / 3.0),
            valid_loss: None,
            data: "00".into(),
            recipe: Recipe {
                lr: 1.0 / 3.0,
                ..Recipe::default()
            },
        }
    }

    fn values(store: &Store) -> Vec<f32> {
        store.iter().flat_map(|(_, p)| p.value().to_vec()).collect()
    }

    #[test]
    fn the_newest_of_two_comes_back() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let all = Checkpoint::of_run(dir.path());
        assert_eq!(all.load(&mut fresh(9).0, &mut fresh(9).1), Ok(None));
        for step in [5, 10, 15, 15] {
            let (store, adam) = fresh(step);
            all.save(&store, &adam, &state(step)).expect("saved");
        }
        assert_eq!(all.steps().expect("listed"), [10, 15]);
        let (mut store, mut adam) = fresh(0);
        assert_eq!(
            all.load(&mut store, &mut adam).expect("loads"),
            Some(state(15))
        );
        assert_eq!(
            (values(&store), adam.moments[1].second[2]),
            (values(&fresh(15).0), 15.0)
        );
        assert_eq!(
            fs::read_dir(dir.path().join("checkpoint"))
                .expect("listed")
                .count(),
            2,
            "nothing hidden stays"
        );
    }

    #[test]
    fn every_truncation_is_an_error_and_changes_nothing() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let all = Checkpoint::of_run(dir.path());
        for step in [1, 2] {
            all.save(&fresh(step).0, &fresh(step).1, &state(step))
                .expect("saved");
        }
        for name in ["params.safetensors", "optimizer.safetensors", "state.json"] {
            let path = all.at(2).join(name);
            let whole = fs::read(&path).expect("read");
            for cut in [0, 7, whole.len() / 2, whole.len() - 1] {
                fs::write(&path, &whole[..cut]).expect("written");
                let (mut store, mut adam) = fresh(7);
                let error = all.load(&mut store, &mut adam).expect_err("truncated").0;
                assert!(
                    error.contains(name) && error.contains("truncated or damaged"),
                    "{error}"
                );
                assert!(error.contains("to resume from step 1"), "{error}");
                assert_eq!(
                    (values(&store), adam.moments[1].second[2]),
                    (values(&fresh(7).0), 7.0)
                );
            }
            fs::write(&path, &whole).expect("written");
        }
        let (mut store, mut adam) = fresh(7);
        fs::remove_dir_all(all.at(2)).expect("removed");
        assert_eq!(
            all.load(&mut store, &mut adam)
                .expect("loads")
                .map(|s| s.step),
            Some(1)
        );
    }

    #[test]
    fn a_failed_save_leaves_the_old_one() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let all = Checkpoint::of_run(dir.path());
        all.save(&fresh(1).0, &fresh(1).1, &state(1))
            .expect("saved");
        // A file where the next checkpoint's folder should go.
        fs::write(all.at(2), "in the way").expect("written");
        let blocked = Checkpoint::of_run(&all.at(2));
        assert!(blocked.save(&fresh(2).0, &fresh(2).1, &state(2)).is_err());
        fs::remove_file(all.at(2)).expect("removed");
        let (mut store, mut adam) = fresh(7);
        assert_eq!(
            all.load(&mut store, &mut adam)
                .expect("loads")
                .map(|s| s.step),
            Some(1)
        );
    }
}
