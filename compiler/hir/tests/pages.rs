//! The pages of `docs/errors`: every emitted code has one, and what a page shows is what the checker says.
//!
//! A page has three fenced blocks first: a wrong spec (```` ```seq ````), its diagnostics (```` ```text ````), and a
//! right spec (```` ```seq ````). With `UPDATE_PAGES=1` the diagnostics are written instead of compared.

use seqc_hir::{NoImports, check, elaborate, load, pages};
use seqc_syntax::{Diagnostic, SourceMap, render_human};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Found by a later stage than this crate's; its page is held to it where that stage is tested.
const ELSEWHERE: &[&str] = &["E23"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What the checker and, for a spec without errors, the demand for causal outputs say.
fn diagnostics(code: &str, text: &str) -> (Vec<Diagnostic>, String) {
    let mut map = SourceMap::new();
    let file = map.add(format!("{code}.seq"), text.as_bytes().to_vec());
    let diags = match load(&mut map, file, &NoImports) {
        Err(diags) => diags,
        Ok(program) => {
            let mut diags = check(&program);
            if code == "E22" && diags.is_empty() {
                for id in program.own() {
                    let name = program.mixer(id).name.text.clone();
                    let e = elaborate(&program, &name, &[]).expect("it checks");
                    let refused = e.outputs.iter().filter_map(|o| e.require_causal(o).err());
                    diags.extend(refused);
                }
            }
            diags
        }
    };
    let shown = render_human(&map, &diags, false);
    (diags, shown)
}

/// The fenced blocks of a page: language and text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => out.extend(open.take()),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is never closed");
    out
}

#[test]
fn every_page_shows_what_the_checker_says() {
    for (code, page) in pages::all() {
        let blocks = blocks(page);
        let languages: Vec<&str> = blocks.iter().map(|(l, _)| l.as_str()).collect();
        assert_eq!(languages[..3], ["seq", "text", "seq"], "{code}");
        let (right, shown) = diagnostics(code, &blocks[2].1);
        assert!(right.is_empty(), "the right spec of {code} gives\n{shown}");
        if ELSEWHERE.contains(&code) {
            continue;
        }
        let (wrong, shown) = diagnostics(code, &blocks[0].1);
        assert!(
            wrong.iter().any(|d| d.code == code),
            "the wrong spec of {code} gives\n{shown}"
        );
        if std::env::var_os("UPDATE_PAGES").is_some() {
            let old = format!("```text\n{}```", blocks[1].1);
            let new = page.replacen(&old, &format!("```text\n{shown}```"), 1);
            let path = root().join(format!("docs/errors/{code}.md"));
            std::fs::write(path, new).expect("the page can be written");
        } else {
            assert_eq!(blocks[1].1, shown, "{code}");
        }
    }
}

#[test]
fn pages_files_and_emitted_codes_agree() {
    let listed: BTreeSet<String> = pages::all().map(|(c, _)| c.to_owned()).collect();
    let files: BTreeSet<String> = std::fs::read_dir(root().join("docs/errors"))
        .expect("the pages")
        .map(|e| e.expect("an entry").path())
        .map(|p| {
            p.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let mut emitted = BTreeSet::new();
    for krate in ["syntax", "hir"] {
        codes_in(
            &root().join("compiler").join(krate).join("src"),
            &mut emitted,
        );
    }
    assert_eq!(
        listed, files,
        "docs/errors has other pages than src/pages.rs lists"
    );
    assert_eq!(
        listed, emitted,
        "the sources emit other codes than there are pages"
    );
}

/// String literals of the sources that are codes, without the list of pages itself.
fn codes_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            codes_in(&path, found);
        } else if path.file_name().is_some_and(|n| n != "pages.rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            found.extend(
                text.split('"')
                    .filter(|s| pages::code(s).is_some_and(|c| c == **s))
                    .map(str::to_owned),
            );
        }
    }
}

#[test]
fn pages_begin_with_their_code_and_say_what_to_do() {
    for (code, page) in pages::all() {
        assert!(page.starts_with(&format!("# {code}: ")), "{code}");
        let after = page.rsplit("```").next().unwrap_or_default();
        assert!(after.trim().len() > 40, "{code} does not say what to do");
    }
}
