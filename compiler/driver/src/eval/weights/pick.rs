//! Which entries of an outside tensor make a parameter, in the parameter's order.

use super::table::Entry;

type Sizes = [(String, usize)];

/// Entries of a row-major tensor by their places, and the shape that they are in.
pub struct Picked {
    pub shape: Vec<usize>,
    pub at: Vec<usize>,
}

/// The place of an axis of the parameter.
pub fn axis(name: &str, sizes: &Sizes) -> Result<usize, String> {
    let found = sizes.iter().position(|(a, _)| a == name);
    found.ok_or_else(|| {
        format!(
            "the parameter has no axis `{name}`; it has {}",
            listed(sizes)
        )
    })
}

fn listed(sizes: &Sizes) -> String {
    let all: Vec<String> = sizes.iter().map(|(a, n)| format!("{a} = {n}")).collect();
    format!("[{}]", all.join(", "))
}

impl Picked {
    /// The entries that a line of a table means, in the order of the parameter's axes.
    pub fn of(shape: &[usize], entry: &Entry, sizes: &Sizes) -> Result<Picked, String> {
        let mut all = Picked {
            shape: shape.to_vec(),
            at: (0..shape.iter().product()).collect(),
        };
        if let Some(shape) = &entry.reshape {
            all.reshape(shape)?;
        }
        for (dim, [from, to]) in &entry.slice {
            all.slice(dim, *from, *to)?;
        }
        let plain: Vec<&str> = sizes.iter().map(|(a, _)| a.as_str()).collect();
        let layout = entry.layout.clone().unwrap_or_else(|| plain.join(" "));
        all.lay(&layout, sizes)?;
        for name in &entry.reverse {
            let k = axis(name, sizes)?;
            let order: Vec<usize> = (0..sizes[k].1).rev().collect();
            all.take(k, &order);
        }
        for (name, order) in &entry.order {
            let k = axis(name, sizes)?;
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if sorted != (0..sizes[k].1).collect::<Vec<_>>() {
                let n = sizes[k].1;
                return Err(format!(
                    "`order` of `{name}` must hold each of the {n} positions once"
                ));
            }
            all.take(k, order);
        }
        Ok(all)
    }

    fn reshape(&mut self, shape: &[usize]) -> Result<(), String> {
        if shape.iter().product::<usize>() != self.at.len() {
            return Err(format!(
                "`reshape` to {shape:?} needs another number of entries"
            ));
        }
        self.shape = shape.to_vec();
        Ok(())
    }

    fn slice(&mut self, dim: &str, from: usize, to: usize) -> Result<(), String> {
        let known = dim.parse().ok().filter(|d| *d < self.shape.len());
        let Some(dim) = known else {
            let n = self.shape.len();
            return Err(format!(
                "`slice` of dimension {dim}: there are {n}, counted from 0"
            ));
        };
        if from >= to || to > self.shape[dim] {
            let n = self.shape[dim];
            return Err(format!(
                "`slice` [{from}, {to}] of dimension {dim}, which has {n} entries"
            ));
        }
        self.take(dim, &(from..to).collect::<Vec<_>>());
        Ok(())
    }

    /// Only these positions of a dimension, in this order.
    fn take(&mut self, dim: usize, order: &[usize]) {
        let n = self.shape[dim];
        let inner: usize = self.shape[dim + 1..].iter().product();
        let outer: usize = self.shape[..dim].iter().product();
        let mut at = Vec::with_capacity(outer * order.len() * inner);
        for o in 0..outer {
            for k in order {
                let start = (o * n + k) * inner;
                at.extend_from_slice(&self.at[start..start + inner]);
            }
        }
        self.shape[dim] = order.len();
        self.at = at;
    }

    /// From dimensions that each hold axes of the parameter to its axes in order.
    fn lay(&mut self, layout: &str, sizes: &Sizes) -> Result<(), String> {
        let groups = groups(layout)?;
        let held: Vec<&String> = groups.iter().flatten().collect();
        for name in &held {
            axis(name, sizes)?;
            if held.iter().filter(|n| n == &name).count() > 1 {
                return Err(format!("`layout` names `{name}` twice"));
            }
        }
        if let Some((missing, _)) = sizes.iter().find(|(a, _)| !held.contains(&a)) {
            return Err(format!(
                "`layout` \"{layout}\" lacks `{missing}` of {}",
                listed(sizes)
            ));
        }
        let of = |name: &String| sizes.iter().find(|(a, _)| a == name).map_or(1, |s| s.1);
        let want: Vec<usize> = groups.iter().map(|g| g.iter().map(of).product()).collect();
        if want != self.shape {
            return Err(format!(
                "`layout` \"{layout}\" is {want:?} with {}, the entries are in {:?}",
                listed(sizes),
                self.shape
            ));
        }
        // Where each axis of the parameter steps in the outside order.
        let strides: Vec<usize> = (sizes.iter())
            .map(|(a, _)| {
                let k = held.iter().position(|n| *n == a).unwrap_or(0);
                held[k + 1..].iter().map(|n| of(n)).product()
            })
            .collect();
        let shape: Vec<usize> = sizes.iter().map(|s| s.1).collect();
        let place = |mut to: usize| {
            let mut from = 0;
            for (n, stride) in shape.iter().zip(&strides).rev() {
                from += to % n * stride;
                to /= n;
            }
            from
        };
        self.at = (0..self.at.len()).map(|to| self.at[place(to)]).collect();
        self.shape = shape;
        Ok(())
    }
}

/// `"(g r dk) d"`: for each dimension the axes that it holds; `1` is a dimension without any.
fn groups(layout: &str) -> Result<Vec<Vec<String>>, String> {
    let spaced = layout.replace('(', " ( ").replace(')', " ) ");
    let (mut all, mut open) = (vec![], None);
    let unclosed = || format!("`layout` \"{layout}\": brackets do not match");
    for word in spaced.split_whitespace() {
        match (word, &mut open) {
            ("(", None) => open = Some(vec![]),
            (")", Some(_)) => all.extend(open.take()),
            ("(" | ")", _) => return Err(unclosed()),
            ("1", Some(_)) => {}
            ("1", None) => all.push(vec![]),
            (name, Some(group)) => group.push(name.to_owned()),
            (name, None) => all.push(vec![name.to_owned()]),
        }
    }
    match open {
        None => Ok(all),
        Some(_) => Err(unclosed()),
    }
}
