//! Packed sequences: documents of different lengths, one behind the other in one row of time.
//!
//! What has time is cut into documents along it; what has a batch and no time has one row a document; all else is the same
//! for each. A document runs by itself, at its own length and with a grid of chunks of its own, so its results are
//! bit for bit those of the document alone, whatever lies beside it. Gradients of what all documents share are summed.

use crate::engine::{Named, Opened, Sizes};
use crate::{Error, Result, other, timeline};
use seqc_algebra::{Axis, Tensor};
use std::ops::Range;

/// Where documents are in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    ranges: Vec<Range<usize>>,
}

impl Documents {
    /// Documents of these lengths, one behind the other.
    pub fn of_lengths(lengths: &[usize]) -> Documents {
        let mut end = 0;
        let next = |n: &usize| {
            end += n;
            end - n..end
        };
        Documents {
            ranges: lengths.iter().map(next).collect(),
        }
    }

    /// From offsets `0 = o_0 < o_1 < … < o_n = total`. Errors say which offset is wrong.
    pub fn of_offsets(offsets: &[f64], total: usize) -> Result<Documents> {
        let wrong = |why: String| Err(Error::Other(format!("`offsets`: {why}")));
        match (offsets.first(), offsets.last()) {
            (Some(first), _) if *first != 0.0 => {
                return wrong(format!(
                    "the first is {first}; the first document starts at 0"
                ));
            }
            (_, Some(last)) if *last != total as f64 => {
                return wrong(format!(
                    "the last is {last}; the last document ends at {total}, with the row"
                ));
            }
            _ => {}
        }
        for (i, w) in offsets.windows(2).enumerate() {
            if w[0] >= w[1] {
                return wrong(format!("document {i} is from {} to {}", w[0], w[1]));
            }
        }
        let ranges: Vec<Range<usize>> = (offsets.windows(2))
            .map(|w| w[0] as usize..w[1] as usize)
            .collect();
        match ranges.is_empty() {
            true => wrong(
                "there is no document: give where each starts, and where the last ends".into(),
            ),
            false => Ok(Documents { ranges }),
        }
    }

    pub fn count(&self) -> usize {
        self.ranges.len()
    }

    /// The length of the row.
    pub fn total(&self) -> usize {
        self.ranges.last().map_or(0, |r| r.end)
    }

    /// Lengths of the run of one document; other clocks run as they do.
    pub fn sizes(&self, all: &Sizes, document: usize) -> Sizes {
        let mut sizes = all.clone();
        sizes.insert(Axis::batch().name, 1);
        sizes.insert(Axis::time().name, self.ranges[document].len());
        sizes
    }

    /// The inputs of one document.
    pub fn cut(&self, given: &Named, document: usize) -> Result<Named> {
        let own = |(name, x): (&String, &Tensor)| Ok((name.clone(), self.part(name, x, document)?));
        given.iter().map(own).collect()
    }

    /// The part of a tensor that belongs to one document; all of it, if it is shared.
    pub fn part(&self, name: &str, x: &Tensor, document: usize) -> Result<Tensor> {
        let part = match x.axes.contains(&Axis::time()) {
            true => timeline::cut(x, Axis::time(), self.ranges[document].clone()),
            false => timeline::cut(x, Axis::batch(), document..document + 1),
        };
        part.map_err(|e| other(name, e))
    }

    /// Is a tensor the same for all documents?
    pub fn shared(x: &Tensor) -> bool {
        !x.axes.contains(&Axis::time()) && !x.axes.contains(&Axis::batch())
    }

    /// One tensor of all documents: joined along time or along the batch, or summed if it has neither.
    pub fn joined(&self, parts: &[Tensor]) -> std::result::Result<Tensor, String> {
        let timed = |p: &&Tensor| p.axes.contains(&Axis::time());
        match parts.first() {
            Some(p) if Documents::shared(p) => {
                (parts[1..].iter()).try_fold(p.clone(), |all, p| timeline::sum(&all, p))
            }
            p if p.as_ref().is_some_and(timed) => timeline::join(parts, Axis::time()),
            _ => timeline::join(parts, Axis::batch()),
        }
    }

