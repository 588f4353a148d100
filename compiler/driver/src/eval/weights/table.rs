//! A table of weights as its JSON file says it.

use crate::{Error, Result};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Where each parameter is found.
#[derive(Clone, Debug)]
pub struct Table {
    /// The file's name, for messages.
    pub(super) name: String,
    text: String,
    pub(super) lines: Vec<Line>,
    /// Patterns of outside tensors that no parameter needs.
    pub(super) unused: Vec<String>,
}

/// A parameter's path, `*` for any step, and where it is found.
#[derive(Clone, Debug)]
pub struct Line {
    pub path: String,
    pub entry: Entry,
    pub number: usize,
}

/// One parameter. The words are applied in this order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The outside tensor.
    pub from: Option<String>,
    /// Another one, added to it.
    pub plus: Option<String>,
    /// Instead of a tensor: one number everywhere.
    pub value: Option<f64>,
    /// The same entries, row-major, in another shape.
    pub reshape: Option<Vec<usize>>,
    /// Of a dimension, the entries from the first to before the second.
    #[serde(default)]
    pub slice: BTreeMap<String, [usize; 2]>,
    /// The dimensions by the parameter's axes, several in brackets.
    pub layout: Option<String>,
    /// Axes to turn round.
    #[serde(default)]
    pub reverse: Vec<String>,
    /// Of an axis, the outside position for each of the parameter's.
    #[serde(default)]
    pub order: BTreeMap<String, Vec<usize>>,
    pub scale: Option<Factor>,
    pub add: Option<Factor>,
}

/// A number, or one for each position of an axis.
#[derive(Clone, Debug)]
pub enum Factor {
    All(f64),
    Along(BTreeMap<String, Vec<f64>>),
}

impl Entry {
    /// With steps in the place of the stars of its tensors' names.
    pub fn with(&self, steps: &[String]) -> Entry {
        let filled = |name: &String| {
            let each = |part: (usize, &str)| match part.0 {
                0 => part.1.to_owned(),
                k => steps.get(k - 1).map_or("*", String::as_str).to_owned() + part.1,
            };
            name.split('*').enumerate().map(each).collect::<String>()
        };
        Entry {
            from: self.from.as_ref().map(filled),
            plus: self.plus.as_ref().map(filled),
            ..self.clone()
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    weights: Ordered,
    #[serde(default)]
    unused: Vec<String>,
}

impl Table {
    /// Of a file's text. `name` is for messages.
    pub fn parse(name: &str, text: &str) -> Result<Table> {
        let file: File = serde_json::from_str(text).map_err(|e| {
            // The place is said once, before the words.
            let words = e.to_string();
            let words = words.rsplit_once(" at line ").map_or(&*words, |w| w.0);
            Error::Other(format!("{name}:{}:{}: {words}", e.line(), e.column()))
        })?;
        let mut table = Table {
            name: name.to_owned(),
            text: text.to_owned(),
            lines: vec![],
            unused: file.unused,
        };
        for (path, entry) in file.weights.0 {
            let number = table.line_with(&path);
            table.lines.push(Line {
                path,
                entry,
                number,
            });
        }
        Ok(table)
    }

    /// The number of the line that holds a string.
    pub(super) fn line_with(&self, words: &str) -> usize {
        let quoted = format!("\"{words}\"");
        let at = self.text.find(&quoted).unwrap_or(0);
        1 + self.text[..at].matches('\n').count()
    }
}

/// An object's members in their order, each once.
struct Ordered(Vec<(String, Entry)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object, a member for each parameter")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Ordered, A::Error> {
                let mut all: Vec<(String, Entry)> = vec![];
                while let Some(key) = map.next_key::<String>()? {
                    if all.iter().any(|(k, _)| *k == key) {
                        return Err(de::Error::custom(format!("`{key}` is there twice")));
                    }
                    all.push((key, map.next_value::<Short>()?.0));
                }
                Ok(Ordered(all))
            }
        }
        d.deserialize_map(Members)
    }
}

/// An entry, or only its tensor's name.
struct Short(Entry);

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Short;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a tensor's name, or an object with `from` or `value`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<Short, E> {
                Ok(Short(Entry {
                    from: Some(name.to_owned()),
                    ..Entry::default()
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Short, A::Error> {
                Entry::deserialize(MapAccessDeserializer::new(map)).map(Short)
            }
        }
        d.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Factor;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number, or an object from an axis to a list of numbers")
            }

            fn visit_f64<E: de::Error>(self, x: f64) -> std::result::Result<Factor, E> {
                Ok(Factor::All(x))
            }

            fn visit_i64<E: de::Error>(self, x: i64) -> std::result::Result<Factor, E> {
                Ok(Factor::All(x as f64))
            }

            fn visit_u64<E: de::Error>(self, x: u64) -> std::result::Result<Factor, E> {
                Ok(Factor::All(x as f64))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Factor, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(Factor::Along)
            }
        }
        d.deserialize_any(Either)
    }
}
