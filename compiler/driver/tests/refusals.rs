//! What has no fast form: the report names the property that fails, points at the line, and warns of what it costs;
//! and a mixer that cannot generate says so.

use seqc_driver::explain::{Report, report, warnings};
use seqc_driver::frontend;
use seqc_driver::passes::Shapes;

/// A mixer's header and body, what its missing form's reason says, a part of the line it points at ("": none), and a
/// part of the warning ("": none).
struct Case {
    header: &'static str,
    body: &'static str,
    why: &'static str,
    line: &'static str,
    warning: &'static str,
}

const VECTOR: &str = "x: seq{n}, a: seq{n}; n = 8) -> o: seq{n}";
const PAIR: &str = "q: seq{dk}, k: seq{dk}, v: seq{dv}; dk = 8, dv = 16) -> o: seq{dv}";
const GATED: &str =
    "q: seq{dk}, k: seq{dk}, v: seq{dv}, a: seq{dk, dv}; dk = 8, dv = 16) -> o: seq{dv}";
const LOOP: &str = "trains in a sequential loop over time";
const AHEAD: &str = "it looks ahead";
const CASES: &[Case] = &[
    Case {
        header: VECTOR,
        body: "state o{n}\no[t] = tanh(x + a * o[t-1])",
        why: "`tanh(x + a * o[t-1])` is not",
        line: "o[t] = tanh",
        warning: LOOP,
    },
    Case {
        header: VECTOR,
        body: "state o{n}\no[t] = x + 0.1 * o[t-1] * o[t-1]",
        why: "it multiplies two values that both depend on the state",
        line: "o[t] = x",
        warning: LOOP,
    },
    Case {
        header: VECTOR,
        body: "state o{n}\no[t] = max(a * o[t-1], x)",
        why: "`max` of the state is not linear",
        line: "o[t] = max",
        warning: LOOP,
    },
    Case {
        header: VECTOR,
        body: "state o{n}\no[t] = a * o[t-1] + x",
        why: "there is no matrix product to gain",
        line: "",
        warning: LOOP,
    },
    Case {
        header: VECTOR,
        body: "state o{n}\no[t] = linear(o[t-1], n -> n) + x",
        why: "one matrix both reads and writes an axis of the state",
        line: "",
        warning: LOOP,
    },
    Case {
        header: VECTOR,
        body: "state o{n}\no[t] = 0.5 * o[t-1] + 0.25 * o[t-2] + x",
        why: "there is no matrix product to gain",
        line: "",
        warning: LOOP,
    },
    Case {
        header: VECTOR,
        body: "state o{n}\no[t] = a * o[t+1] + x",
        why: "there is no matrix product to gain",
        line: "",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "state S{dk, dv}\ng = sigmoid(sum[dk](k * S[t-1]))\nS[t] = g * S[t-1] + k * v\no = sum[dk](q * S)",
        why: "`sigmoid` of the state is not linear",
        line: "S[t] = g",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "state S{dk, dv}\nw = softmax[dk](sum[dv](S[t-1] * v))\nS[t] = S[t-1] + w * v\no = sum[dk](q * S)",
        why: "`softmax` of the state is not linear",
        line: "S[t] =",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "state S{dk, dv}\nS[t] = S[t-1] / (1 + sum[dk, dv](S[t-1] * S[t-1])) + k * v\no = sum[dk](q * S)",
        why: "it multiplies two values that both depend on the state",
        line: "S[t] =",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "param W{dk, dk'} = normal(0.1)\nstate S{dk, dv}\nS[t] = sum[dk'](W * S[t-1]{dk -> dk'}) + k * v\no = sum[dk](q * S)",
        why: "one matrix both reads and writes an axis of the state",
        line: "",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "state S{dk, dv}\nS[t] = 0.9 * S[t-1] + k * v\no = sum[dk](q * S * S)",
        why: "there is no matrix product to gain",
        line: "",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "state S{dk, dv}\nS[t] = 0.9 * S[t-1] + k * v\no = max[dk](q * S)",
        why: "there is no matrix product to gain",
        line: "",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "state S{dk, dv}\nstate R{dk, dv}\nS[t] = 0.9 * S[t-1] + 0.1 * R[t-1] + k * v\nR[t] = R[t-1] + S[t-1]\no = sum[dk](q * R) + v * sum[dk, dv](k * v * R)",
        why: "a read contracts {dk} of the axes {dk, dv}",
        line: "",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "state S{dk, dv}\nS[t] = 0.9 * S[t-1] - 0.1 * S[t-9] + k * v\no = sum[dk](q * S)",
        why: "9 states feed each other, more than 8",
        line: "",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "state S{dk, dv}\nstate R{dk, dv}\nS[t] = 0.9 * S[t-1] + tanh(R[t-1]) + k * v\nR[t] = R[t-1] + S[t-1]\no = sum[dk](q * R)",
        why: "`tanh` of the state is not linear",
        line: "S[t] =",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "state S{dk, dv}\nS[t] = S[t-1] - k * sum[dk](k * S[t-1]) - v * sum[dv](v * S[t-1]) + k * v\no = sum[dk](q * S)",
        why: "a term of its transition moves {dk} of the axes {dk, dv}",
        line: "",
        warning: LOOP,
    },
    Case {
        header: GATED,
        body: "state S{dk, dv}\nS[t] = a * S[t-1] + k * v\no = sum[dk](q * S)",
        why: "every axis of the state has its own decay or read",
        line: "",
        warning: LOOP,
    },
    Case {
        header: GATED,
        body: "state S{dk, dv}\nS[t] = a * S[t-1] - k * sum[dk](k * S[t-1]) + k * v\no = sum[dk](q * S)",
        why: "every axis of the state has its own decay or read",
        line: "",
        warning: LOOP,
    },
    Case {
        header: PAIR,
        body: "A[i,j] = sum[dk](q[i] * k[j])  where j <= i\nM[i,j] = A[i,j] * top[j](A[i,j], 4)\no = sum[j](M[t,j] * v[j])",
        why: "4)` cannot",
        line: "",
        warning: "is stored whole, T×T",
    },
    Case {
        header: PAIR,
        body: "M[i,j] = softmax[j](sum[dk](q[i] * k[j]))\no = sum[j](M[t,j] * v[j])",
        why: "a softmax needs all earlier entries of its row",
        line: "",
        warning: AHEAD,
    },
    Case {
        header: PAIR,
        body: "M[i,j] = relu(sum[dk](q[i] * k[j]))  where j <= i\no = sum[j](M[t,j] * v[j])",
        why: "its entries are not sums of products of a row's and a column's values",
        line: "",
        warning: "",
    },
    Case {
        header: VECTOR,
        body: "param w{n} = 1\nf[lag] = exp(-w * lag)  where lag >= 0\no = sum[lag](f[lag] * x[t + lag]) + a",
        why: "it reads later times, and steps of generation go forward",
        line: "",
        warning: AHEAD,
    },
];

