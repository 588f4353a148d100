//! Specs changed in a few places: near enough to right ones to reach every stage, wrong in every way.
//!
//! Two kinds of change. By tokens: mostly breaks the syntax. By expressions and names (`places`): keeps it.

use super::places::places;
pub use super::rng::Rng;
use super::tokens::{closed, is_blank, is_number, is_word, split};

/// Tokens that mean something.
const WORDS: &[&str] = &[
    "t",
    "i",
    "j",
    "lag",
    "len",
    "first",
    "last",
    "inf",
    "pi",
    "batch",
    "training",
    "x",
    "d",
    "y",
    "S",
    "h",
    "sum",
    "mean",
    "max",
    "min",
    "prod",
    "softmax",
    "logsumexp",
    "argmax",
    "argmin",
    "top",
    "linear",
    "affine",
    "range",
    "select",
    "block",
    "stack",
    "onehot",
    "xent",
    "reverse",
    "shift",
    "patch",
    "unpatch",
    "grad",
    "stop",
    "re",
    "im",
    "exp",
    "log",
    "sign",
    "bitlen",
    "xor",
    "hash",
    "param",
    "state",
    "noise",
    "repeat",
    "objective",
    "where",
    "and",
    "or",
    "not",
    "per",
    "mixer",
    "seq",
    "normal",
    "uniform",
    "bernoulli",
    "l2norm",
    "along",
];
const SYMBOLS: &[&str] = &[
    "+", "-", "*", "/", "%", "^", "<", "<=", "==", "!=", "=", "+=", "->", ",", ";", ":", "(", ")",
    "[", "]", "{", "}", "'", "$", "\u{feff}", "é", "\0", "\r\n",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "7",
    "64",
    "0.5",
    "1e-3",
    "1i",
    "63",
    "65",
    "4097",
    "65536",
    "1048577",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "1e18",
    "1e308",
    "1e-320",
    "0.1",
];
/// Put behind an operand.
const SUFFIXES: &[&str] = &[
    "[t]",
    "[t-1]",
    "[t+1]",
    "[t - 70]",
    "[i]",
    "[j]",
    "[lag]",
    "[t - lag]",
    "[first]",
    "[last]",
    "[first + lag]",
    "[t - range(d)]",
    "[t + 3 - range(h)]",
    "[i,j]",
    "[t,j]",
    "[j,i]",
    "{d = 0}",
    "{h = t}",
    "{d = d - 1}",
    "{d -> h}",
    "{d -> d'}",
    "{h d -> d}",
    "{->}",
    "{ -> h}",
    "'",
    " * 1i",
    " ^ 2",
    " ^ -1",
    " / 0",
    " + x",
    " - x",
    " where j <= i",
    " where lag >= 0",
    " where t > 3",
];
/// Put around an operand.
const WRAPPERS: &[(&str, &str)] = &[
    ("sum[d](", ")"),
    ("sum[t](", ")"),
    ("sum[j](", ")"),
    ("sum[lag](", ")"),
    ("mean[t](", ")"),
    ("max[d](", ")"),
    ("softmax[j](", ")"),
    ("softmax[d](", ")"),
    ("argmax[d](", ")"),
    ("top[d](", ", 2)"),
    ("top[j](", ", 2)"),
    ("prod[j](", ")"),
    ("logsumexp[t](", ")"),
    ("reverse(", ")"),
    ("shift[d](", ", 1)"),
    ("shift[d](", ", range(h))"),
    ("linear(", ", d -> d)"),
    ("linear(", ", d -> h, per h)"),
    ("affine(", ", d -> h d)"),
    ("stop(", ")"),
    ("onehot[h](", ")"),
    ("xent[d](", ", x)"),
    ("stack[two](", ", x)"),
    ("select(", ", x, 0)"),
    ("block(", ", 4)"),
    ("patch[h](", ")"),
    ("(", ")"),
    ("-", ""),
    ("not ", ""),
    ("re(", ")"),
    ("exp(", ")"),
    ("hash(", ", 3)"),
];
/// Whole statements and items.
const LINES: &[&str] = &[
    "state S{d}\n",
    "state S{h, d} = 1\n",
    "state K[j]{d} = 0\n",
    "S[t] = S[t-1] + x\n",
    "S[t] = S[t+1] * x\n",
    "param W{d, d'}\n",
    "param W{d} = log(uniform(1, 16)) * 1i\n",
    "noise z{d} = bernoulli(0.5)\n",
    "M[i,j] = sum[d](x[i] * x[j])  where j <= i\n",
    "f[lag] = exp(-lag)  where lag >= 0\n",
    "two = 2\n",
    "o = sum[j](M[t,j] * x[j])\n",
    "o = sum[lag](f[lag] * x[t - lag])\n",
    "repeat 2 { x += x }\n",
    "l: repeat 3 as n { x = x * n }\n",
    "objective big = mean[t](sum[d](x))\n",
    "a, b = x\n",
    "y = x\n",
    "h = d / 3\n",
    "/// why\n",
    "x += linear(x, d -> d)\n",
];

