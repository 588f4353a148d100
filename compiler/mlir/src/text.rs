//! A small typed printer of MLIR: one [`Fun`] is the body of one function under construction.
//!
//! Printing text keeps the compiler's own output readable and lets any MLIR tool check it; the types carried
//! by [`Value`] make the printer add every type annotation itself. Invariants: an operation is printed after
//! its operands; constants are printed once, at the head of the function; names are unique within it.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::rc::Rc;

/// Element types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Of {
    F32,
    F64,
    I1,
    I16,
    I32,
    I64,
    Ptr,
}

impl Of {
    /// Alignment in memory.
    fn align(self) -> u32 {
        if self == Of::I16 { 2 } else { 4 }
    }
}

/// A scalar (`lanes == 1`) or a vector of that many lanes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ty {
    pub of: Of,
    pub lanes: u32,
}

pub const I64: Ty = Ty {
    of: Of::I64,
    lanes: 1,
};
pub const I32: Ty = Ty {
    of: Of::I32,
    lanes: 1,
};
pub const I1: Ty = Ty {
    of: Of::I1,
    lanes: 1,
};
pub const F32: Ty = Ty {
    of: Of::F32,
    lanes: 1,
};
pub const PTR: Ty = Ty {
    of: Of::Ptr,
    lanes: 1,
};

impl Ty {
    pub fn new(of: Of, lanes: u32) -> Ty {
        Ty { of, lanes }
    }

    /// The same number of lanes of another element type.
    pub fn with(self, of: Of) -> Ty {
        Ty {
            of,
            lanes: self.lanes,
        }
    }

    fn is_float(self) -> bool {
        matches!(self.of, Of::F32 | Of::F64)
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Of::F32 => "f32",
            Of::F64 => "f64",
            Of::I1 => "i1",
            Of::I16 => "i16",
            Of::I32 => "i32",
            Of::I64 => "i64",
            Of::Ptr => "!llvm.ptr",
        })
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.lanes {
            1 => write!(f, "{}", self.of),
            n => write!(f, "vector<{n}x{}>", self.of),
        }
    }
}

/// An SSA value: its printed name (with `%`) and its type.
#[derive(Clone, Debug)]
pub struct Value {
    pub name: Rc<str>,
    pub ty: Ty,
}

