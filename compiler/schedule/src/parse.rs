//! Reads the text that `print` writes back into kernels.
//!
//! The parser accepts exactly one tree for a text; it checks names and form, and leaves meaning to `verify`.
//! No input makes it panic: nesting is bounded, numbers are read with overflow checks.

mod expr;
mod lex;
mod plan;

use crate::ir::{
    Access, Arg, Buf, Elem, Kernel, Local, LoopKind, Matmul, Part, Stmt, Tile, Val, Var,
};
use lex::{Token, tokens};
use seqc_abi::Plan;

/// What is wrong with a text, and where (both from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

type Result<T> = std::result::Result<T, Wrong>;

/// A message at a byte of the text.
pub(crate) struct Wrong {
    at: usize,
    message: String,
}

/// Nesting of blocks and parentheses that the parser follows.
const DEEPEST: usize = 500;

/// One kernel.
pub fn kernel(text: &str) -> std::result::Result<Kernel, ParseError> {
    let mut all = kernels(text)?;
    match (all.pop(), all.is_empty()) {
        (Some(k), true) => Ok(k),
        _ => Err(place(
            text,
            Wrong {
                at: 0,
                message: "expected one kernel".into(),
            },
        )),
    }
}

/// Any number of kernels, one after the other. `//` starts a comment that ends with its line.
pub fn kernels(text: &str) -> std::result::Result<Vec<Kernel>, ParseError> {
    read(text).map_err(|w| place(text, w))
}

/// A plan and its kernels, as [`crate::print::plan::plan`] writes them.
pub fn plan(text: &str) -> std::result::Result<(Plan, Vec<Kernel>), ParseError> {
    let read = |text| {
        let mut p = Parser::new(text)?;
        let unbound = p.plan()?;
        let kernels = p.rest()?;
        unbound.bind(&kernels).map(|plan| (plan, kernels))
    };
    read(text).map_err(|w| place(text, w))
}

fn read(text: &str) -> Result<Vec<Kernel>> {
    Parser::new(text)?.rest()
}

fn place(text: &str, w: Wrong) -> ParseError {
    let before = text.get(..w.at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    ParseError {
        line: before.matches('\n').count() + 1,
        column: before[start..].chars().count() + 1,
        message: w.message,
    }
}

fn empty() -> Kernel {
    Kernel {
        name: String::new(),
        args: vec![],
        dims: vec![],
        grid: vec![],
        locals: vec![],
        body: vec![],
    }
}

pub(crate) struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    /// Length of the text.
    end: usize,
    depth: usize,
    /// What has been read of the kernel: its buffers and sizes are looked up here.
    kernel: Kernel,
}

impl Parser {
    fn new(text: &str) -> Result<Parser> {
        Ok(Parser {
            tokens: tokens(text)?,
            next: 0,
            end: text.len(),
            depth: 0,
            kernel: empty(),
        })
    }

    /// Kernels up to the end.
    fn rest(&mut self) -> Result<Vec<Kernel>> {
        let mut all = vec![];
        while self.next < self.tokens.len() {
            all.push(self.kernel()?);
        }
        Ok(all)
    }

