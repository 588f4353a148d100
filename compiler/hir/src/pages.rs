//! The pages of the diagnostics, built into the compiler: `docs/errors/CODE.md`.
//!
//! Invariant: a code is listed here iff some stage emits it and the page exists; `tests/pages.rs` compares the three
//! and holds every page's examples to what the checker says.

macro_rules! pages {
    ($($code:literal)*) => {
        /// Code and text of each page, in order.
        const PAGES: &[(&str, &str)] = &[
            $(($code, include_str!(concat!("../../../docs/errors/", $code, ".md"))),)*
        ];
    };
}

pages! {
    "E01" "E02" "E03" "E04" "E05" "E06" "E07" "E08" "E09" "E10"
    "E11" "E12" "E13" "E14" "E15" "E16" "E17" "E18" "E19" "E20"
    "E21" "E22" "E23" "E24" "E25" "E26" "E27" "E28" "E29" "E30"
    "N01"
}

/// Every code with its page.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGES.iter().copied()
}

/// The page of a code as somebody may write it: `E07`, `e7`, `E0007`.
pub fn find(written: &str) -> Option<(&'static str, &'static str)> {
    let code = code(written)?;
    all().find(|(c, _)| *c == code)
}

/// Does this look like a code of a diagnostic: a letter of ours and digits? The code as it is listed.
pub fn code(written: &str) -> Option<String> {
    let (letter, digits) = written.split_at_checked(1)?;
    let letter = letter.to_ascii_uppercase();
    let ours = matches!(letter.as_str(), "E" | "N");
    let number: u32 = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())??;
    ours.then(|| format!("{letter}{number:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_however_many_zeros_it_is_written_with() {
        for written in ["E07", "E007", "e7", "E0007", "E7"] {
            assert_eq!(find(written).map(|p| p.0), Some("E07"), "{written}");
        }
        assert_eq!(find("n1").map(|p| p.0), Some("N01"));
        for written in [
            "",
            "E",
            "E99",
            "7",
            "Ex",
            "E-7",
            "E+7",
            "ö7",
            "E99999999999",
        ] {
            assert_eq!(find(written), None, "{written}");
        }
    }
}
