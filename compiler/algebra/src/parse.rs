//! Reading listings back (the grammar is in [`crate::print`]).
//!
//! Types are taken as written, not inferred, so that a listing of a broken program can be read and then refused
//! by [`crate::verify()`]. Errors carry line and column; nothing panics on any text.

use crate::axis::{Axis, Size, Sym};
use crate::brackets::{Brackets, Item, Named, bracketed};
use crate::func::{Elem, Func, Ty, Value, ValueId};
use crate::lex::{Lexer, Token};
use crate::op::{Dist, Init, Input, InputKind, MapFn, Num, Op, Out, Scan, SeqIn};
use std::fmt;

/// What is wrong with a listing, and where (line and column from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

type Result<T> = std::result::Result<T, ParseError>;

/// Nested scans deeper than this are refused: the reader recurses.
const DEEPEST: usize = 64;

/// The program of a listing.
pub fn parse(text: &str) -> Result<Func> {
    let mut p = Parser {
        lex: Lexer::new(text),
        depth: 0,
    };
    p.keyword("func")?;
    let func = p.func()?;
    match p.lex.next()? {
        Token::End => Ok(func),
        _ => Err(p.lex.error("the program ends here")),
    }
}

struct Parser<'a> {
    lex: Lexer<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn expect(&mut self, punct: &'static str) -> Result<()> {
        if self.eat(punct)? {
            Ok(())
        } else {
            Err(self.lex.error(&format!("expected `{punct}`")))
        }
    }

    fn eat(&mut self, punct: &'static str) -> Result<bool> {
        let yes = *self.lex.peek()? == Token::Punct(punct);
        if yes {
            self.lex.next()?;
        }
        Ok(yes)
    }

    fn word(&mut self) -> Result<String> {
        match self.lex.next()? {
            Token::Word(w) => Ok(w),
            _ => Err(self.lex.error("expected a name")),
        }
    }

    fn keyword(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word)? {
            Ok(())
        } else {
            Err(self.lex.error(&format!("expected `{word}`")))
        }
    }

    fn eat_word(&mut self, word: &str) -> Result<bool> {
        let yes = matches!(self.lex.peek()?, Token::Word(w) if w == word);
        if yes {
            self.lex.next()?;
        }
        Ok(yes)
    }

    fn id(&mut self) -> Result<ValueId> {
        match self.lex.next()? {
            Token::Value(n) => Ok(ValueId(n)),
            _ => Err(self.lex.error("expected a value such as `%3`")),
        }
    }

    fn number(&mut self) -> Result<Num> {
        match self.lex.next()? {
            Token::Number(text) => text
                .parse()
                .map(Num)
                .map_err(|_| self.lex.error("not a number")),
            Token::Word(w) if w == "inf" => Ok(Num(f64::INFINITY)),
            Token::Word(w) if w == "nan" => {
                self.expect("(")?;
                let Token::Number(hex) = self.lex.next()? else {
                    return Err(self.lex.error("expected the bits of a NaN"));
                };
                self.expect(")")?;
                let bits = hex
                    .strip_prefix("0x")
                    .and_then(|h| u64::from_str_radix(h, 16).ok());
                bits.map(|b| Num(f64::from_bits(b)))
                    .ok_or_else(|| self.lex.error("not the bits of a number"))
            }
            _ => Err(self.lex.error("expected a number")),
        }
    }

    fn whole<T: std::str::FromStr>(&mut self) -> Result<T> {
        match self.lex.next()? {
            Token::Number(text) => text
                .parse()
                .map_err(|_| self.lex.error("expected a whole number")),
            _ => Err(self.lex.error("expected a whole number")),
        }
    }

    fn is_number(&mut self) -> Result<bool> {
        Ok(match self.lex.peek()? {
            Token::Number(_) => true,
            Token::Word(w) => w == "inf" || w == "nan",
            _ => false,
        })
    }

    fn func(&mut self) -> Result<Func> {
        if self.depth == DEEPEST {
            return Err(self.lex.error("scans are nested too deep"));
        }
        self.depth += 1;
        let mut func = Func {
            name: self.word()?,
            ..Func::default()
        };
        self.expect("(")?;
        while matches!(self.lex.peek()?, Token::Value(_)) {
            func.params.push(self.id()?);
            if !self.eat(",")? {
                break;
            }
        }
        self.expect(")")?;
        self.expect("{")?;
        while matches!(self.lex.peek()?, Token::Value(_)) {
            self.value(&mut func)?;
        }
        self.keyword("return")?;
        while matches!(self.lex.peek()?, Token::Word(_)) {
            let name = self.word()?;
            self.expect("=")?;
            let id = self.id()?;
            func.results.push((name, id));
            if !self.eat(",")? {
                break;
            }
        }
        self.expect("}")?;
        let count = func.values.len();
        let used = func
            .params
            .iter()
            .chain(func.results.iter().map(|(_, v)| v));
        if let Some(v) = used.clone().find(|v| v.index() >= count) {
            return Err(self.lex.error(&format!("%{} is not defined", v.0)));
        }
        self.depth -= 1;
        Ok(func)
    }

    fn value(&mut self, func: &mut Func) -> Result<()> {
        let id = self.id()?;
        if id.index() != func.values.len() {
            return Err(self.lex.error(&format!(
                "values are numbered in order: expected %{}",
                func.values.len()
            )));
        }
        let elem = if self.eat_word("int")? {
            Elem::Int
        } else if self.eat_word("complex")? {
            Elem::Complex
        } else {
            Elem::Real
        };
        self.expect("{")?;
        let mut axes = vec![];
        while matches!(self.lex.peek()?, Token::Word(_)) {
            axes.push(self.axis()?.resolve(&[]));
            if !self.eat(",")? {
                break;
            }
        }
        self.expect("}")?;
        self.expect("=")?;
        let (op, args) = self.op(func)?;
        let name = if self.eat("//")? {
            Some(Sym::new(&self.word()?))
        } else {
            None
        };
        func.values.push(Value {
            op,
            args,
            ty: Ty { elem, axes },
            name,
        });
        Ok(())
    }

    fn axis(&mut self) -> Result<Named> {
        let name = self.word()?;
        if !self.eat("=")? {
            return Ok(Named { name, size: None });
        }
        let size = Some(self.size()?);
        Ok(Named { name, size })
    }

    fn size(&mut self) -> Result<Size> {
        Ok(match self.lex.next()? {
            Token::Number(n) => {
                Size::Const(n.parse().map_err(|_| self.lex.error("expected a size"))?)
            }
            Token::Word(w) if self.eat("/")? => Size::Tiles(Sym::new(&w), self.whole()?),
            Token::Word(w) if self.eat("*")? => Size::Times {
                len: Sym::new(&w),
                times: self.whole()?,
                tile: match self.eat("/")? {
                    true => self.whole()?,
                    false => 1,
                },
            },
            Token::Word(w) => Size::Len(Sym::new(&w)),
            _ => return Err(self.lex.error("expected a size")),
        })
    }

    fn args(&mut self, func: &Func) -> Result<Vec<ValueId>> {
        let mut args = vec![];
        // A value at the start of a line opens the next definition: operands never break lines.
        while matches!(self.lex.peek()?, Token::Value(_)) && !self.lex.at_new_line()? {
            let id = self.id()?;
            if id.index() >= func.values.len() {
                return Err(self
                    .lex
                    .error(&format!("%{} is used before it is defined", id.0)));
            }
            args.push(id);
            if !self.eat(",")? {
                break;
            }
        }
        Ok(args)
    }

    fn op(&mut self, func: &Func) -> Result<(Op, Vec<ValueId>)> {
        let name = self.word()?;
        if let Some(op) = self.leaf(&name)? {
            return Ok((op, vec![]));
        }
        if name == "scan" {
            return self.scan(func);
        }
        if !self.eat("[")? {
            let f = MapFn::by_name(&name)
                .ok_or_else(|| self.lex.error(&format!("no operation is called `{name}`")))?;
            return Ok((Op::Map(f), self.args(func)?));
        }
        let groups = self.brackets()?;
        let args = self.args(func)?;
        let known: Vec<Axis> = args
            .iter()
            .flat_map(|v| func.ty(*v).axes.iter().copied())
            .collect();
        let op = bracketed(&name, &groups, &known).ok_or_else(|| {
            self.lex
                .error(&format!("`{name}` does not take these brackets"))
        })?;
        Ok((op, args))
    }

    fn brackets(&mut self) -> Result<Brackets> {
        let mut groups = vec![vec![]];
        loop {
            let item = match self.lex.peek()? {
                Token::Punct("]") => {
                    self.lex.next()?;
                    return Ok(groups);
                }
                Token::Punct(",") => {
                    self.lex.next()?;
                    continue;
                }
                Token::Punct(";" | "->") => {
                    self.lex.next()?;
                    groups.push(vec![]);
                    continue;
                }
                Token::Number(_) => Item::Number(self.whole()?),
                _ => Item::Axis(self.axis()?),
            };
            if let Some(group) = groups.last_mut() {
                group.push(item);
            }
        }
    }

    /// Operations without operands.
    fn leaf(&mut self, name: &str) -> Result<Option<Op>> {
        let kind = match name {
            "const" => return Ok(Some(Op::Const(self.number()?))),
            "length" => return Ok(Some(Op::Length(self.size()?))),
            "data" => InputKind::Data,
            "state" => InputKind::State,
            "formal" => InputKind::Formal,
            "param" => {
                let name = Sym::new(&self.word()?);
                let init = self.init(0)?;
                let decay = self.eat_word("decay")?;
                return Ok(Some(Op::Input(Input {
                    name,
                    kind: InputKind::Param { init, decay },
                })));
            }
            "noise" => {
                let name = Sym::new(&self.word()?);
                let kind = InputKind::Noise(self.dist()?);
                return Ok(Some(Op::Input(Input { name, kind })));
            }
            _ => return Ok(None),
        };
        Ok(Some(Op::Input(Input {
            name: Sym::new(&self.word()?),
            kind,
        })))
    }

    fn pair(&mut self) -> Result<(Num, Num)> {
        let a = self.number()?;
        self.expect(",")?;
        Ok((a, self.number()?))
    }

    fn dist(&mut self) -> Result<Dist> {
        let name = self.word()?;
        self.expect("(")?;
        let dist = match name.as_str() {
            "bernoulli" => Dist::Bernoulli(self.number()?),
            "normal" => Dist::Normal(self.number()?),
            "uniform" => self.pair().map(|(a, b)| Dist::Uniform(a, b))?,
            _ => {
                return Err(self
                    .lex
                    .error(&format!("no distribution is called `{name}`")));
            }
        };
        self.expect(")")?;
        Ok(dist)
    }

    fn init(&mut self, depth: usize) -> Result<Init> {
        if depth == DEEPEST {
            return Err(self.lex.error("an initialiser is nested too deep"));
        }
        if self.is_number()? {
            return Ok(Init::Const(self.number()?));
        }
        let name = self.word()?;
        self.expect("(")?;
        let init = match name.as_str() {
            "normal" => Init::Normal {
                std: self.number()?,
            },
            "uniform" => self.pair().map(|(lo, hi)| Init::Uniform { lo, hi })?,
            "log_uniform" => self.pair().map(|(lo, hi)| Init::LogUniform { lo, hi })?,
            "coord" => Init::Coord(self.axis()?.resolve(&[])),
            _ => {
                let f = MapFn::by_name(&name).ok_or_else(|| {
                    self.lex
                        .error(&format!("no initialiser is called `{name}`"))
                })?;
                let mut args = vec![];
                while *self.lex.peek()? != Token::Punct(")") {
                    args.push(self.init(depth + 1)?);
                    if !self.eat(",")? {
                        break;
                    }
                }
                Init::Apply(f, args)
            }
        };
        self.expect(")")?;
        Ok(init)
    }

    fn scan(&mut self, func: &Func) -> Result<(Op, Vec<ValueId>)> {
        self.expect("[")?;
        let axis = self.axis()?;
        let empty = Func::default();
        let mut s = Scan {
            axis: axis.resolve(&[]),
            tile: None,
            reverse: false,
            states: 0,
            seqs: vec![],
            fixed: 0,
            lo: false,
            hi: false,
            body: empty,
            outs: vec![],
        };
        while self.eat(";")? {
            match self.word()?.as_str() {
                "tile" => s.tile = Some(self.axis()?.resolve(&[])),
                "reverse" => s.reverse = true,
                "states" => s.states = self.whole()?,
                "fixed" => s.fixed = self.whole()?,
                "lo" => s.lo = true,
                "hi" => s.hi = true,
                "seqs" => self.fills(&mut s.seqs)?,
                "outs" => self.outs(&mut s.outs)?,
                other => return Err(self.lex.error(&format!("a scan has no `{other}`"))),
            }
        }
        self.expect("]")?;
        let args = self.args(func)?;
        let known: Vec<Axis> = args
            .iter()
            .flat_map(|v| func.ty(*v).axes.iter().copied())
            .collect();
        s.axis = axis.resolve(&known);
        s.body = self.func()?;
        Ok((Op::Scan(Box::new(s)), args))
    }

    fn fills(&mut self, seqs: &mut Vec<SeqIn>) -> Result<()> {
        loop {
            seqs.push(SeqIn {
                fill: self.number()?,
            });
            if !self.eat(",")? {
                return Ok(());
            }
        }
    }

    fn outs(&mut self, outs: &mut Vec<Out>) -> Result<()> {
        loop {
            let kind = self.word()?;
            let k = self.whole()?;
            outs.push(match kind.as_str() {
                "emit" => Out::Emit(k),
                "final" => Out::Final(k),
                "enter" => Out::Enter(k),
                _ => return Err(self.lex.error("expected `emit`, `final` or `enter`")),
            });
            if !self.eat(",")? {
                return Ok(());
            }
        }
    }
}
