//! An expression as its text, for messages.

use seqc_syntax::ast::{Arg, BinaryOp, Expr, ExprKind};

/// A formula as text, for messages.
pub fn text_of(e: &Expr) -> String {
    fn prec(op: BinaryOp) -> u8 {
        match op {
            BinaryOp::Or => 1,
            BinaryOp::And => 2,
            BinaryOp::Add | BinaryOp::Sub => 4,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => 5,
            BinaryOp::Pow => 7,
            _ => 3,
        }
    }
    fn go(e: &Expr, outer: u8) -> String {
        match &e.kind {
            ExprKind::Number(n) => n.text.clone(),
            ExprKind::Name(n) => n.text.clone(),
            ExprKind::Call(c) => {
                let args: Vec<String> = c
                    .args
                    .iter()
                    .map(|a| {
                        if let Arg::Positional(x) = a {
                            go(x, 0)
                        } else {
                            "…".into()
                        }
                    })
                    .collect();
                format!("{}({})", c.name.text, args.join(", "))
            }
            ExprKind::Unary { op, operand } => format!("{}{}", op.symbol(), go(operand, 6)),
            ExprKind::Binary { op, left, right } => {
                let p = prec(*op);
                let text = format!("{} {} {}", go(left, p), op.symbol(), go(right, p + 1));
                if p < outer { format!("({text})") } else { text }
            }
            _ => "…".into(),
        }
    }
    go(e, 0)
}
