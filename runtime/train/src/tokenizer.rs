//! The byte tokenizer as the hub's `tokenizer.json`: token n is byte n. It is byte-level BPE without merges,
//! whose vocabulary spells every byte as one printable character, as GPT-2's does.

use seqc_device::{Error, Result, fail};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The character that byte-level tokenizers write for a byte: itself if it is printable in Latin-1, else the
/// next free character from U+0100 on.
fn spelled(byte: u8) -> char {
    let plain = |b: u8| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    if plain(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&b| !plain(b)).count() as u32;
    char::from_u32(0x100 + before).unwrap_or('\u{fffd}')
}

/// The file's text.
pub fn tokenizer_json() -> String {
    let vocab: Map<String, Value> = (0..=255u8)
        .map(|b| (spelled(b).to_string(), json!(b)))
        .collect();
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    let file = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": bytes,
        "post_processor": null,
        "decoder": bytes,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": []
        }
    });
    format!("{file:#}\n")
}

/// Refuses a run whose `tokenizer.json` is another one: its ids would be taken for bytes. None is fine: the run's
/// tokens are bytes whether a file says so or not.
pub fn of_run(run: &Path) -> Result<()> {
    let path = run.join("tokenizer.json");
    let shown = path.display();
    let text = match seqc_files::text(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        text => text.map_err(|e| Error(format!("{shown}: {e}")))?,
    };
    let file: Value = serde_json::from_str(&text)
        .map_err(|e| Error(format!("{shown}: truncated or damaged ({e})")))?;
    match differs(&file) {
        Some(part) => fail!(
            "{shown}: not this model's tokenizer: its {part}. What is supported is what `seqc train` writes: \
             byte-level BPE without merges, in which token n is byte n"
        ),
        None => Ok(()),
    }
}

/// The first part by which a tokenizer does anything else than give each byte its number.
fn differs(file: &Value) -> Option<String> {
    let empty = |v: &Value| match v {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        _ => false,
    };
    if file["model"]["type"] != "BPE" {
        return Some(format!("model is {}, not BPE", file["model"]["type"]));
    }
    if !empty(&file["model"]["merges"]) {
        return Some("model has merges".into());
    }
    for part in [
        "added_tokens",
        "normalizer",
        "post_processor",
        "truncation",
        "padding",
    ] {
        if !empty(&file[part]) {
            return Some(format!("`{part}` is not empty"));
        }
    }
    for part in ["pre_tokenizer", "decoder"] {
        if file[part]["type"] != "ByteLevel" {
            return Some(format!("`{part}` is not byte-level"));
        }
    }
    if file["pre_tokenizer"]["add_prefix_space"] == true {
        return Some("`pre_tokenizer` adds a space".into());
    }
    let vocab = file["model"]["vocab"].as_object();
    let is = |byte: u8| vocab?.get(&spelled(byte).to_string())?.as_u64();
    if vocab.is_none_or(|v| v.len() != 256) {
        return Some("vocabulary is not that of the 256 bytes".into());
    }
    let wrong = (0..=255u8).find(|b| is(*b) != Some(u64::from(*b)))?;
    Some(format!("vocabulary does not give byte {wrong} its number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_tokenizer_is_refused_by_name() {
        let own: Value = serde_json::from_str(&tokenizer_json()).expect("JSON");
        assert_eq!(differs(&own), None);
        let with = |path: &str, value: Value| {
            let mut other = own.clone();
            *other.pointer_mut(path).expect(path) = value;
            differs(&other).expect(path)
        };
        assert!(with("/model/type", json!("Unigram")).contains("Unigram"));
        assert!(with("/model/merges", json!(["t o"])).contains("merges"));
        assert!(with("/added_tokens", json!([{ "id": 256 }])).contains("added_tokens"));
        assert!(with("/normalizer", json!({ "type": "NFC" })).contains("normalizer"));
        assert!(with("/pre_tokenizer", json!({ "type": "Metaspace" })).contains("byte-level"));
        assert!(with("/pre_tokenizer/add_prefix_space", json!(true)).contains("space"));
        assert!(with("/model/vocab", json!({ "t": 0 })).contains("256"));
        assert!(with("/model/vocab/a", json!(98)).contains("byte 97"));
        assert!(differs(&json!([])).is_some() && differs(&json!(3)).is_some());
    }

    /// Spellings from GPT-2's published vocabulary: space, newline, tab, zero, soft hyphen, and plain ones.
    #[test]
    fn spelled_as_published() {
        let cases = [
            (b' ', 'Ġ'),
            (b'\n', 'Ċ'),
            (b'\t', 'ĉ'),
            (0, 'Ā'),
            (0xad, 'Ń'),
            (b'a', 'a'),
            (0xff, 'ÿ'),
            (0x7f, 'ġ'),
        ];
        for (byte, want) in cases {
            assert_eq!(spelled(byte), want, "{byte}");
        }
    }

    #[test]
    fn every_byte_has_its_own_token() {
        let file: Value = serde_json::from_str(&tokenizer_json()).expect("JSON");
        let vocab = file["model"]["vocab"].as_object().expect("a table");
        let mut ids: Vec<u64> = vocab.values().filter_map(Value::as_u64).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..256).collect::<Vec<_>>());
        assert!(vocab.keys().all(|k| k.chars().count() == 1));
    }
}