/// The standard library, the examples and the specs that are known to be wrong.
pub fn library() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let library = seqc_hir::stdlib::paths()
        .filter(|p| *p != "std")
        .filter_map(seqc_hir::stdlib::text);
    let mut texts: Vec<String> = library.map(str::to_owned).collect();
    for folder in ["examples", "tests/bad/check"] {
        let entries = std::fs::read_dir(root.join(folder))
            .into_iter()
            .flatten()
            .flatten();
        let mut paths: Vec<_> = entries
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|x| x == "seq"))
            .collect();
        paths.sort();
        texts.extend(paths.iter().filter_map(|p| std::fs::read_to_string(p).ok()));
    }
    texts
}

/// Specs to start from.
pub struct Corpus {
    files: Vec<File>,
    /// Every expression of every file.
    exprs: Vec<String>,
    /// Every token of every file, to splice from.
    tokens: Vec<String>,
}

struct File {
    /// The edition and the imports.
    head: String,
    items: Vec<String>,
}

impl Corpus {
    pub fn new(texts: &[String]) -> Corpus {
        let files: Vec<File> = texts
            .iter()
            .map(|t| File::new(t))
            .filter(|f| !f.items.is_empty())
            .collect();
        let tokens = texts.iter().flat_map(|t| split(t)).collect();
        assert!(!files.is_empty(), "nothing to start from");
        let of = |t: &String| {
            places(t)
                .exprs
                .into_iter()
                .map(|r| t[r].to_owned())
                .collect::<Vec<_>>()
        };
        let exprs = texts.iter().flat_map(of).collect();
        Corpus {
            files,
            exprs,
            tokens,
        }
    }

    /// One mutated spec: an item or a few of one file, changed in one to a dozen places.
    pub fn spec(&self, rng: &mut Rng) -> String {
        // By items, so that files with many of them count for more.
        let mut at = rng.below(self.files.iter().map(|f| f.items.len()).sum());
        let mut file = &self.files[0];
        for f in &self.files {
            file = f;
            if at < f.items.len() {
                break;
            }
            at -= f.items.len();
        }
        let mut text = file.head.clone();
        let whole = rng.below(8) == 0;
        for (k, item) in file.items.iter().enumerate() {
            if whole || k == at || rng.below(file.items.len()) == 0 {
                text.push_str(item);
            }
        }
        // Mostly few changes: what breaks early hides what lies behind.
        let most = [1, 1, 1, 2, 3, 10][rng.below(6)];
        self.changed(text, 1 + rng.below(most), rng)
    }

    /// A few changes of the same kind to a given text.
    pub fn mutate(&self, text: &str, rng: &mut Rng) -> String {
        let many = 1 + rng.below(3);
        self.changed(text.to_owned(), many, rng)
    }

