//! Matrix programs from a grid: a domain, an entry, a term that reads the entry, a reduction of the terms, and how the
//! matrix is read. Each comes as text and as plain loops over numbers, which know nothing of the compiler.
#![allow(dead_code)]

/// Draws by which causality is shown.
const DRAWS: usize = 64;

/// What a program is given, one number a step.
pub struct Given {
    pub q: Vec<f64>,
    pub k: Vec<f64>,
    pub x: Vec<f64>,
}

impl Given {
    /// Numbers in (-1, 1) without a pattern, none of them 0; longer ones begin as shorter ones do.
    pub fn of_length(len: usize, seed: usize) -> Given {
        let draw = |name: usize| {
            let at = move |t: usize| {
                let k = (t * 3 + name + 1000 * seed) as f64;
                ((k * 12.9898).sin() * 43758.547).fract()
            };
            (0..len).map(at).collect()
        };
        Given {
            q: draw(0),
            k: draw(1),
            x: draw(2),
        }
    }
}

pub struct Domain {
    pub text: &'static str,
    pub holds: fn(i64, i64) -> bool,
}

pub const DOMAINS: &[Domain] = &[
    Domain {
        text: "",
        holds: |_, _| true,
    },
    Domain {
        text: "j <= i",
        holds: |i, j| j <= i,
    },
    Domain {
        text: "j < i",
        holds: |i, j| j < i,
    },
    Domain {
        text: "j <= i and i - j < 3",
        holds: |i, j| j <= i && i - j < 3,
    },
    Domain {
        text: "j >= i",
        holds: |i, j| j >= i,
    },
    Domain {
        text: "2 * j <= 2 * i",
        holds: |i, j| j <= i,
    },
    Domain {
        text: "3 * j <= i",
        holds: |i, j| 3 * j <= i,
    },
    Domain {
        text: "j - 1 <= 2 * i",
        holds: |i, j| j <= 2 * i + 1,
    },
    Domain {
        text: "j / 2 <= i / 2 - 1",
        holds: |i, j| j <= i - 2,
    },
    Domain {
        text: "not (j > i)",
        holds: |i, j| j <= i,
    },
    Domain {
        text: "not (j > i or i - j > 2)",
        holds: |i, j| j <= i && i - j <= 2,
    },
    Domain {
        text: "j < i or j == i",
        holds: |i, j| j <= i,
    },
    Domain {
        text: "j == i - 1 or j == i + 1",
        holds: |i, j| (i - j).abs() == 1,
    },
    Domain {
        text: "j <= i and (j == 0 or i - j < 2)",
        holds: |i, j| j <= i && (j == 0 || i - j < 2),
    },
    Domain {
        text: "j == 0 or j == i",
        holds: |i, j| j == 0 || j == i,
    },
    Domain {
        text: "block(j, 2) < block(i, 2)",
        holds: |i, j| j / 2 < i / 2,
    },
    Domain {
        text: "block(j, 3) <= block(i, 3)",
        holds: |i, j| j / 3 <= i / 3,
    },
    Domain {
        text: "block(j, 3) == block(i, 3) and j <= i",
        holds: |i, j| j / 3 == i / 3 && j <= i,
    },
    Domain {
        text: "abs(i - j) <= 1",
        holds: |i, j| (i - j).abs() <= 1,
    },
    Domain {
        text: "i >= 2 and j <= i",
        holds: |i, j| i >= 2 && j <= i,
    },
    Domain {
        text: "i + j <= 2 * i and j % 2 == 0",
        holds: |i, j| j <= i && j % 2 == 0,
    },
    Domain {
        text: "j != i and j <= i",
        holds: |i, j| j < i,
    },
];

pub struct Entry {
    pub text: &'static str,
    pub value: fn(&Given, usize, usize) -> f64,
}

pub const ENTRIES: &[Entry] = &[
    Entry {
        text: "q[i] * k[j]",
        value: |g, i, j| g.q[i] * g.k[j],
    },
    Entry {
        text: "0.5 - abs(q[i] - k[j])",
        value: |g, i, j| 0.5 - (g.q[i] - g.k[j]).abs(),
    },
    Entry {
        text: "1 / (i + j + 1)",
        value: |_, i, j| 1.0 / (i + j + 1) as f64,
    },
];

/// A term over the entry `m` and a value `x` of the column.
pub struct Term {
    pub text: &'static str,
    pub value: fn(f64, f64) -> f64,
    /// A polynomial in the entry: in a sum it is a number outside of the domain.
    pub polynomial: bool,
    /// It has addends that exist outside of the entry's domain.
    pub apart: bool,
}

const fn polynomial(text: &'static str, value: fn(f64, f64) -> f64) -> Term {
    Term {
        text,
        value,
        polynomial: true,
        apart: false,
    }
}

