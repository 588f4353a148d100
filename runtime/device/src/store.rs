//! Parameters and their gradients, outside any executor, so that a training plan, an evaluation plan and a
//! generation plan work on the same tensors.
//!
//! Invariant: a tensor, once declared, keeps its address, shape and name until the store is dropped.

use crate::block::Block;
use crate::{Result, draw, fail, key_of};
use seqc_abi::Init;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// A trained tensor.
pub struct Param {
    shape: Vec<usize>,
    decay: bool,
    value: Block,
    grad: Option<Block>,
}

impl Param {
    /// Row-major.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Does weight decay apply to it?
    pub fn decay(&self) -> bool {
        self.decay
    }

    pub fn value(&self) -> &[f32] {
        self.value.f32()
    }

    pub fn value_mut(&mut self) -> &mut [f32] {
        self.value.f32_mut()
    }

    /// `None` until a plan that computes it has been instantiated.
    pub fn grad(&self) -> Option<&[f32]> {
        self.grad.as_ref().map(Block::f32)
    }

    /// Value and gradient, both writable.
    pub fn both_mut(&mut self) -> Option<(&mut [f32], &mut [f32])> {
        let grad = self.grad.as_mut()?;
        Some((self.value.f32_mut(), grad.f32_mut()))
    }
}

/// Named parameters in the order of their paths.
pub struct Store {
    id: u64,
    seed: u64,
    /// Counts what may have changed a value.
    version: u64,
    params: BTreeMap<String, Param>,
}

impl Store {
    /// An empty store; parameters that plans declare start as a function of `seed` and their path.
    pub fn new(seed: u64) -> Store {
        static STORES: AtomicU64 = AtomicU64::new(0);
        Store {
            id: STORES.fetch_add(1, Ordering::Relaxed),
            seed,
            version: 0,
            params: BTreeMap::new(),
        }
    }

    /// Tells stores apart: an executor runs only with the store it was made with.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Changes whenever a parameter may have changed.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub fn get(&self, path: &str) -> Option<&Param> {
        self.params.get(path)
    }

    pub fn get_mut(&mut self, path: &str) -> Option<&mut Param> {
        self.version += 1;
        self.params.get_mut(path)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Param)> {
        self.params.iter().map(|(path, p)| (path.as_str(), p))
    }

    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Param)> {
        self.version += 1;
        self.params.iter_mut().map(|(path, p)| (path.as_str(), p))
    }

    /// Number of trained values.
    pub fn len(&self) -> usize {
        self.params.values().map(|p| p.value().len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes sure that a parameter exists and gives its address. A new one is initialised; one that exists must
    /// have the same shape and keeps its values.
    pub fn declare(
        &mut self,
        path: &str,
        shape: &[usize],
        init: &Init,
        decay: bool,
    ) -> Result<*mut u8> {
        if let Some(p) = self.params.get(path) {
            if p.shape != shape {
                fail!(
                    "parameter `{path}` has shape {:?}, this plan wants {shape:?}",
                    p.shape
                );
            }
            return Ok(p.value.ptr());
        }
        let mut value =
            block_of(shape).map_err(|e| crate::Error(format!("parameter `{path}`: {e}")))?;
        let start = draw(init, shape, key_of(self.seed, path), 0);
        let start = start.map_err(|e| crate::Error(format!("parameter `{path}`: {e}")))?;
        value.f32_mut().copy_from_slice(&start);
        let at = value.ptr();
        self.params.insert(
            path.to_owned(),
            Param {
                shape: shape.to_vec(),
                decay,
                value,
                grad: None,
            },
        );
        Ok(at)
    }

    /// Makes sure that a declared parameter has a gradient and gives its address.
    pub fn declare_grad(&mut self, path: &str, shape: &[usize]) -> Result<*mut u8> {
        let Some(p) = self.params.get_mut(path) else {
            fail!("a gradient of `{path}`, which is no parameter of this plan");
        };
        if p.shape != shape {
            fail!(
                "parameter `{path}` has shape {:?}, its gradient {shape:?}",
                p.shape
            );
        }
        if p.grad.is_none() {
            p.grad = Some(block_of(shape)?);
        }
        Ok(p.grad.as_ref().map_or(std::ptr::null_mut(), Block::ptr))
    }
}

fn block_of(shape: &[usize]) -> Result<Block> {
    let bytes = shape.iter().try_fold(4usize, |n, &d| n.checked_mul(d));
    match bytes {
        Some(bytes) => Block::new(bytes),
        None => fail!("shape {shape:?} overflows"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_depend_on_seed_and_path_not_on_order() {
        let normal = Init::Normal { std: 1.0 };
        let made = |seed, paths: &[&str]| {
            let mut store = Store::new(seed);
            for p in paths {
                store.declare(p, &[3, 5], &normal, true).expect("declared");
            }
            store
        };
        let (a, b, c) = (made(1, &["x", "y"]), made(1, &["y", "x"]), made(2, &["x"]));
        let value = |s: &Store, p| s.get(p).expect("there").value().to_vec();
        assert_eq!(value(&a, "x"), value(&b, "x"));
        assert_ne!(value(&a, "x"), value(&a, "y"));
        assert_ne!(value(&a, "x"), value(&c, "x"));
        assert_eq!(a.len(), 30);
    }

    #[test]
    fn shapes_must_agree() {
        let mut store = Store::new(0);
        let at = store
            .declare("w", &[2, 3], &Init::Const(1.0), false)
            .expect("declared");
        assert_eq!(
            store
                .declare("w", &[2, 3], &Init::Zero, false)
                .expect("again"),
            at
        );
        assert_eq!(store.get("w").expect("there").value(), [1.0; 6]);
        assert!(store.declare("w", &[6], &Init::Zero, false).is_err());
        assert!(store.declare_grad("v", &[6]).is_err());
        assert!(store.declare_grad("w", &[6]).is_err());
        assert!(
            store
                .declare("huge", &[usize::MAX, 2], &Init::Zero, false)
                .is_err()
        );
    }
}