    fn changed(&self, mut text: String, many: usize, rng: &mut Rng) -> String {
        let by_tokens = rng.below(4) == 0;
        for _ in 0..many {
            if by_tokens || !self.change_place(&mut text, rng) {
                let mut tokens = split(&text);
                self.change(&mut tokens, rng);
                text = tokens.concat();
            }
        }
        text
    }

    /// One expression or name replaced; false if the text has none, because it does not parse.
    fn change_place(&self, text: &mut String, rng: &mut Rng) -> bool {
        let found = places(text);
        if found.exprs.is_empty() || found.names.is_empty() {
            return false;
        }
        if rng.below(3) == 0 {
            let at = found.names[rng.below(found.names.len())].clone();
            let other = found.names[rng.below(found.names.len())].clone();
            let new = match rng.below(6) {
                0 => format!("{}'", &text[at.clone()]),
                1 => rng.pick(WORDS).to_owned(),
                _ => text[other].to_owned(),
            };
            text.replace_range(at, &new);
            return true;
        }
        let at = found.exprs[rng.below(found.exprs.len())].clone();
        let old = &text[at.clone()];
        let new = match rng.below(8) {
            0 => rng.pick(WORDS).to_owned(),
            1 => rng.pick(NUMBERS).to_owned(),
            2 => format!("({old}){}", rng.pick(SUFFIXES)),
            3 => format!("{old}{}", rng.pick(SUFFIXES)),
            4 | 5 => {
                let (open, close) = WRAPPERS[rng.below(WRAPPERS.len())];
                format!("{open}{old}{close}")
            }
            6 => text[found.exprs[rng.below(found.exprs.len())].clone()].to_owned(),
            _ => self.exprs[rng.below(self.exprs.len())].clone(),
        };
        text.replace_range(at, &new);
        true
    }

    fn change(&self, tokens: &mut Vec<String>, rng: &mut Rng) {
        if tokens.is_empty() {
            tokens.push("seq 1\n".into());
        }
        let Some(at) = place(tokens, rng) else { return };
        match rng.below(18) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[at].clone()),
            2 => {
                let with = place(tokens, rng).unwrap_or(at);
                tokens.swap(at, with);
            }
            3 => tokens[at] = rng.pick(WORDS).to_owned(),
            4 => tokens[at] = rng.pick(SYMBOLS).to_owned(),
            5 => self.like(tokens, at, rng),
            6 => tokens.insert(
                at,
                format!(" {} ", self.tokens[rng.below(self.tokens.len())]),
            ),
            7 | 13 => {
                let end = closed(tokens, at).unwrap_or(at + 1);
                tokens.insert(end, rng.pick(SUFFIXES).to_owned());
            }
            8 | 14 => {
                let (open, close) = WRAPPERS[rng.below(WRAPPERS.len())];
                let end = operand(tokens, at);
                tokens.insert(end, close.to_owned());
                tokens.insert(at, open.to_owned());
            }
            9 | 15 => self.splice(tokens, at, rng),
            10 => lines(tokens, at, rng),
            11 => {
                let line = start_of_line(tokens, at);
                tokens.insert(line, rng.pick(LINES).to_owned());
            }
            12 => nest(tokens, at, rng),
            _ => self.like(tokens, at, rng),
        }
    }

    /// Another token of the same kind: from this spec, or any.
    fn like(&self, tokens: &mut [String], at: usize, rng: &mut Rng) {
        if is_number(&tokens[at]) && rng.below(2) == 0 {
            tokens[at] = rng.pick(NUMBERS).to_owned();
            return;
        }
        let kind = |t: &str| (is_word(t), is_number(t), is_blank(t));
        let own: Vec<String> = tokens
            .iter()
            .filter(|t| kind(t) == kind(&tokens[at]))
            .cloned()
            .collect();
        tokens[at] = match rng.below(4) {
            0 => (0..50)
                .map(|_| &self.tokens[rng.below(self.tokens.len())])
                .find(|t| kind(t) == kind(&tokens[at])),
            _ => own.get(rng.below(own.len())),
        }
        .cloned()
        .unwrap_or_default();
    }

    /// A bracketed piece of another spec in place of a token or a bracketed piece.
    fn splice(&self, tokens: &mut Vec<String>, at: usize, rng: &mut Rng) {
        for _ in 0..50 {
            let from = rng.below(self.tokens.len());
            let Some(to) = closed(&self.tokens, from).filter(|to| to - from < 60) else {
                continue;
            };
            let end = closed(tokens, at).unwrap_or(at + 1);
            tokens.splice(at..end, self.tokens[from..to].iter().cloned());
            return;
        }
    }
}

