//! Products of a recurrence's normal form as values of a program.

use crate::affine::{Factor, How, left_out};
use crate::class::Product;
use crate::{DeriveError, Result};
use seqc_algebra::{Builder, Op, Scan, ValueId};
use std::collections::HashMap;

/// Values of factors as they enter products, before renaming.
pub(super) type Factors = HashMap<(ValueId, How), ValueId>;

/// Recomputes values of a body that are free of the state outside the scan, over the whole axis. Operations are
/// written over named axes, so the same operation on the whole sequences is the value at every step.
pub(crate) struct Hoist<'a> {
    scan: &'a Scan,
    args: &'a [ValueId],
    memo: HashMap<ValueId, ValueId>,
    factors: Factors,
}

impl<'a> Hoist<'a> {
    /// `args` are the scan's.
    pub fn new(scan: &'a Scan, args: &'a [ValueId]) -> Hoist<'a> {
        Hoist {
            scan,
            args,
            memo: HashMap::new(),
            factors: Factors::new(),
        }
    }

    pub fn value(&mut self, b: &mut Builder, v: ValueId) -> Result<ValueId> {
        if let Some(known) = self.memo.get(&v) {
            return Ok(*known);
        }
        let body = &self.scan.body;
        let new = match body.params.iter().position(|p| *p == v) {
            Some(0) => b.iota(self.scan.axis)?,
            Some(k) if k > self.scan.states => self.args[k - 1],
            Some(_) => {
                return Err(DeriveError(
                    "a factor of the recurrence depends on its state".into(),
                ));
            }
            None => {
                if matches!(body.op(v), Op::Scan(_) | Op::Proj(_)) {
                    return Err(DeriveError(
                        "a factor of the recurrence is itself a recurrence inside the step".into(),
                    ));
                }
                let args = body
                    .args(v)
                    .iter()
                    .map(|a| self.value(b, *a))
                    .collect::<Result<Vec<_>>>()?;
                let new = b.push(body.op(v).clone(), &args)?;
                if let Some(name) = body.value(v).name {
                    b.name(new, name.as_str());
                }
                new
            }
        };
        self.memo.insert(v, new);
        Ok(new)
    }

    pub fn sum(&mut self, b: &mut Builder, products: &[Product]) -> Result<ValueId> {
        let mut values = Factors::new();
        for f in products.iter().flat_map(Product::all_factors) {
            values.insert((f.value, f.how), self.factor(b, f)?);
        }
        add_up(b, products, &values)
    }

    /// A factor as it enters a product, before renaming.
    pub fn factor(&mut self, b: &mut Builder, f: &Factor) -> Result<ValueId> {
        let v = self.value(b, f.value)?;
        if f.how == How::Times {
            return Ok(v);
        }
        if let Some(known) = self.factors.get(&(f.value, f.how)) {
            return Ok(*known);
        }
        let (zero, one) = (b.num(0.0), b.num(1.0));
        let new = match f.how {
            How::Times => v,
            How::Over => b.div(one, v)?,
            How::Where => b.select(v, one, zero)?,
            How::Unless => b.select(v, zero, one)?,
        };
        self.factors.insert((f.value, f.how), new);
        Ok(new)
    }
}

/// The sum of products as a value, given values for their factors; 0 if there are none.
pub(super) fn add_up(b: &mut Builder, products: &[Product], values: &Factors) -> Result<ValueId> {
    let mut all: Option<ValueId> = None;
    for p in products {
        let x = multiply(b, p, values)?;
        all = Some(match all {
            None => x,
            Some(y) => b.add2(y, x)?,
        });
    }
    Ok(all.unwrap_or_else(|| b.num(0.0)))
}

/// The product as a value, given values for its factors.
pub(super) fn multiply(b: &mut Builder, p: &Product, values: &Factors) -> Result<ValueId> {
    let laid = |b: &mut Builder, all: &[Factor]| {
        let each = all.iter().map(|f| Ok((f.how, renamed(b, f, values)?)));
        each.collect::<Result<Vec<_>>>()
    };
    let own = laid(b, &p.factors)?;
    let mut all = left_out(b, &own, &[])?;
    for s in &p.sums {
        let inner = laid(b, &s.factors)?;
        let inner = left_out(b, &inner, &own)?;
        all.push(b.contract(&s.over, &inner)?);
    }
    let scale = b.num(p.scale);
    let mut product: Option<ValueId> = None;
    for x in all {
        product = Some(match product {
            None => x,
            Some(y) => b.mul(y, x)?,
        });
    }
    match product {
        None => Ok(scale),
        Some(v) => Ok(b.mul(v, scale)?),
    }
}

fn renamed(b: &mut Builder, f: &Factor, values: &Factors) -> Result<ValueId> {
    let mut v = values[&(f.value, f.how)];
    for (from, to) in &f.renamed {
        v = b.rename(v, *from, *to)?;
    }
    Ok(v)
}
