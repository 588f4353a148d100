//! Floating-point numbers in JSON: finite ones as numbers, the others as `"inf"`, `"-inf"`, `"nan"`, which JSON
//! has no syntax for. A number that was written is read back as the same number.

use serde::{Deserialize, Deserializer, Serializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Text(String),
}

pub fn serialize<S: Serializer>(x: &f64, to: S) -> Result<S::Ok, S::Error> {
    if x.is_finite() {
        to.serialize_f64(*x)
    } else if x.is_nan() {
        to.serialize_str("nan")
    } else {
        to.serialize_str(if *x > 0.0 { "inf" } else { "-inf" })
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    match Number::deserialize(from)? {
        Number::Finite(x) => Ok(x),
        Number::Text(s) => match s.as_str() {
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            "nan" => Ok(f64::NAN),
            other => Err(serde::de::Error::custom(format!("`{other}` is no number"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::Init;

    #[test]
    fn infinite_starts_survive_json() {
        for x in [f64::NEG_INFINITY, f64::INFINITY, 0.0, -1.5e-300] {
            let text = serde_json::to_string(&Init::Const(x)).expect("serialises");
            assert_eq!(
                serde_json::from_str::<Init>(&text).expect("parses"),
                Init::Const(x),
                "{text}"
            );
        }
        assert!(serde_json::from_str::<Init>(r#"{"const":"big"}"#).is_err());
    }
}