impl Value {
    pub fn new(name: impl Into<Rc<str>>, ty: Ty) -> Value {
        Value {
            name: name.into(),
            ty,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// An open `scf.for`; closed by [`Fun::end_for`].
pub struct Loop {
    pub iv: Value,
    /// The carried values inside the body.
    pub carried: Vec<Value>,
    results: Vec<Value>,
}

/// A function body under construction.
#[derive(Default)]
pub struct Fun {
    constants: String,
    body: String,
    depth: usize,
    next: u32,
    /// Constants by their printed text.
    cache: HashMap<String, Value>,
    /// Literals of scalar constants by name.
    literals: HashMap<Rc<str>, String>,
}

impl Fun {
    pub fn new() -> Fun {
        Fun::default()
    }

    /// The whole function: `header {`, constants, body, `terminator`, `}`.
    pub fn finish(self, header: &str, terminator: &str) -> String {
        format!(
            "{header} {{\n{}{}  {terminator}\n}}\n",
            self.constants, self.body
        )
    }

    /// A fresh name that starts with `hint`.
    pub fn fresh(&mut self, hint: &str, ty: Ty) -> Value {
        self.next += 1;
        Value::new(format!("%{hint}{}", self.next), ty)
    }

    /// Prints one line at the current depth.
    pub fn line(&mut self, text: impl fmt::Display) {
        let _ = writeln!(
            self.body,
            "{:width$}{text}",
            "",
            width = 2 * (self.depth + 1)
        );
    }

    /// Prints `%new = text`.
    pub fn define(&mut self, hint: &str, ty: Ty, text: impl fmt::Display) -> Value {
        let v = self.fresh(hint, ty);
        self.line(format_args!("{v} = {text}"));
        v
    }

    fn constant(&mut self, hint: &str, ty: Ty, literal: &str) -> Value {
        let text = match ty.lanes {
            1 if ty.of == Of::I1 => format!("arith.constant {literal}"),
            1 => format!("arith.constant {literal} : {ty}"),
            _ => format!("arith.constant dense<{literal}> : {ty}"),
        };
        if let Some(v) = self.cache.get(&text) {
            return v.clone();
        }
        // An integer's name shows its value; the dots keep it apart from numbered names.
        let v = match ty.of {
            Of::I64 if ty.lanes == 1 => Value::new(format!("%c.{literal}"), ty),
            _ => self.fresh(hint, ty),
        };
        let _ = writeln!(self.constants, "  {v} = {text}");
        if ty.lanes == 1 {
            self.literals.insert(v.name.clone(), literal.to_string());
        }
        self.cache.insert(text, v.clone());
        v
    }

    /// A float constant of the type (rounded to it), in every lane.
    pub fn float(&mut self, ty: Ty, x: f64) -> Value {
        let literal = match ty.of {
            Of::F64 if x.is_finite() => format!("{x:e}"),
            Of::F64 => format!("0x{:016X}", x.to_bits()),
            _ if (x as f32).is_finite() => format!("{:e}", x as f32),
            _ => format!("0x{:08X}", (x as f32).to_bits()),
        };
        // MLIR's float literals have a point: 1e0 is none, 1.0e0 is.
        let literal = match literal.split_once('e') {
            Some((m, e)) if !m.contains('.') && !literal.starts_with("0x") => format!("{m}.0e{e}"),
            _ => literal,
        };
        self.constant("f", ty, &literal)
    }

    pub fn int(&mut self, ty: Ty, n: i64) -> Value {
        self.constant("c", ty, &n.to_string())
    }

    pub fn bool(&mut self, ty: Ty, b: bool) -> Value {
        self.constant("b", ty, if b { "true" } else { "false" })
    }

    /// `[0, stride, 2·stride, …]` as integers of the type.
    pub fn ramp(&mut self, ty: Ty, stride: i64) -> Value {
        let items: Vec<String> = (0..i64::from(ty.lanes))
            .map(|i| (i * stride).to_string())
            .collect();
        self.constant("ramp", ty, &format!("[{}]", items.join(", ")))
    }

    /// A unary operation whose result has the operand's type.
    pub fn unary(&mut self, op: &str, x: &Value) -> Value {
        let ty = x.ty;
        self.define("v", ty, format_args!("{op} {x} : {ty}"))
    }

    /// A binary operation on two values of one type.
    pub fn binary(&mut self, op: &str, a: &Value, b: &Value) -> Value {
        debug_assert_eq!(a.ty, b.ty, "{op} {a} {b}");
        let flags = match op {
            "arith.maximumf" | "arith.minimumf" => " fastmath<nsz>",
            _ => "",
        };
        self.define("v", a.ty, format_args!("{op} {a}, {b}{flags} : {}", a.ty))
    }

    pub fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.binary(
            if a.ty.is_float() {
                "arith.addf"
            } else {
                "arith.addi"
            },
            a,
            b,
        )
    }

    pub fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.binary(
            if a.ty.is_float() {
                "arith.subf"
            } else {
                "arith.subi"
            },
            a,
            b,
        )
    }

    pub fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.binary(
            if a.ty.is_float() {
                "arith.mulf"
            } else {
                "arith.muli"
            },
            a,
            b,
        )
    }

    pub fn div(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("arith.divf", a, b)
    }

    /// `a*b + c`, rounded once.
    pub fn fma(&mut self, a: &Value, b: &Value, c: &Value) -> Value {
        self.define("v", a.ty, format_args!("math.fma {a}, {b}, {c} : {}", a.ty))
    }

    /// Horner's rule; coefficients from the highest power down.
    pub fn poly(&mut self, x: &Value, coefficients: &[f64]) -> Value {
        let mut p = self.float(x.ty, coefficients[0]);
        for &c in &coefficients[1..] {
            let c = self.float(x.ty, c);
            p = self.fma(&p, x, &c);
        }
        p
    }

    /// Comparison by a predicate of `arith.cmpf` or `arith.cmpi`.
    pub fn cmp(&mut self, predicate: &str, a: &Value, b: &Value) -> Value {
        debug_assert_eq!(a.ty, b.ty);
        let op = if a.ty.is_float() {
            "arith.cmpf"
        } else {
            "arith.cmpi"
        };
        self.define(
            "b",
            a.ty.with(Of::I1),
            format_args!("{op} {predicate}, {a}, {b} : {}", a.ty),
        )
    }

