//! The byte tokenizer as the hub's `tokenizer.json`: token n is byte n. It is byte-level BPE without merges,
//! whose vocabulary spells every byte as one printable character, as GPT-2's does.

use serde_json::{Map, Value, json};

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

#[cfg(test)]
mod tests {
    use super::*;

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
