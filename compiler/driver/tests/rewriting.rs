//! Classes and forms are those of an equation, not of its text: whatever the laws of a ring make of the steps of a
//! library mixer (terms and factors in other orders, products distributed, sums factored, contractions of products), it
//! computes the same and gets the same class and the same forms.

mod support;

use seqc_algebra::interp::run;
use seqc_algebra::{Builder, Func, MapFn, Op, Scan, ValueId};
use seqc_derive::report::equations;
use std::collections::HashMap;
use support::items::ITEMS;
use support::{difference, draw, elaborated, inputs, lengths};

/// Programs made of each mixer, each of the one before, and steps from one to the next.
const PROGRAMS: usize = 24;
const STEPS: usize = 20;

/// Numbers below a bound, one after the other.
struct Dice(usize, &'static str);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 += 1;
        ((draw(self.1, self.0) + 1.0) / 2.0 * n as f64) as usize % n.max(1)
    }
}

/// The value written in another way by a law chosen at random; `None` if the law does not apply.
fn rewritten(b: &mut Builder, op: &Op, args: &[ValueId], dice: &mut Dice) -> Option<ValueId> {
    use MapFn::{Add, Mul, Neg, Sub};
    let map = |b: &Builder, v: ValueId| match b.func().op(v) {
        Op::Map(f) => Some((*f, b.func().args(v).to_vec())),
        _ => None,
    };
    match op {
        Op::Map(Sub) => {
            let minus = b.neg(args[1]).ok()?;
            b.add2(args[0], minus).ok()
        }
        Op::Map(f @ (Add | Mul)) => {
            let (x, y) = match dice.below(2) {
                0 => (args[0], args[1]),
                _ => (args[1], args[0]),
            };
            match (f, dice.below(3), map(b, x), map(b, y)) {
                (f, 0, Some((g, inner)), _) if *f == g => {
                    let rest = b.map2(*f, inner[1], y).ok()?;
                    b.map2(*f, inner[0], rest).ok()
                }
                (Mul, 1, Some((g @ (Add | Sub), inner)), _) => {
                    let one = b.mul(inner[0], y).ok()?;
                    let two = b.mul(inner[1], y).ok()?;
                    b.map2(g, one, two).ok()
                }
                (Mul, 1, Some((Neg, inner)), _) => {
                    let product = b.mul(inner[0], y).ok()?;
                    b.neg(product).ok()
                }
                (Add, 1, Some((Mul, one)), Some((Mul, two))) => {
                    let shared = *one.iter().find(|v| two.contains(v))?;
                    let other = |all: &[ValueId]| all[usize::from(all[0] == shared)];
                    let sum = b.add2(other(&one), other(&two)).ok()?;
                    b.mul(shared, sum).ok()
                }
                _ => b.map2(*f, y, x).ok(),
            }
        }
        Op::Contract(over) => {
            let n = dice.below(args.len());
            let mut others = args.to_vec();
            let one = others.remove(n);
            match (dice.below(2), map(b, one)) {
                (_, Some((Mul, inner))) => b.contract(over, &[others, inner].concat()).ok(),
                (_, Some((g @ (Add | Sub), inner))) => {
                    let sums = [inner[0], inner[1]].map(|x| {
                        let all = [others.clone(), vec![x]].concat();
                        b.contract(over, &all).ok()
                    });
                    b.map2(g, sums[0]?, sums[1]?).ok()
                }
                (0, _) if !others.is_empty() => {
                    let product = b.mul(others.remove(0), one).ok()?;
                    b.contract(over, &[others, vec![product]].concat()).ok()
                }
                _ => b.contract(over, &[vec![one], others].concat()).ok(),
            }
        }
        _ => None,
    }
}

/// A step's body with some of its values written in other ways.
fn body(old: &Func, dice: &mut Dice) -> Func {
    let mut func = old.clone();
    for _ in 0..STEPS {
        let live = func.live();
        let at = dice.below(func.values.len());
        let mut b = Builder::new(&func.name);
        let mut image: HashMap<ValueId, ValueId> = HashMap::new();
        for id in func
            .ids()
            .filter(|v| live[v.index()] || func.params.contains(v))
        {
            let args: Vec<ValueId> = func.args(id).iter().map(|a| image[a]).collect();
            let other = match id.index() == at {
                true => rewritten(&mut b, func.op(id), &args, dice),
                false => None,
            };
            let new = other.filter(|v| b.ty(*v).same(func.ty(id)));
            let new = new.unwrap_or_else(|| b.copy(func.value(id), &args).expect("a copy"));
            image.insert(id, new);
        }
        for (name, v) in &func.results {
            b.result(name, image[v]);
        }
        func = b.finish();
    }
    func
}

/// The program with every step's equations written in other ways.
fn program(func: &Func, dice: &mut Dice) -> Func {
    let mut func = func.clone();
    for v in &mut func.values {
        if let Op::Scan(s) = &v.op {
            v.op = Op::Scan(Box::new(Scan {
                body: body(&s.body, dice),
                ..(**s).clone()
            }));
        }
    }
    func
}

/// Class and forms of every equation, and which forms are missing.
fn found(func: &Func) -> Vec<String> {
    let all = equations(func).unwrap_or_else(|e| panic!("{e}"));
    let mut all: Vec<String> = (all.iter())
        .map(|e| {
            let missing: Vec<&str> = e.missing.iter().map(|m| m.form).collect();
            format!("{} {:?} {missing:?}", e.class.word(), e.forms)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn classes_do_not_depend_on_how_steps_are_written() {
    let mut changed = 0;
    for (file, name, settings) in ITEMS {
        let func = elaborated(file, name, settings);
        let want = found(&func);
        let sizes = lengths(5);
        let given = inputs(&func, &sizes);
        let meant = run(&func, &given, &sizes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut dice = Dice(0, name);
        let mut other = func.clone();
        for n in 0..PROGRAMS {
            let before = other;
            other = program(&before, &mut dice);
            changed += usize::from(other != before);
            let made = run(&other, &given, &sizes).unwrap_or_else(|e| panic!("{name}: {e}"));
            for ((out, x), (_, y)) in made.iter().zip(&meant) {
                assert_eq!(difference(out, x, y), None, "{name}, program {n}");
            }
            assert_eq!(found(&other), want, "{name}, program {n}:\n{other}");
        }
    }
    assert!(changed > ITEMS.len() * PROGRAMS / 2, "{changed}");
}