impl File {
    fn new(text: &str) -> File {
        let mut head = String::new();
        let mut items: Vec<String> = Vec::new();
        // Doc lines belong to what follows, unless it is a statement.
        let mut docs = String::new();
        for line in text.split_inclusive('\n') {
            if line.starts_with("///") {
                docs.push_str(line);
            } else if ["mixer ", "model ", "recipe "]
                .iter()
                .any(|w| line.starts_with(w))
            {
                items.push(std::mem::take(&mut docs) + line);
            } else {
                items.last_mut().unwrap_or(&mut head).push_str(line);
            }
        }
        File { head, items }
    }
}

/// A token that is no blank.
fn place(tokens: &[String], rng: &mut Rng) -> Option<usize> {
    (0..20)
        .map(|_| rng.below(tokens.len()))
        .find(|k| !is_blank(&tokens[*k]))
}

/// The end of the operand that starts at `at`: a word with its brackets, or one token.
fn operand(tokens: &[String], at: usize) -> usize {
    let mut end = closed(tokens, at).unwrap_or(at + 1);
    while is_word(&tokens[at])
        && end < tokens.len()
        && matches!(tokens[end].as_str(), "(" | "[" | "{")
    {
        match closed(tokens, end) {
            Some(next) => end = next,
            None => break,
        }
    }
    end
}

fn start_of_line(tokens: &[String], at: usize) -> usize {
    (0..at)
        .rev()
        .find(|k| tokens[*k].contains('\n'))
        .map_or(0, |k| k + 1)
}

fn end_of_line(tokens: &[String], at: usize) -> usize {
    (at..tokens.len())
        .find(|k| tokens[*k].contains('\n'))
        .map_or(tokens.len(), |k| k + 1)
}

/// A line dropped, doubled, or moved.
fn lines(tokens: &mut Vec<String>, at: usize, rng: &mut Rng) {
    let (start, end) = (start_of_line(tokens, at), end_of_line(tokens, at));
    let line: Vec<String> = match rng.below(3) {
        0 => tokens[start..end].to_vec(),
        _ => tokens.drain(start..end).collect(),
    };
    if rng.below(3) > 0 && !tokens.is_empty() {
        let to = rng.below(tokens.len());
        let to = start_of_line(tokens, to);
        tokens.splice(to..to, line);
    }
}

/// Brackets, signs or operators many deep.
fn nest(tokens: &mut Vec<String>, at: usize, rng: &mut Rng) {
    let end = operand(tokens, at);
    let many = [2, 10, 63, 64, 65, 255, 300][rng.below(7)];
    let (open, close) = match rng.below(5) {
        0 => ("(".repeat(many), ")".repeat(many)),
        1 => ("-".repeat(many), String::new()),
        2 => ("exp(".repeat(many), ")".repeat(many)),
        3 => (String::new(), "[t-1]".repeat(many)),
        _ => (String::new(), format!(" + {}", tokens[at]).repeat(many)),
    };
    tokens.insert(end, close);
    tokens.insert(at, open);
}
