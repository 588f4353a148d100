//! The recipe of a run: what the file says, then what `--set` says.

use seqc_driver::Error;
use seqc_hir::{Optimizer, Schedule};
use seqc_syntax::did_you_mean;
use seqc_train::Recipe;
use serde_json::{Map, Value};

type Settings = Vec<(String, String)>;

/// The recipe's settings by name, as JSON.
fn table(recipe: &Recipe) -> Map<String, Value> {
    match serde_json::to_value(recipe) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    }
}

/// Settings of the recipe, and of the model, whose header has the names `known`. A name that neither has goes to
/// the model, which knows what it could have meant.
pub fn sorted(all: Settings, known: &[String]) -> Result<(Settings, Settings), Error> {
    let recipe = table(&Recipe::default());
    let (mut of_recipe, mut of_model) = (Vec::new(), Vec::new());
    for (name, value) in all {
        if let Some(plain) = name.strip_prefix("recipe.") {
            of_recipe.push((plain.to_owned(), value));
        } else if let Some(plain) = name.strip_prefix("model.") {
            of_model.push((plain.to_owned(), value));
        } else if !recipe.contains_key(&name) {
            of_model.push((name, value));
        } else if known.contains(&name) {
            return Err(Error::Other(format!(
                "`--set {name}={value}`: both the model and its recipe have `{name}`; write `model.{name}` or `recipe.{name}`"
            )));
        } else {
            of_recipe.push((name, value));
        }
    }
    Ok((of_recipe, of_model))
}

/// The model's error, where it refuses a setting that may have been meant for the recipe, with what it may have been.
pub fn or_of_recipe(e: Error, of_model: &Settings) -> Error {
    let Error::Source(map, mut all) = e else {
        return e;
    };
    let recipe = table(&Recipe::default());
    for (name, _) in of_model {
        let refused = |d: &&mut seqc_syntax::Diagnostic| {
            d.code == "E24" && d.help.is_none() && d.message.contains(&format!("`{name}`"))
        };
        let near = did_you_mean(name, recipe.keys().map(String::as_str));
        if let (Some(d), Some(near)) = (all.iter_mut().find(refused), near) {
            d.help = Some(format!("did you mean the recipe's `{near}`?"));
        }
    }
    Error::Source(map, all)
}

/// The file's recipe (or the usual one) with settings changed.
pub fn of(written: Option<&seqc_hir::Recipe>, set: &Settings) -> Result<Recipe, Error> {
    let mut recipe = table(&written.map(converted).unwrap_or_default());
    for (name, text) in set {
        let bad = |why: String| Error::Other(format!("`--set {name}={text}`: {why}"));
        let Some(old) = recipe.get(name) else {
            let names: Vec<&str> = recipe.keys().map(String::as_str).collect();
            let near = did_you_mean(name, names.iter().copied());
            let near = near.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
            return Err(bad(format!("a recipe has {}{near}", names.join(", "))));
        };
        let value = value(text, old).map_err(|want| bad(format!("`{name}` is {want}")))?;
        recipe.insert(name.clone(), value);
    }
    let recipe: Recipe =
        serde_json::from_value(Value::Object(recipe)).map_err(|e| Error::Other(e.to_string()))?;
    recipe.validate().map_err(super::super::named)?;
    Ok(recipe)
}

/// A setting's value; the error says what is wanted.
fn value(text: &str, old: &Value) -> Result<Value, &'static str> {
    if old.is_boolean() {
        let truth: bool = text.parse().map_err(|_| "true or false")?;
        return Ok(truth.into());
    }
    let plain = text.replace('_', "");
    if old.is_u64() {
        let n: u64 = plain.parse().map_err(|_| "a whole number, at least 0")?;
        return Ok(n.into());
    }
    let x: f64 = plain.parse().map_err(|_| "a number")?;
    match serde_json::Number::from_f64(x) {
        Some(x) => Ok(Value::Number(x)),
        None => Err("a finite number"),
    }
}

fn converted(r: &seqc_hir::Recipe) -> Recipe {
    let Optimizer::AdamW {
        lr,
        beta1,
        beta2,
        eps,
        decay,
    } = r.optimizer;
    let (warmup, floor) = match r.schedule {
        Schedule::Cosine { warmup, floor } => (warmup, floor),
        Schedule::Constant => (0, 1.0),
    };
    Recipe {
        lr,
        beta1,
        beta2,
        eps,
        decay,
        warmup,
        floor,
        batch: r.batch as usize,
        length: r.length as usize,
        packed: r.packed,
        steps: r.steps,
        clip: r.clip.unwrap_or(0.0),
        seed: r.seed,
        eval_every: r.eval_every,
        eval_batches: r.eval_batches as usize,
        save_every: r.save_every,
        seconds: r.seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Settings {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn settings_find_their_owner() {
        let known = ["d".to_owned(), "length".to_owned()];
        let given = set(&[
            ("lr", "1"),
            ("d", "2"),
            ("dd", "3"),
            ("model.length", "4"),
            ("recipe.length", "5"),
        ]);
        let (of_recipe, of_model) = sorted(given, &known).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(of_recipe, set(&[("lr", "1"), ("length", "5")]));
        assert_eq!(of_model, set(&[("d", "2"), ("dd", "3"), ("length", "4")]));
        let error = sorted(set(&[("length", "4")]), &known).expect_err("ambiguous");
        assert!(
            error
                .to_string()
                .contains("`model.length` or `recipe.length`")
        );
    }

    #[test]
    fn values_are_checked_by_kind() {
        let ok = of(
            None,
            &set(&[
                ("lr", "1e-2"),
                ("steps", "2_000"),
                ("seconds", "3"),
                ("packed", "true"),
            ]),
        );
        let ok = ok.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            (ok.lr, ok.steps, ok.seconds, ok.packed),
            (1e-2, 2000, Some(3.0), true)
        );
        for (name, value, part) in [
            ("lr", "fast", "`lr` is a number"),
            ("lr", "inf", "a finite number"),
            ("lr", "-1", "`lr` is -1"),
            ("steps", "2.5", "a whole number"),
            ("steps", "-2", "a whole number"),
            ("steps", "", "a whole number"),
            ("batch", "0", "`batch` is 0"),
            ("packed", "1", "`packed` is true or false"),
            ("bach", "1", "a recipe has batch"),
            ("bach", "1", "did you mean `batch`?"),
        ] {
            let error = of(None, &set(&[(name, value)])).expect_err(value);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
