//! What was expected and what was found: the words of E01.
//!
//! Why: pest knows every literal it tried at the furthest position; a reader wants "an operator, `,`
//! or `)`". Invariant: the words come from what the grammar tried, so they cannot promise what it
//! would refuse.

use crate::grammar::Rule;
use pest::error::{Error, ErrorVariant, InputLocation};

/// Where a rule stopped, and what could have stood there.
pub(crate) struct Failure {
    /// Byte offset in the text that was parsed.
    pub at: usize,
    /// Inside or right behind a word that is no name here (a keyword, `3x`): the word is to blame.
    pub in_word: bool,
    pub expected: Vec<String>,
}

impl Failure {
    pub fn new(error: &Error<Rule>) -> Self {
        let tried = Tried::new(error);
        // Only letters or digits could go on: a word was read that is not one of the grammar's.
        if tried.at > 0 && !tried.blank {
            return Failure {
                at: tried.at,
                in_word: true,
                expected: expected_rules(error),
            };
        }
        Failure {
            at: tried.at,
            in_word: false,
            expected: tried.words(),
        }
    }

    /// Whether this was among what could have stood there.
    pub fn wants(&self, what: &str) -> bool {
        self.expected.iter().any(|expected| expected == what)
    }

    /// `an operator, "," or ")"`; nothing when the grammar says nothing of use.
    pub fn list(&self) -> Option<String> {
        let (last, rest) = self.expected.split_last()?;
        Some(match rest.is_empty() {
            true => last.clone(),
            false => format!("{} or {last}", rest.join(", ")),
        })
    }
}

pub(crate) const EXPRESSION: &str = "an expression";
pub(crate) const OPERATOR: &str = "an operator";
pub(crate) const NAME: &str = "a name";
const ARGUMENT: &str = "an argument";
const STATEMENT: &str = "a new statement";
const DIGITS: &str = "a whole number";

/// What follows an operand: a suffix or an infix operator.
const OPERATORS: [&str; 18] = [
    "+", "-", "*", "/", "%", "^", "<", ">", "<=", ">=", "==", "!=", "and", "or", "[", "{", "(", ".",
];
/// Begin an operand next to names and numbers.
const OPERANDS: [&str; 3] = ["(", "-", "not"];
/// Begin statements and items.
const STARTS: [&str; 10] = [
    "param",
    "state",
    "noise",
    "objective",
    "repeat",
    "import",
    "mixer",
    "model",
    "recipe",
    "///",
];

/// The literals and character ranges that were tried at the furthest position.
struct Tried {
    at: usize,
    /// Whether a blank could have stood there, so that the last word was complete.
    blank: bool,
    literals: Vec<String>,
    letter: bool,
    digit: bool,
}

impl Tried {
    fn new(error: &Error<Rule>) -> Self {
        let mut tried = Tried {
            at: 0,
            blank: false,
            literals: Vec::new(),
            letter: false,
            digit: false,
        };
        let Some(attempts) = error.parse_attempts() else {
            return tried;
        };
        tried.at = attempts.max_position;
        for token in attempts.expected_tokens() {
            // pest keeps the type of these to itself; their text is public: `+`, `A..Z`.
            match token.to_string().as_str() {
                " " => tried.blank = true,
                "A..Z" => tried.letter = true,
                "0..9" => tried.digit = true,
                // Parts of words and comments, never what a reader is to write.
                "\t" | "\r" | "\n" | "//" | "_" | "'" | "i" | "E" | "a..z" | "BUILTIN_RULE" => {}
                literal => tried.literals.push(literal.to_string()),
            }
        }
        tried
    }

    fn has(&self, literal: &str) -> bool {
        self.literals.iter().any(|known| known == literal)
    }

    fn drop(&mut self, literals: &[&str]) {
        self.literals
            .retain(|literal| !literals.contains(&literal.as_str()));
    }

    /// Literals that belong together become one phrase; the others are quoted.
    fn words(mut self) -> Vec<String> {
        let mut words = Vec::new();
        let mut statement = false;
        if self.has("*") {
            words.push(OPERATOR.to_string());
            statement = self.has("param");
            self.drop(&OPERATORS);
            self.drop(&["where"]);
        } else if self.has("(") && self.has("-") {
            words.push(
                if self.has("per") {
                    ARGUMENT
                } else {
                    EXPRESSION
                }
                .to_string(),
            );
            if words[0] == ARGUMENT {
                self.drop(&["->", "per"]);
            }
            self.drop(&OPERANDS);
        } else if self.has("param") {
            statement = true;
        } else if self.letter {
            words.push(NAME.to_string());
            if self.digit && self.literals.is_empty() {
                words.push(DIGITS.to_string());
            }
        } else if self.digit {
            words.push(DIGITS.to_string());
        }
        if statement {
            self.drop(&STARTS);
        } else {
            self.drop(&["///"]);
        }
        words.extend(self.literals.iter().map(|literal| format!("`{literal}`")));
        if statement {
            words.push(STATEMENT.to_string());
        }
        words
    }
}

/// What the rules say that began where the word begins.
fn expected_rules(error: &Error<Rule>) -> Vec<String> {
    let (ErrorVariant::ParsingError { positives, .. }, InputLocation::Pos(_)) =
        (&error.variant, &error.location)
    else {
        return Vec::new();
    };
    let mut words = Vec::new();
    for rule in positives {
        let word = match rule {
            Rule::ident => NAME,
            Rule::axis => "an axis",
            Rule::kind => "`mixer`, `int`, `float` or `bool`",
            Rule::minus | Rule::kw_not | Rule::postfix | Rule::expr | Rule::atom => EXPRESSION,
            Rule::arg => ARGUMENT,
            Rule::stmt => "a statement",
            Rule::digits => DIGITS,
            _ => continue,
        };
        if !words.iter().any(|known| known == word) {
            words.push(word.to_string());
        }
    }
    words
}