const fn function(text: &'static str, value: fn(f64, f64) -> f64) -> Term {
    Term {
        text,
        value,
        polynomial: false,
        apart: false,
    }
}

pub const TERMS: &[Term] = &[
    polynomial("M", |m, _| m),
    polynomial("M * x", |m, x| m * x),
    polynomial("x * M * M / 2", |m, x| x * m * m / 2.0),
    polynomial("x * M - 2 * M", |m, x| x * m - 2.0 * m),
    polynomial("-(M ^ 3)", |m, _| -(m * m * m)),
    polynomial("M + 0.25", |m, _| m + 0.25),
    Term {
        text: "M + x",
        value: |m, x| m + x,
        polynomial: true,
        apart: true,
    },
    Term {
        text: "x * (M + 1)",
        value: |m, x| x * (m + 1.0),
        polynomial: true,
        apart: true,
    },
    function("exp(M)", |m, _| m.exp()),
    function("exp(M) * x", |m, x| m.exp() * x),
    function("x / (3 + M)", |m, x| x / (3.0 + m)),
    function(
        "select(M > 0, x, 1 - x)",
        |m, x| if m > 0.0 { x } else { 1.0 - x },
    ),
    function("sigmoid(M + x)", |m, x| 1.0 / (1.0 + (-(m + x)).exp())),
    function("silu(M) + exp(M * x)", |m, x| {
        m / (1.0 + (-m).exp()) + (m * x).exp()
    }),
    function("max(M, 0.1) - 0.3 * cos(M)", |m, _| {
        m.max(0.1) - 0.3 * m.cos()
    }),
];

pub struct Reduction {
    /// `{}` is the term.
    pub text: &'static str,
    /// Of the terms that exist, with the value of the column, and at which column.
    pub value: fn(&[(f64, f64, usize)]) -> f64,
    pub mean: bool,
}

fn extreme(terms: &[(f64, f64, usize)], better: fn(f64, f64) -> bool) -> Option<(f64, usize)> {
    let mut best: Option<(f64, usize)> = None;
    for (v, _, j) in terms {
        if best.is_none_or(|(b, _)| better(*v, b)) {
            best = Some((*v, *j));
        }
    }
    best
}

fn largest(terms: &[(f64, f64, usize)]) -> f64 {
    extreme(terms, |a, b| a > b).map_or(0.0, |b| b.0)
}

fn total(terms: &[(f64, f64, usize)]) -> f64 {
    terms.iter().map(|t| t.0.exp()).sum()
}

/// Those with fewer than two larger ones; no two are equal but by chance of a pattern, where the first counts.
fn two_largest(terms: &[(f64, f64, usize)]) -> f64 {
    let larger = |k: usize| {
        let before = |l: usize| terms[l].0 > terms[k].0 || (terms[l].0 == terms[k].0 && l < k);
        (0..terms.len()).filter(|l| before(*l)).count()
    };
    (0..terms.len())
        .filter(|k| larger(*k) < 2)
        .map(|k| terms[k].1)
        .sum()
}

const fn reduction(text: &'static str, value: fn(&[(f64, f64, usize)]) -> f64) -> Reduction {
    Reduction {
        text,
        value,
        mean: false,
    }
}

/// The first is the sum, which sees polynomials outside of the domain.
pub const REDUCTIONS: &[Reduction] = &[
    reduction("sum[j]({})", |t| t.iter().map(|t| t.0).sum()),
    Reduction {
        text: "mean[j]({})",
        value: |t| t.iter().map(|t| t.0).sum::<f64>() / t.len().max(1) as f64,
        mean: true,
    },
    reduction("max[j]({})", largest),
    reduction("min[j]({})", |t| {
        extreme(t, |a, b| a < b).map_or(0.0, |b| b.0)
    }),
    reduction("prod[j]({})", |t| t.iter().map(|t| t.0).product()),
    reduction("logsumexp[j]({})", |t| {
        if t.is_empty() { 0.0 } else { total(t).ln() }
    }),
    reduction("sum[j](softmax[j]({}) * x[j])", |t| {
        t.iter().map(|(v, x, _)| v.exp() * x).sum::<f64>() / total(t).max(1e-300)
    }),
    reduction("argmax[j]({}) + 0", |t| {
        extreme(t, |a, b| a > b).map_or(0.0, |b| b.1 as f64)
    }),
    reduction("argmin[j]({}) + 0", |t| {
        extreme(t, |a, b| a < b).map_or(0.0, |b| b.1 as f64)
    }),
    reduction("sum[j](top[j]({}, 2) * x[j])", two_largest),
];

pub struct Read {
    pub text: &'static str,
    /// Row and column of the entry that is read at step t for position j.
    pub at: fn(i64, i64) -> (i64, i64),
    /// The term is a matrix of its own, without `where`, and its row is reduced.
    pub named: bool,
}

