//! A row of documents, told apart by a tensor `offsets`.

use super::contract::{Contract, Given, Matched, Slot, matched as held};
use crate::engine::Sizes;
use crate::packed::Documents;
use crate::{Error, Result};
use seqc_algebra::{Axis, Data, Elem};
use std::collections::BTreeMap;

const OFFSETS: &str = "offsets";

/// Are there offsets, and are they not a tensor of the mixer's own?
pub fn given(contract: &Contract, given: &BTreeMap<String, Given>) -> bool {
    given.contains_key(OFFSETS) && contract.inputs.iter().all(|s| s.name != OFFSETS)
}

/// The given tensors, if they are packed: what has time in a batch of one, what has none with a row a document.
/// `None` without `offsets`, or where that is a tensor of the mixer's own.
pub fn matched(
    contract: &Contract,
    given: &BTreeMap<String, Given>,
    wanted: &[Slot],
) -> Result<Option<(Matched, Documents)>> {
    let Some(offsets) = given.get(OFFSETS).filter(|_| self::given(contract, given)) else {
        return Ok(None);
    };
    let numbers = match (&offsets.data, offsets.elem, offsets.shape.len()) {
        (Data::Real(x), Elem::Int, 1) => x,
        _ => {
            return Err(Error::Other(format!(
                "`offsets` holds {} of shape {:?}: integers are wanted, where each document starts and the last ends",
                offsets.dtype, offsets.shape
            )));
        }
    };
    let timed = |s: &Slot| s.axes.contains(&Axis::time());
    if !wanted.iter().any(timed) {
        return Err(Error::Other(format!(
            "`offsets`: no tensor of this mixer has the time `{}`, so there are no documents to tell apart",
            Axis::time().name
        )));
    }
    let (along, other): (Vec<Slot>, Vec<Slot>) = wanted.iter().cloned().partition(timed);
    let (mut in_row, mut beside) = (BTreeMap::new(), BTreeMap::new());
    for (name, g) in given.iter().filter(|(n, _)| *n != OFFSETS) {
        let to = match along.iter().any(|s| s.name == *name) {
            true => &mut in_row,
            false => &mut beside,
        };
        to.insert(name.clone(), g.clone());
    }
    let batch = |n: usize| Sizes::from([(Axis::batch().name, n)]);
    let mut m = held(&in_row, &along, &batch(1))?;
    let documents = Documents::of_offsets(numbers, m.sizes[&Axis::time().name])?;
    let rest = held(&beside, &other, &batch(documents.count()))?;
    m.tensors.extend(rest.tensors);
    m.sizes.extend(rest.sizes);
    Ok(Some((m, documents)))
}
