//! The AST as an indented text, for `--emit=ast`.
//!
//! Why: people and snapshots read the tree; equal dumps mean equal trees wherever they stood in the
//! text. Invariant: the text is stable and complete: every field is in it except spans.

use crate::ast::*;
use std::fmt::Write;

/// The tree of a file, one node a line, two spaces an indent.
pub fn dump(file: &File) -> String {
    let mut out = Dump {
        text: String::new(),
        indent: 0,
    };
    out.node(&format!("file edition {}", file.edition.number), |out| {
        for import in &file.imports {
            let path: Vec<&str> = import.path.iter().map(|name| name.text.as_str()).collect();
            out.line(&format!(
                "import {} ({})",
                path.join("/"),
                names(&import.names, ", ")
            ));
        }
        file.items.iter().for_each(|item| out.item(item));
    });
    out.text
}

struct Dump {
    text: String,
    indent: usize,
}

fn names(names: &[Name], between: &str) -> String {
    let texts: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
    texts.join(between)
}

fn count(count: &Count) -> String {
    match count {
        Count::Literal { value, .. } => value.to_string(),
        Count::Name(name) => name.text.clone(),
    }
}

fn ty(ty: &Type) -> String {
    let axes = format!("{{{}}}", names(&ty.axes, ", "));
    let Some(seq) = &ty.seq else {
        return axes;
    };
    let mut text = "seq".to_string();
    // Writing to a string cannot fail.
    if let Some(clock) = &seq.clock {
        let divisor = clock
            .divisor
            .as_ref()
            .map_or(String::new(), |divisor| format!("/{}", count(divisor)));
        let _ = write!(text, "[{}{divisor}]", clock.name.text);
    }
    if let Some(range) = &seq.range {
        let _ = write!(text, "<{}>", range.text);
    }
    text + &axes
}

fn map(map: &AxisMap) -> String {
    format!("{} -> {}", names(&map.from, " "), names(&map.to, " "))
        .trim()
        .to_string()
}

fn label(label: &Option<Name>) -> String {
    label
        .as_ref()
        .map_or(String::new(), |name| format!("{}: ", name.text))
}

fn bracketed(names_in: &[Name]) -> String {
    if names_in.is_empty() {
        String::new()
    } else {
        format!("[{}]", names(names_in, ", "))
    }
}

impl Dump {
    fn line(&mut self, text: &str) {
        let indent = 2 * self.indent;
        let _ = writeln!(self.text, "{:indent$}{}", "", text.trim_end());
    }

    fn node(&mut self, text: &str, children: impl FnOnce(&mut Self)) {
        self.line(text);
        self.indent += 1;
        children(self);
        self.indent -= 1;
    }

    fn doc(&mut self, doc: &Doc) {
        self.line(&format!("doc {:?}", doc.text));
    }

    fn item(&mut self, item: &Item) {
        item.docs.iter().for_each(|doc| self.doc(doc));
        match &item.kind {
            ItemKind::Mixer(mixer) => self.mixer(mixer),
            ItemKind::Recipe(recipe) => self.node(&format!("recipe {}", recipe.name.text), |out| {
                for setting in &recipe.settings {
                    out.node(&format!("setting {} =", setting.name.text), |out| {
                        out.expr(&setting.value)
                    });
                }
            }),
        }
    }

    fn mixer(&mut self, mixer: &Mixer) {
        let kind = match mixer.kind {
            MixerKind::Mixer => "mixer",
            MixerKind::Model => "model",
        };
        self.node(
            &format!("{kind} {}{}", mixer.name.text, bracketed(&mixer.group)),
            |out| {
                for port in &mixer.inputs {
                    let head = format!("input {}: {}", port.name.text, ty(&port.ty));
                    match &port.domain {
                        Some(e) => out.node(&head, |out| out.node("where", |out| out.expr(e))),
                        None => out.line(&head),
                    }
                }
                mixer.hypers.iter().for_each(|hyper| out.hyper(hyper));
                for port in &mixer.outputs {
                    out.line(&format!("output {}: {}", port.name.text, ty(&port.ty)));
                }
                out.body(&mixer.body);
            },
        );
    }

