//! Every malformed or meaningless spec of `tests/bad/check`, with what a user is told.

use seqc_hir::{NoImports, check, load};
use seqc_syntax::{SourceMap, render_human};
use std::path::{Path, PathBuf};

fn report(path: &Path) -> String {
    let mut map = SourceMap::new();
    let name = path
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let file = map.add(name, std::fs::read(path).expect("a file"));
    let diags = match load(&mut map, file, &NoImports) {
        Ok(program) => check(&program),
        Err(diags) => diags,
    };
    render_human(&map, &diags, false)
}

#[test]
fn bad_specs_are_told_what_is_wrong() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bad/check");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("specs")
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|x| x == "seq"))
        .collect();
    files.sort();
    assert!(files.len() >= 60, "{} specs", files.len());
    for path in files {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = report(&path);
        let code = name.split('_').next().expect("a code").to_uppercase();
        if code.starts_with('E') || code == "N01" {
            assert!(
                text.contains(&format!("[{code}]")),
                "{name} gives no {code}:\n{text}"
            );
        }
        insta::assert_snapshot!(name, text);
    }
}