    fn wrong<T>(&self, message: impl Into<String>) -> Result<T> {
        let at = self.tokens.get(self.next).map_or(self.end, |t| t.0);
        Err(Wrong {
            at,
            message: message.into(),
        })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|t| &t.1)
    }

    fn sees(&self, symbol: &str) -> bool {
        matches!(self.peek(), Some(Token::Symbol(s)) if *s == symbol)
    }

    fn sees_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(w)) if w == word)
    }

    /// Takes the symbol or word if it is next.
    fn take(&mut self, what: &str) -> bool {
        let found = self.sees(what) || self.sees_word(what);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, what: &str) -> Result<()> {
        match self.take(what) {
            true => Ok(()),
            false => self.wrong(format!("expected `{what}`")),
        }
    }

    fn name(&mut self) -> Result<String> {
        let name = match self.peek() {
            Some(Token::Word(w)) => w.clone(),
            Some(Token::Quoted(q)) => q.clone(),
            _ => return self.wrong("expected a name"),
        };
        self.next += 1;
        Ok(name)
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T> {
        let Some(Token::Number(n)) = self.peek() else {
            return self.wrong("expected a number");
        };
        match n.parse() {
            Ok(n) => {
                self.next += 1;
                Ok(n)
            }
            Err(_) => self.wrong(format!("`{n}` does not fit here")),
        }
    }

    fn signed(&mut self) -> Result<i64> {
        let minus = self.take("-");
        let Some(Token::Number(n)) = self.peek() else {
            return self.wrong("expected a whole number");
        };
        let text = if minus { format!("-{n}") } else { n.clone() };
        match text.parse() {
            Ok(n) => {
                self.next += 1;
                Ok(n)
            }
            Err(_) => self.wrong(format!("`{text}` is no 64-bit whole number")),
        }
    }

    /// Runs `read` one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Parser) -> Result<T>) -> Result<T> {
        if self.depth >= DEEPEST {
            return self.wrong("nested too deeply");
        }
        self.depth += 1;
        let r = read(self);
        self.depth -= 1;
        r
    }

    fn kernel(&mut self) -> Result<Kernel> {
        self.kernel = empty();
        self.expect("kernel")?;
        self.kernel.name = self.name()?;
        self.expect("(")?;
        self.header()?;
        self.expect("grid")?;
        self.expect("(")?;
        while !self.take(")") {
            if !self.kernel.grid.is_empty() {
                self.expect(",")?;
            }
            let v = self.var()?;
            self.expect("<")?;
            let extent = self.ix()?;
            self.kernel.grid.push((v, extent));
        }
        self.expect("{")?;
        while self.take("local") {
            let name = self.name()?;
            self.expect(":")?;
            let elem = self.elem()?;
            self.expect("[")?;
            let len = self.number()?;
            self.expect("]")?;
            self.kernel.locals.push(Local { name, elem, len });
        }
        let body = self.statements()?;
        let mut done = std::mem::replace(&mut self.kernel, empty());
        done.body = body;
        Ok(done)
    }

    /// Arguments and sizes, up to the closing parenthesis.
    fn header(&mut self) -> Result<()> {
        while !self.sees(";") && !self.sees(")") {
            if !self.kernel.args.is_empty() {
                self.expect(",")?;
            }
            let name = self.name()?;
            self.expect(":")?;
            let access = match () {
                _ if self.take("read") => Access::Read,
                _ if self.take("write") => Access::Write,
                _ if self.take("readwrite") => Access::ReadWrite,
                _ => return self.wrong("expected `read`, `write` or `readwrite`"),
            };
            let elem = self.elem()?;
            self.kernel.args.push(Arg { name, elem, access });
        }
        if self.take(";") {
            while !self.sees(")") {
                if !self.kernel.dims.is_empty() {
                    self.expect(",")?;
                }
                self.expect("$")?;
                let name = self.name()?;
                self.kernel.dims.push(name);
            }
        }
        self.expect(")")
    }

    fn elem(&mut self) -> Result<Elem> {
        match () {
            _ if self.take("f32") => Ok(Elem::F32),
            _ if self.take("i32") => Ok(Elem::I32),
            _ if self.take("bf16") => Ok(Elem::Bf16),
            _ => self.wrong("expected `f32`, `bf16` or `i32`"),
        }
    }

    fn var(&mut self) -> Result<Var> {
        let number = match self.peek() {
            Some(Token::Word(w)) => w.strip_prefix('i').and_then(|n| n.parse().ok()),
            _ => None,
        };
        match number {
            Some(n) => {
                self.next += 1;
                Ok(Var(n))
            }
            None => self.wrong("expected a variable like `i0`"),
        }
    }

    /// Statements up to the closing brace, which is taken.
    fn statements(&mut self) -> Result<Vec<Stmt>> {
        self.nested(|p| {
            let mut all = vec![];
            while !p.take("}") {
                all.push(p.statement()?);
            }
            Ok(all)
        })
    }

    fn statement(&mut self) -> Result<Stmt> {
        if self.take("for") {
            return self.for_loop();
        }
        if self.take("let") {
            self.expect("%")?;
            let val = Val(self.number()?);
            self.expect("=")?;
            let value = self.expr()?;
            return Ok(Stmt::Let { val, value });
        }
        if self.take("if") {
            let cond = self.expr()?;
            self.expect("{")?;
            let then = self.statements()?;
            let mut els = vec![];
            if self.take("else") {
                self.expect("{")?;
                els = self.statements()?;
            }
            return Ok(Stmt::If { cond, then, els });
        }
        if self.take("matmul") {
            return Ok(Stmt::Matmul(self.matmul()?));
        }
        let buf = self.buf()?;
        self.expect("[")?;
        let at = self.ix()?;
        self.expect("]")?;
        self.expect("=")?;
        let value = self.expr()?;
        Ok(Stmt::Store { buf, at, value })
    }

    fn for_loop(&mut self) -> Result<Stmt> {
        let var = self.var()?;
        self.expect("in")?;
        let lo = self.ix()?;
        self.expect("..")?;
        let hi = self.ix()?;
        let kind = match () {
            _ if self.take("seq") => LoopKind::Seq,
            _ if self.take("par") => LoopKind::Par,
            _ if self.take("vec") => {
                self.expect("(")?;
                let lanes = self.number()?;
                self.expect(")")?;
                LoopKind::Vec(lanes)
            }
            _ => return self.wrong("expected `seq`, `par` or `vec`"),
        };
        let reverse = self.take("reverse");
        self.expect("{")?;
        let body = self.statements()?;
        Ok(Stmt::For {
            var,
            lo,
            hi,
            kind,
            reverse,
            body,
        })
    }

    fn matmul(&mut self) -> Result<Matmul> {
        self.expect("(")?;
        let m = self.number()?;
        self.expect(",")?;
        let n = self.number()?;
        self.expect(",")?;
        let k = self.number()?;
        self.expect(")")?;
        let out = self.tile()?;
        let accumulate = self.take("+=");
        if !accumulate {
            self.expect("=")?;
        }
        let a = self.tile()?;
        self.expect("*")?;
        let b = self.tile()?;
        let part = match () {
            _ if self.take("lower") => Part::Lower,
            _ if self.take("upper") => Part::Upper,
            _ => Part::All,
        };
        Ok(Matmul {
            m,
            n,
            k,
            out,
            a,
            b,
            accumulate,
            part,
        })
    }

    fn tile(&mut self) -> Result<Tile> {
        let buf = self.buf()?;
        self.expect("[")?;
        let base = self.ix()?;
        self.expect(";")?;
        let rows = self.signed()?;
        self.expect(",")?;
        let cols = self.signed()?;
        self.expect("]")?;
        Ok(Tile {
            buf,
            base,
            rows,
            cols,
        })
    }

    /// `name`, `name#1`, `name#local1`, `#1`: a position decides, a name must be the only one of its kind.
    fn buf(&mut self) -> Result<Buf> {
        let name = if self.sees("#") {
            String::new()
        } else {
            self.name()?
        };
        if self.take("#") {
            let word = match self.peek() {
                Some(Token::Word(w)) => w.strip_prefix("local").and_then(|n| n.parse().ok()),
                _ => return Ok(Buf::Arg(self.number()?)),
            };
            self.next += 1;
            return word
                .map(Buf::Local)
                .map_or_else(|| self.wrong("expected a buffer's position"), Ok);
        }
        let k = &self.kernel;
        let args = k.args.iter().map(|a| &a.name).zip((0..).map(Buf::Arg));
        let locals = k.locals.iter().map(|l| &l.name).zip((0..).map(Buf::Local));
        let mut found = args.chain(locals).filter(|(n, _)| **n == name);
        match (found.next(), found.next()) {
            (Some((_, b)), None) => Ok(b),
            (Some(_), Some(_)) => self.wrong(format!("several buffers are called `{name}`")),
            (None, _) => self.wrong(format!("there is no buffer `{name}`")),
        }
    }
}

#[cfg(test)]
mod tests;