pub const READS: &[Read] = &[
    Read {
        text: "M[t,j]",
        at: |t, j| (t, j),
        named: false,
    },
    Read {
        text: "M[j,t]",
        at: |t, j| (j, t),
        named: false,
    },
    Read {
        text: "M[t-1,j]",
        at: |t, j| (t - 1, j),
        named: false,
    },
    Read {
        text: "M[i,j]",
        at: |t, j| (t, j),
        named: true,
    },
    Read {
        text: "M[j,i]",
        at: |t, j| (j, t),
        named: true,
    },
    Read {
        text: "M[i,j-1]",
        at: |t, j| (t, j - 1),
        named: true,
    },
];

#[derive(Clone, Copy)]
pub struct Program {
    pub domain: &'static Domain,
    pub entry: &'static Entry,
    pub term: &'static Term,
    pub reduction: &'static Reduction,
    pub read: &'static Read,
}

/// The whole grid.
pub fn all() -> Vec<Program> {
    let mut out = Vec::new();
    for domain in DOMAINS {
        for (k, term) in TERMS.iter().enumerate() {
            for (l, reduction) in REDUCTIONS.iter().enumerate() {
                for (m, read) in READS.iter().enumerate() {
                    let entry = &ENTRIES[(k + l + m) % ENTRIES.len()];
                    out.push(Program {
                        domain,
                        entry,
                        term,
                        reduction,
                        read,
                    });
                }
            }
        }
    }
    out
}

impl Program {
    pub fn text(&self) -> String {
        let mut lines = vec![format!("M[i,j] = {}", self.entry.text)];
        if !self.domain.text.is_empty() {
            lines[0] += &format!("  where {}", self.domain.text);
        }
        let term = self.term.text.replace('M', self.read.text);
        let term = term
            .replace("x", "x[j]")
            .replace("ex[j]p", "exp")
            .replace("max[j]", "max");
        if self.read.named {
            lines.push(format!("N[i,j] = {term}"));
        }
        let term = if self.read.named { "N[t,j]" } else { &term };
        lines.push(format!("y = {}", self.reduction.text.replace("{}", term)));
        let body = lines.join("\n    ");
        format!(
            "seq 1\n\nmixer m(q: seq{{}}, k: seq{{}}, x: seq{{}}) -> y: seq{{}} {{\n    {body}\n}}\n"
        )
    }

    /// A mean of addends that exist at different places is an error.
    pub fn refused(&self) -> bool {
        self.reduction.mean && self.term.apart && !self.everywhere()
    }

    /// No entry that is read lacks.
    fn everywhere(&self) -> bool {
        self.domain.text.is_empty()
    }

    /// The output at every step, by loops.
    pub fn values(&self, g: &Given) -> Vec<f64> {
        (0..g.x.len()).map(|t| self.value(g, t)).collect()
    }

    fn value(&self, g: &Given, t: usize) -> f64 {
        let len = g.x.len() as i64;
        let mut terms = Vec::new();
        for j in 0..len {
            let (row, col) = (self.read.at)(t as i64, j);
            let there = (0..len).contains(&row) && (0..len).contains(&col);
            // Without a domain, what lies beyond the ends is a 0 like any other.
            let exists = self.everywhere() || there && (self.domain.holds)(row, col);
            let entry = match there && exists {
                true => (self.entry.value)(g, row as usize, col as usize),
                false => 0.0,
            };
            let sums = self.reduction.text == REDUCTIONS[0].text && self.term.polynomial;
            if exists || sums {
                let x = g.x[j as usize];
                terms.push(((self.term.value)(entry, x), x, j as usize));
            }
        }
        (self.reduction.value)(&terms)
    }

    /// Could any term be the one that counts? Where entries fall along a row whatever is given, the largest is always an
    /// early one, and nothing shows that later ones are looked at.
    pub fn shows_all(&self) -> bool {
        let sum = self.reduction.text == REDUCTIONS[0].text;
        // The same if every row begins with a 0 from beyond the end.
        let begins_with_0 = self.everywhere() && self.read.text.contains('1');
        sum || self.entry.text.contains('q') && !begins_with_0
    }

    /// Does no step change when later ones come? Shown by all lengths up to `most`.
    pub fn is_causal(&self, most: usize) -> bool {
        let close = |a: &f64, b: &f64| (a - b).abs() < 1e-12;
        (1..most).all(|len| {
            (0..DRAWS).all(|seed| {
                let a = self.values(&Given::of_length(len, seed));
                let b = self.values(&Given::of_length(len + 1, seed));
                a.iter().zip(&b).all(|(a, b)| close(a, b))
            })
        })
    }
}