    /// `condition ? a : b`, lane by lane.
    pub fn select(&mut self, condition: &Value, a: &Value, b: &Value) -> Value {
        debug_assert_eq!(a.ty, b.ty);
        let types = match condition.ty.lanes {
            1 => a.ty.to_string(),
            _ => format!("{}, {}", condition.ty, a.ty),
        };
        self.define(
            "v",
            a.ty,
            format_args!("arith.select {condition}, {a}, {b} : {types}"),
        )
    }

    /// A conversion such as `arith.sitofp`, to another element type.
    pub fn cast(&mut self, op: &str, x: &Value, of: Of) -> Value {
        let to = x.ty.with(of);
        self.define("v", to, format_args!("{op} {x} : {} to {to}", x.ty))
    }

    /// Spreads a scalar over lanes; a vector of that many lanes stays as it is.
    pub fn broadcast(&mut self, x: &Value, lanes: u32) -> Value {
        if x.ty.lanes == lanes {
            return x.clone();
        }
        let to = Ty::new(x.ty.of, lanes);
        if let Some(literal) = self.literals.get(&x.name).cloned() {
            return self.constant("s", to, &literal);
        }
        self.define(
            "v",
            to,
            format_args!("vector.broadcast {x} : {} to {to}", x.ty),
        )
    }

    /// Lanes of the concatenation of `a` and `b`, by number.
    pub fn shuffle(&mut self, a: &Value, b: &Value, lanes: &[u32]) -> Value {
        let to = Ty::new(a.ty.of, lanes.len() as u32);
        self.define(
            "v",
            to,
            format_args!("vector.shuffle {a}, {b} {lanes:?} : {}, {}", a.ty, b.ty),
        )
    }

    /// Address of the `at`-th 4-byte element, one address a lane of `at`.
    pub fn address(&mut self, base: &Value, at: &Value) -> Value {
        self.address_of(base, at, Of::F32)
    }

    /// Address of the `at`-th element of a type, one address a lane of `at`.
    pub fn address_of(&mut self, base: &Value, at: &Value, of: Of) -> Value {
        let (to, of) = (Ty::new(Of::Ptr, at.ty.lanes), Ty::new(of, 1));
        self.define(
            "p",
            to,
            format_args!(
                "llvm.getelementptr {base}[{at}] : (!llvm.ptr, {}) -> {to}, {of}",
                at.ty
            ),
        )
    }

    /// Address of the element at a constant distance.
    pub fn address_at(&mut self, base: &Value, at: i64) -> Value {
        self.address_of_at(base, at, Of::F32)
    }

    pub fn address_of_at(&mut self, base: &Value, at: i64, of: Of) -> Value {
        if at == 0 {
            return base.clone();
        }
        let of = Ty::new(of, 1);
        self.define(
            "p",
            PTR,
            format_args!("llvm.getelementptr {base}[{at}] : (!llvm.ptr) -> !llvm.ptr, {of}"),
        )
    }

    pub fn load(&mut self, at: &Value, ty: Ty) -> Value {
        self.define(
            "x",
            ty,
            format_args!(
                "llvm.load {at} {{alignment = {} : i64}} : !llvm.ptr -> {ty}",
                ty.of.align()
            ),
        )
    }

    pub fn store(&mut self, x: &Value, at: &Value) {
        self.line(format_args!(
            "llvm.store {x}, {at} {{alignment = {} : i64}} : {}, !llvm.ptr",
            x.ty.of.align(),
            x.ty
        ));
    }

    /// Loads from one address a lane.
    pub fn gather(&mut self, at: &Value, of: Of) -> Value {
        let ty = at.ty.with(of);
        let all = self.bool(at.ty.with(Of::I1), true);
        let none = if ty.is_float() {
            self.float(ty, 0.0)
        } else {
            self.int(ty, 0)
        };
        self.define(
            "x",
            ty,
            format_args!(
                "llvm.intr.masked.gather {at}, {all}, {none} {{alignment = {} : i32}} : ({}, {}, {ty}) -> {ty}",
                of.align(),
                at.ty,
                all.ty
            ),
        )
    }

    pub fn scatter(&mut self, x: &Value, at: &Value) {
        let all = self.bool(at.ty.with(Of::I1), true);
        self.line(format_args!(
            "llvm.intr.masked.scatter {x}, {at}, {all} {{alignment = {} : i32}} : {}, {} into {}",
            x.ty.of.align(),
            x.ty,
            all.ty,
            at.ty
        ));
    }