    fn hyper(&mut self, hyper: &Hyper) {
        let kind = match hyper.kind {
            Some(HyperKind::Mixer) => ": mixer",
            Some(HyperKind::Int) => ": int",
            Some(HyperKind::Float) => ": float",
            Some(HyperKind::Bool) => ": bool",
            None => "",
        };
        let text = format!("setting {}{kind}", hyper.name.text);
        self.with_value(text, &hyper.default);
    }

    /// A line, and under it ` =` and a value if there is one.
    fn with_value(&mut self, text: String, value: &Option<Expr>) {
        match value {
            Some(value) => self.node(&(text + " ="), |out| out.expr(value)),
            None => self.line(&text),
        }
    }

    fn body(&mut self, body: &Body) {
        self.node("body", |out| {
            body.stmts.iter().for_each(|stmt| out.stmt(stmt))
        });
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Doc(doc) => self.doc(doc),
            Stmt::Decl(decl) => self.decl(decl),
            Stmt::Objective(objective) => {
                self.node(&format!("objective {} =", objective.name.text), |out| {
                    out.expr(&objective.value)
                });
            }
            Stmt::Repeat(repeat) => {
                let counter = repeat
                    .counter
                    .as_ref()
                    .map_or(String::new(), |name| format!(" as {}", name.text));
                let text = format!(
                    "{}repeat {}{counter}",
                    label(&repeat.label),
                    count(&repeat.count)
                );
                self.node(&text, |out| out.body(&repeat.body));
            }
            Stmt::Equation(equation) => self.equation(equation),
        }
    }

    fn decl(&mut self, decl: &Decl) {
        let kind = match decl.kind {
            DeclKind::Param => "param",
            DeclKind::State => "state",
            DeclKind::Noise => "noise",
        };
        let index = decl
            .index
            .as_ref()
            .map_or(String::new(), |name| format!("[{}]", name.text));
        let text = format!(
            "{kind} {}{index}{{{}}}",
            decl.name.text,
            names(&decl.axes, ", ")
        );
        self.with_value(text, &decl.init);
    }

    fn equation(&mut self, equation: &Equation) {
        let left = match &equation.lhs {
            Lhs::One { name, index, .. } => format!("{}{}", name.text, bracketed(index)),
            Lhs::Many { names: all, .. } => names(all, ", "),
        };
        let op = match equation.op {
            AssignOp::Set => "=",
            AssignOp::Add => "+=",
        };
        self.node(
            &format!("equation {}{left} {op}", label(&equation.label)),
            |out| {
                out.expr(&equation.value);
                if let Some(domain) = &equation.domain {
                    out.node("where", |out| out.expr(domain));
                }
            },
        );
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Number(number) => self.line(&format!("number {}", number.text)),
            ExprKind::Name(name) => self.line(&format!("name {}", name.text)),
            ExprKind::Call(call) => self.node(
                &format!("call {}{}", call.name.text, bracketed(&call.group)),
                |out| {
                    call.args.iter().for_each(|arg| out.arg(arg));
                },
            ),
            ExprKind::Index { base, index } => self.node("index", |out| {
                out.expr(base);
                out.node("at", |out| index.iter().for_each(|expr| out.expr(expr)));
            }),
            ExprKind::Remap { base, map: axes } => {
                self.node(&format!("remap {}", map(axes)), |out| out.expr(base))
            }
            ExprKind::Pick { base, picks } => self.node("pick", |out| {
                out.expr(base);
                for pick in picks {
                    out.node(&format!("axis {} =", pick.axis.text), |out| {
                        out.expr(&pick.value)
                    });
                }
            }),
            ExprKind::Unary { op, operand } => {
                self.node(&format!("unary {}", op.symbol()), |out| out.expr(operand))
            }
            ExprKind::Binary { op, left, right } => {
                self.node(&format!("binary {}", op.symbol()), |out| {
                    out.expr(left);
                    out.expr(right);
                })
            }
        }
    }

    fn arg(&mut self, arg: &Arg) {
        match arg {
            Arg::Positional(expr) => self.expr(expr),
            Arg::Named { name, value, .. } => {
                self.node(&format!("{} =", name.text), |out| out.expr(value))
            }
            Arg::Map(axes) => self.line(&format!("map {}", map(axes))),
            Arg::Per { axes, .. } => self.line(&format!("per {}", names(axes, " "))),
        }
    }
}
