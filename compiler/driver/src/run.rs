//! What a RUN folder says of its model: `model.seq`, a file by itself, and in `config.json` which model of it was
//! trained with which settings. Whoever reads a run elaborates exactly what was trained.

use crate::frontend::{self, Source};
use crate::{Error, Result, other};
use seqc_hir::{Elaborated, Inlined};
use serde_json::{Map, Value, json};
use std::io::ErrorKind;
use std::path::Path;

/// What `config.json` calls a model of this compiler.
const KIND: &str = "seqc";

/// A run's model.
pub struct Run {
    pub source: Source,
    pub model: String,
    pub settings: Vec<(String, String)>,
}

/// The part of `config.json` that [`open`] reads.
pub fn config(made: &Inlined) -> Map<String, Value> {
    let settings: Map<String, Value> = made
        .settings
        .iter()
        .map(|(k, v)| (k.clone(), value(v)))
        .collect();
    Map::from_iter([
        ("model_type".to_owned(), json!(KIND)),
        ("model".to_owned(), json!(made.name)),
        ("settings".to_owned(), Value::Object(settings)),
    ])
}

/// A setting's text as JSON: a number or a truth value if that is how JSON writes it, else text.
#[allow(clippy::cmp_owned)] // Its JSON text is compared: `v == text` would ask for a string.
fn value(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(v @ (Value::Number(_) | Value::Bool(_))) if v.to_string() == text => v,
        _ => json!(text),
    }
}

/// Reads the model of a run. Errors say which file is missing, damaged or of another kind.
pub fn open(folder: &Path) -> Result<Run> {
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Ok(m) if m.is_dir() => {}
        Ok(_) => {
            return Err(Error::Other(format!(
                "{shown}: a file; a run is the folder that `seqc train` makes"
            )));
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(Error::Other(format!(
                "{shown}: there is no such folder; `seqc train FILE --data PATH -o {shown}` makes it"
            )));
        }
        Err(e) => return Err(other(&shown.to_string(), e)),
    }
    let path = folder.join("config.json");
    let at = path.display().to_string();
    let text = match seqc_files::text(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(Error::Other(format!(
                "{shown}: not a run of `seqc train`, it has no config.json"
            )));
        }
        text => text.map_err(|e| other(&at, e))?,
    };
    let (model, settings) = read_config(&text).map_err(|e| other(&at, e))?;
    let source = frontend::open_alone(&folder.join("model.seq"))?;
    Ok(Run {
        source,
        model,
        settings,
    })
}

fn read_config(text: &str) -> std::result::Result<(String, Vec<(String, String)>), String> {
    let all: Value =
        serde_json::from_str(text).map_err(|e| format!("truncated or damaged ({e})"))?;
    match all["model_type"].as_str() {
        Some(KIND) => {}
        Some(kind) => return Err(format!("a model of type `{kind}`, not one of `{KIND}`")),
        None => return Err("it does not say `model_type`".into()),
    }
    let Some(model) = all["model"].as_str() else {
        return Err("it does not say which `model` of model.seq was trained".into());
    };
    let Some(settings) = all["settings"].as_object() else {
        return Err("it does not say the model's `settings`".into());
    };
    let text = |(k, v): (&String, &Value)| match v {
        Value::String(s) => Ok((k.clone(), s.clone())),
        Value::Number(_) | Value::Bool(_) => Ok((k.clone(), v.to_string())),
        _ => Err(format!("the setting `{k}` is neither a number nor a name")),
    };
    let settings = settings
        .iter()
        .map(text)
        .collect::<std::result::Result<Vec<_>, String>>()?;
    Ok((model.to_owned(), settings))
}

impl Run {
    /// The program that was trained.
    pub fn elaborate(&self) -> Result<Elaborated> {
        self.source.elaborate(&self.model, &self.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_they_were_given() {
        let given = [
            ("d", "64"),
            ("f", "gla"),
            ("p", "0.5"),
            ("q", "1e-3"),
            ("w", "inf"),
            ("n", "007"),
            ("on", "true"),
            ("big", "1_000"),
        ];
        let made = Inlined {
            text: String::new(),
            name: "lm".into(),
            settings: given
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        };
        let config = config(&made);
        assert_eq!(config["settings"]["d"], json!(64));
        let (model, mut back) =
            read_config(&Value::Object(config).to_string()).expect("what was written");
        assert_eq!(model, "lm");
        let mut want = made.settings.clone();
        want.sort();
        back.sort();
        assert_eq!(back, want);
    }

    #[test]
    fn another_kind_of_file_is_named() {
        let error = |text: &str| read_config(text).expect_err("refused");
        assert!(error("{\"model_").contains("truncated or damaged"));
        assert!(error("[]").contains("`model_type`"));
        assert!(error(r#"{"model_type": "llama"}"#).contains("`llama`"));
        assert!(error(r#"{"model_type": "seqc"}"#).contains("which `model`"));
        assert!(error(r#"{"model_type": "seqc", "model": "a"}"#).contains("`settings`"));
        let odd = r#"{"model_type": "seqc", "model": "a", "settings": {"d": [1]}}"#;
        assert!(error(odd).contains("`d`"));
    }
}