    /// What documents that are alike in what they share are in one row.
    pub fn packed(&self, alone: &[&Named]) -> Result<Named> {
        let Some(first) = alone.first() else {
            return Ok(Named::new());
        };
        let one = |(name, x): (&String, &Tensor)| {
            let parts: Option<Vec<Tensor>> = alone.iter().map(|d| d.get(name).cloned()).collect();
            let parts = parts.ok_or_else(|| other(name, "a document lacks it"))?;
            let whole = match Documents::shared(x) {
                true => Ok(x.clone()),
                false => self.joined(&parts),
            };
            Ok((name.clone(), whole.map_err(|e| other(name, e))?))
        };
        first.iter().map(one).collect()
    }

    /// Runs a program, document by document. The lengths are those of the row; results in the program's order.
    pub fn run(
        &self,
        program: &mut Opened<'_>,
        given: &Named,
        sizes: &Sizes,
    ) -> Result<Vec<(String, Tensor)>> {
        let mut parts: Vec<(String, Vec<Tensor>)> = vec![];
        for d in 0..self.count() {
            let made = program.run(&self.cut(given, d)?, &self.sizes(sizes, d))?;
            for (i, (name, x)) in made.into_iter().enumerate() {
                match parts.get_mut(i) {
                    Some((_, all)) => all.push(x),
                    None => parts.push((name, vec![x])),
                }
            }
        }
        let whole = |(name, all): (String, Vec<Tensor>)| {
            let x = self.joined(&all).map_err(|e| other(&name, e))?;
            Ok((name, x))
        };
        parts.into_iter().map(whole).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_checked() {
        let refused = |o: &[f64], part: &str| {
            let why = Documents::of_offsets(o, 5).expect_err(part).to_string();
            assert!(why.contains(part), "{why}");
        };
        refused(&[1.0, 5.0], "the first is 1");
        refused(&[0.0, 4.0], "the last is 4");
        refused(&[0.0, 3.0, 3.0, 5.0], "document 1 is from 3 to 3");
        refused(&[0.0, 4.0, 3.0, 5.0], "document 1 is from 4 to 3");
        refused(&[], "there is no document");
        assert_eq!(
            Documents::of_offsets(&[0.0, 2.0, 5.0], 5).expect("good"),
            Documents::of_lengths(&[2, 3])
        );
    }

    #[test]
    fn each_tensor_is_cut_along_its_own_axis() {
        let (b, t, d) = (Axis::batch(), Axis::time(), Axis::new("d", 2));
        let tensor = |axes: &[Axis], shape: &[usize], n: usize| {
            let data = (0..n).map(|x| x as f64).collect();
            Tensor::real(axes.to_vec(), shape.to_vec(), data).expect("fits")
        };
        let given = Named::from([
            ("x".to_owned(), tensor(&[b, t, d], &[1, 5, 2], 10)),
            ("row".to_owned(), tensor(&[b, d], &[2, 2], 4)),
            ("w".to_owned(), tensor(&[d], &[2], 2)),
        ]);
        let packed = Documents::of_lengths(&[2, 3]);
        let second = packed.cut(&given, 1).expect("cut");
        let data = |name: &str| second[name].as_real().expect("real").to_vec();
        assert_eq!(data("x"), [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(data("row"), [2.0, 3.0]);
        assert_eq!(data("w"), [0.0, 1.0]);
        for (name, want) in [("x", &given["x"]), ("row", &given["row"])] {
            let part = |i| packed.cut(&given, i).expect("cut")[name].clone();
            let joined = packed.joined(&[part(0), part(1)]).expect("joins");
            assert_eq!(*joined.ordered(&want.axes).expect("axes"), *want);
        }
        let w = &given["w"];
        let sum = packed.joined(&[w.clone(), w.clone()]).expect("adds");
        assert_eq!(sum.as_real().expect("real"), [0.0, 2.0]);
    }
}