    /// Loads the lanes that `mask` names; the others are zero and their memory is not touched.
    pub fn load_masked(&mut self, at: &Value, mask: &Value) -> Value {
        let ty = mask.ty.with(Of::F32);
        let none = self.float(ty, 0.0);
        self.define(
            "x",
            ty,
            format_args!(
                "llvm.intr.masked.load {at}, {mask}, {none} {{alignment = 4 : i32}} : (!llvm.ptr, {}, {ty}) -> {ty}",
                mask.ty
            ),
        )
    }

    pub fn store_masked(&mut self, x: &Value, at: &Value, mask: &Value) {
        self.line(format_args!(
            "llvm.intr.masked.store {x}, {at}, {mask} {{alignment = 4 : i32}} : {}, {} into !llvm.ptr",
            x.ty, mask.ty
        ));
    }

    /// Calls a function with one result.
    pub fn call(&mut self, name: &str, args: &[Value], ty: Ty) -> Value {
        let (names, types) = lists(args);
        self.define(
            "v",
            ty,
            format_args!("func.call @{name}({names}) : ({types}) -> {ty}"),
        )
    }

    /// Calls a function without result.
    pub fn run(&mut self, name: &str, args: &[Value]) {
        let (names, types) = lists(args);
        self.line(format_args!("func.call @{name}({names}) : ({types}) -> ()"));
    }

    /// Opens `scf.for iv = lo to hi step step` over i64, carrying `init`.
    pub fn begin_for(
        &mut self,
        hint: &str,
        lo: &Value,
        hi: &Value,
        step: &Value,
        init: &[Value],
    ) -> Loop {
        let iv = self.fresh(hint, I64);
        let carried: Vec<Value> = init.iter().map(|v| self.fresh("acc", v.ty)).collect();
        let result = self.fresh("r", I64);
        let results: Vec<Value> = match init.len() {
            1 => vec![Value::new(result.name.clone(), init[0].ty)],
            _ => init
                .iter()
                .enumerate()
                .map(|(i, v)| Value::new(format!("{result}#{i}"), v.ty))
                .collect(),
        };
        if init.is_empty() {
            self.line(format_args!(
                "scf.for {iv} = {lo} to {hi} step {step} : i64 {{"
            ));
        } else {
            let pairs: Vec<String> = carried
                .iter()
                .zip(init)
                .map(|(c, v)| format!("{c} = {v}"))
                .collect();
            let (_, types) = lists(init);
            let count = if init.len() == 1 {
                String::new()
            } else {
                format!(":{}", init.len())
            };
            let carry = pairs.join(", ");
            self.line(format_args!(
                "{result}{count} = scf.for {iv} = {lo} to {hi} step {step} iter_args({carry}) -> ({types}) : i64 {{"
            ));
        }
        self.depth += 1;
        Loop {
            iv,
            carried,
            results,
        }
    }

    /// Closes the loop; the values are carried to the next iteration. Returns the final ones.
    pub fn end_for(&mut self, open: Loop, next: &[Value]) -> Vec<Value> {
        if !next.is_empty() {
            let (names, types) = lists(next);
            self.line(format_args!("scf.yield {names} : {types}"));
        }
        self.depth -= 1;
        self.line("}");
        open.results
    }

    pub fn begin_if(&mut self, condition: &Value) {
        self.line(format_args!("scf.if {condition} {{"));
        self.depth += 1;
    }

    pub fn begin_else(&mut self) {
        self.depth -= 1;
        self.line("} else {");
        self.depth += 1;
    }

    pub fn end_if(&mut self) {
        self.depth -= 1;
        self.line("}");
    }
}

/// Names and types of values, each joined by commas.
pub fn lists(values: &[Value]) -> (String, String) {
    let names: Vec<String> = values.iter().map(|v| v.to_string()).collect();
    let types: Vec<String> = values.iter().map(|v| v.ty.to_string()).collect();
    (names.join(", "), types.join(", "))
}

/// The functions that the kernels of one module share, by name: elementary functions and matrix products.
#[derive(Default)]
pub struct Helpers {
    texts: std::collections::BTreeMap<String, String>,
}

impl Helpers {
    /// Adds a function unless one of that name is there. Equal names must mean equal functions.
    pub fn need(&mut self, name: &str, make: impl FnOnce(&mut Helpers) -> String) {
        if !self.texts.contains_key(name) {
            let text = make(self);
            self.texts.insert(name.to_string(), text);
        }
    }

    pub fn into_text(self) -> String {
        self.texts.into_values().collect()
    }
}
