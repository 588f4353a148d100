//! Named tensors as safetensors, and parameters read from such a file into a store.
//!
//! Invariant: a file either gives every parameter of the store, in the right shape, or changes nothing.

use crate::{Error, Result, Store, fail};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// A tensor to be written: name, shape, values in row-major order.
pub type Named<'a> = (String, &'a [usize], &'a [f32]);

/// A tensor that was read: shape and values.
pub type Tensor = (Vec<usize>, Vec<f32>);

/// The bytes of a safetensors file (little-endian f32).
pub fn to_bytes<'a>(tensors: impl IntoIterator<Item = Named<'a>>) -> Result<Vec<u8>> {
    let parts: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape, x)| {
            (
                name,
                shape.to_vec(),
                x.iter().flat_map(|x| x.to_le_bytes()).collect(),
            )
        })
        .collect();
    let mut views = Vec::with_capacity(parts.len());
    for (name, shape, bytes) in &parts {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        views.push((
            name.as_str(),
            view.map_err(|e| Error(format!("tensor `{name}`: {e}")))?,
        ));
    }
    // The hub's loaders look for this key.
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(about)).map_err(|e| Error(format!("weights: {e}")))
}

/// Gives what `look` makes of a file's tensors of any kind, as they lie in the mapped file. Errors name the file:
/// unreadable, truncated or damaged, or what `look` says.
pub fn with_file<T>(path: &Path, look: impl FnOnce(&SafeTensors) -> Result<T>) -> Result<T> {
    let named = |e: &dyn std::fmt::Display| Error(format!("{}: {e}", path.display()));
    let map = seqc_files::map(path).map_err(|e| named(&e))?;
    let file = SafeTensors::deserialize(&map).map_err(|e| {
        named(&format!(
            "no safetensors file, or truncated or damaged ({e})"
        ))
    })?;
    look(&file).map_err(|e| named(&e))
}

/// Reads every tensor of a file. Errors name the file: unreadable, truncated or damaged, not f32.
pub fn read(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    with_file(path, numbers)
}

fn numbers(file: &SafeTensors) -> Result<BTreeMap<String, Tensor>> {
    let mut all = BTreeMap::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            fail!("`{name}` is {:?}, not F32", view.dtype());
        }
        let (words, _) = view.data().as_chunks::<4>();
        let values = words.iter().map(|&w| f32::from_le_bytes(w)).collect();
        all.insert(name.to_owned(), (view.shape().to_vec(), values));
    }
    Ok(all)
}

/// The bytes of a file that holds all parameters under their paths.
pub fn of_store(store: &Store) -> Result<Vec<u8>> {
    to_bytes(
        store
            .iter()
            .map(|(path, p)| (path.to_owned(), p.shape(), p.value())),
    )
}

/// Sets every parameter that the store has declared. Errors name the file and the first parameter that is
/// missing, superfluous or of another shape; then nothing has changed.
pub fn load(path: &Path, store: &mut Store) -> Result<()> {
    load_part(path, store, &|_| false)
}

/// Like [`load`], but passes over tensors of which `other` says that the store may lack them.
pub fn load_part(path: &Path, store: &mut Store, other: &dyn Fn(&str) -> bool) -> Result<()> {
    let mut tensors = read(path)?;
    let file = path.display();
    for (name, p) in store.iter() {
        match tensors.get(name) {
            None => fail!("{file}: parameter `{name}` is missing"),
            Some((shape, _)) if shape != p.shape() => {
                fail!(
                    "{file}: `{name}` has shape {shape:?}, the model wants {:?}",
                    p.shape()
                )
            }
            Some(_) => (),
        }
    }
    let extra = |name: &&String| store.get(name).is_none() && !other(name);
    if let Some(extra) = tensors.keys().find(extra) {
        fail!("{file}: the model has no parameter `{extra}`");
    }
    for (name, p) in store.iter_mut() {
        if let Some((_, values)) = tensors.remove(name) {
            p.value_mut().copy_from_slice(&values);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_abi::Init;

    fn store(seed: u64, names: &[&str]) -> Store {
        let mut store = Store::new(seed);
        for n in names {
            store
                .declare(n, &[2, 3], &Init::Normal { std: 1.0 }, true)
                .expect("declared");
        }
        store
    }

    fn value(s: &Store, name: &str) -> Vec<f32> {
        s.get(name).expect("there").value().to_vec()
    }

    #[test]
    fn every_bit_comes_back() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("w.safetensors");
        let mut from = store(1, &["a.weight", "b"]);
        from.get_mut("b").expect("there").value_mut()[..3].copy_from_slice(&[
            -0.0,
            f32::MIN_POSITIVE / 8.0,
            f32::INFINITY,
        ]);
        std::fs::write(&path, of_store(&from).expect("serialises")).expect("written");
        let mut to = store(2, &["b", "a.weight"]);
        load(&path, &mut to).expect("loads");
        for name in ["a.weight", "b"] {
            let bits = |s| {
                value(s, name)
                    .iter()
                    .map(|x| x.to_bits())
                    .collect::<Vec<_>>()
            };
            assert_eq!(bits(&from), bits(&to));
        }
    }

    #[test]
    fn parts_that_are_not_needed_are_passed_over() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("w.safetensors");
        let from = store(1, &["a", "head"]);
        std::fs::write(&path, of_store(&from).expect("serialises")).expect("written");
        let mut to = store(2, &["a"]);
        assert!(load_part(&path, &mut to, &|n| n == "heads").is_err());
        load_part(&path, &mut to, &|n| n == "head").expect("loads");
        assert_eq!(value(&from, "a"), value(&to, "a"));
    }

    #[test]
    fn whatever_does_not_fit_changes_nothing() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("w.safetensors");
        let bytes = of_store(&store(1, &["a", "b"])).expect("serialises");
        let refused = |bytes: &[u8], names: &[&str], part: &str| {
            std::fs::write(&path, bytes).expect("written");
            let mut to = store(2, names);
            let before = value(&to, "a");
            let error = load(&path, &mut to).expect_err(part).0;
            assert!(
                error.contains(part) && error.contains("w.safetensors"),
                "{error}"
            );
            assert_eq!(value(&to, "a"), before);
        };
        refused(&bytes, &["a", "b", "c"], "`c` is missing");
        refused(&bytes, &["a"], "no parameter `b`");
        for cut in [0, 4, 8, 50, bytes.len() - 1] {
            refused(&bytes[..cut], &["a", "b"], "truncated or damaged");
        }
        let mut other = Store::new(0);
        other
            .declare("a", &[6], &Init::Zero, true)
            .expect("declared");
        other
            .declare("b", &[2, 3], &Init::Zero, true)
            .expect("declared");
        refused(
            &of_store(&other).expect("serialises"),
            &["a", "b"],
            "has shape [6]",
        );
    }
}
