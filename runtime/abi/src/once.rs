//! Which launches need to run only once where parameters stay as they are: they are brought to the front.
//!
//! Side condition: such a launch reads parameters and what such launches wrote, and writes temporaries that no other
//! launch writes. Everything else keeps its order.

use crate::validate::Use;
use crate::{Plan, Role};

impl Plan {
    /// The same plan with those launches first, and counted.
    pub fn hoisted(mut self) -> Plan {
        let uses: Vec<Vec<Use>> = self.launches.iter().map(|l| l.uses(&self)).collect();
        let mut once = vec![true; uses.len()];
        while let Some(k) = (0..uses.len()).find(|&k| once[k] && !self.steady(&uses, &once, k)) {
            once[k] = false;
        }
        let (first, rest): (Vec<_>, Vec<_>) =
            (self.launches.into_iter().zip(&once)).partition(|(_, once)| **once);
        self.once = first.len();
        self.launches = first.into_iter().chain(rest).map(|(l, _)| l).collect();
        self
    }

    /// Does launch `k` read nothing that changes, if those of `once` do not?
    fn steady(&self, uses: &[Vec<Use>], once: &[bool], k: usize) -> bool {
        let writers = |b: usize| {
            (0..uses.len()).filter(move |&i| uses[i].iter().any(|u| u.buffer == b && u.writes))
        };
        uses[k]
            .iter()
            .all(|u| match self.buffers.get(u.buffer).map(|b| &b.role) {
                Some(Role::Param { .. }) => !u.writes,
                Some(Role::Temp) => writers(u.buffer).all(|i| once[i]),
                _ => false,
            })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Buffer, Dim, Elem, Init, KernelDecl, Launch, Plan, Role};

    fn plan(reads_and_writes: &[(usize, usize)]) -> Plan {
        let roles = [
            Role::Param {
                path: "w".into(),
                init: Init::Zero,
                decay: false,
            },
            Role::Input { name: "x".into() },
            Role::Output { name: "y".into() },
            Role::Temp,
            Role::Temp,
        ];
        let buffer = |(k, role)| Buffer {
            name: format!("b{k}"),
            elem: Elem::F32,
            axes: vec!["d".into()],
            shape: vec![Dim::Const(4)],
            role,
        };
        Plan {
            buffers: roles.into_iter().enumerate().map(buffer).collect(),
            kernels: vec![KernelDecl {
                symbol: "k".into(),
                dims: vec![],
                scratch_bytes: 0,
                writes: vec![false, true],
            }],
            launches: (reads_and_writes.iter())
                .map(|&(r, w)| Launch::Kernel {
                    kernel: 0,
                    buffers: vec![r, w],
                    grid: vec![],
                })
                .collect(),
            ..Plan::default()
        }
    }

    fn order(p: &Plan) -> Vec<(usize, usize)> {
        let of = |l: &Launch| match l {
            Launch::Kernel { buffers, .. } => (buffers[0], buffers[1]),
            _ => (9, 9),
        };
        p.launches.iter().map(of).collect()
    }

    /// b3 is made of parameters, b4 of b3: both come first. A result is written in every run.
    #[test]
    fn what_only_parameters_enter_comes_first() {
        let p = plan(&[(1, 2), (0, 3), (3, 4), (4, 2), (0, 2)]).hoisted();
        assert_eq!(p.once, 2);
        assert_eq!(order(&p), [(0, 3), (3, 4), (1, 2), (4, 2), (0, 2)]);
    }

    /// b3 is written from the input too, so neither that nor what is made of it may stay.
    #[test]
    fn what_an_input_enters_as_well_stays_in_its_place() {
        let p = plan(&[(0, 3), (3, 4), (1, 3), (3, 2)]).hoisted();
        assert_eq!(p.once, 0);
        assert_eq!(order(&p), [(0, 3), (3, 4), (1, 3), (3, 2)]);
    }
}