/// The text of everything that a report gives as a reason.
fn reasons(r: &Report) -> Vec<(String, String)> {
    let line = |at: &Option<seqc_driver::explain::Place>| {
        at.as_ref().map_or(String::new(), |p| p.text.clone())
    };
    let missing = r.equations.iter().flat_map(|q| {
        let why = q.why.iter().map(|w| (w.text.clone(), line(&w.at)));
        why.chain(q.missing.iter().map(|m| (m.why.clone(), line(&m.at))))
    });
    missing.collect()
}

#[test]
fn every_missing_form_says_why() {
    let mut wrong = vec![];
    for c in CASES {
        let text = format!("seq 1\n\nmixer m({} {{\n{}\n}}\n", c.header, c.body);
        let source = frontend::of_text("m.seq", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let e = source
            .elaborate("m", &[])
            .unwrap_or_else(|e| panic!("{e}\n{text}"));
        let r = report(&source, &e, &Shapes::cpu()).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let missing = r.equations.iter().any(|q| !q.missing.is_empty());
        let said = reasons(&r);
        let found = |(why, line): &(String, String)| why.contains(c.why) && line.contains(c.line);
        if !missing || !said.iter().any(found) {
            wrong.push(format!(
                "{text}\nwants `{}` at `{}`, has {said:#?}",
                c.why, c.line
            ));
        }
        let early = warnings(&source, &e, &Shapes::cpu()).unwrap_or_else(|e| panic!("{e}"));
        if !c.warning.is_empty() && !early.iter().any(|w| w.contains(c.warning)) {
            wrong.push(format!("{text}\nwarns {early:?}"));
        }
        if early.iter().any(|w| !r.warnings.contains(w)) {
            wrong.push(format!("{text}\nwarns {early:?}, repeats {:?}", r.warnings));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What looks ahead is refused a step by name; what is causal has one, whatever its class.
#[test]
fn generation_is_refused_where_the_future_is_read() {
    for c in CASES {
        let text = format!("seq 1\n\nmixer m({} {{\n{}\n}}\n", c.header, c.body);
        let source = frontend::of_text("m.seq", &text).unwrap_or_else(|e| panic!("{e}"));
        let e = source.elaborate("m", &[]).unwrap_or_else(|e| panic!("{e}"));
        let r = report(&source, &e, &Shapes::cpu()).unwrap_or_else(|e| panic!("{e}"));
        let ahead = c.body.contains("t+1") || c.body.contains("t + lag") || c.warning == AHEAD;
        match r.generation {
            Ok(_) => assert!(!ahead, "{text}"),
            Err(why) => assert!(ahead && why.contains("looks ahead"), "{text}\n{why}"),
        }
    }
}
