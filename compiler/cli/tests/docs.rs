//! Runs the commands of the documents: in README.md and docs/*.md, every line of a block marked `sh` that starts with
//! `$ seqc `. They must exit with 0, or with N where the line ends in a comment `# exit N`.
//!
//! The commands of one document run in order in a folder of their own, which holds `examples` and `stdlib`; what they
//! write goes there too. A line that ends in `\` goes on. Blocks marked otherwise (`sh ignore`, `text`) are left alone.
#![cfg(feature = "mlir")] // some of the commands need it

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A command, the line that it starts on, and the exit code that it must have.
#[derive(Debug, PartialEq)]
struct Documented {
    line: usize,
    command: String,
    code: i32,
}

fn commands(text: &str) -> Vec<Documented> {
    let mut found: Vec<Documented> = vec![];
    let (mut inside, mut goes_on) = (None, false);
    for (i, line) in text.lines().enumerate() {
        if let Some(mark) = line.trim_start().strip_prefix("```") {
            inside = inside.is_none().then(|| mark.trim() == "sh");
            goes_on = false;
        } else if inside == Some(true) {
            let command = line.strip_prefix("$ ").filter(|c| c.starts_with("seqc "));
            match (goes_on, command, found.last_mut()) {
                (true, _, Some(last)) => last.command.push_str(line),
                (_, Some(c), _) => found.push(Documented {
                    line: i + 1,
                    command: c.to_owned(),
                    code: 0,
                }),
                _ => continue,
            }
            if let Some(last) = found.last_mut() {
                goes_on = last.command.ends_with('\\');
                last.command
                    .truncate(last.command.trim_end_matches('\\').len());
            }
        }
    }
    for d in &mut found {
        let code = d.command.rsplit_once("# exit ").map(|(_, n)| n.trim());
        d.code = code.and_then(|n| n.parse().ok()).unwrap_or(0);
    }
    found
}

/// Runs the commands of one document; says which did not exit as documented.
fn failures(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["examples", "stdlib"] {
        let from = root().join(name).canonicalize().unwrap();
        std::os::unix::fs::symlink(from, folder.path().join(name)).unwrap();
    }
    let bin = Path::new(env!("CARGO_BIN_EXE_seqc")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let run = |d: &Documented| {
        let out = Command::new("sh")
            .args(["-c", &d.command])
            .current_dir(folder.path())
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("SEQC_CACHE", folder.path().join(".cache"))
            .output()
            .unwrap();
        let says = String::from_utf8_lossy(&out.stderr).into_owned();
        (out.status.code(), says)
    };
    let mut wrong = vec![];
    for d in commands(&text) {
        let (code, says) = run(&d);
        if code != Some(d.code) {
            let (name, line) = (document.display(), d.line);
            wrong.push(format!(
                "{name}:{line}: `{}` exits with {code:?}, not {}\n{says}",
                d.command, d.code
            ));
        }
    }
    wrong
}

#[test]
fn documented_commands_work() {
    let mut documents: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "md"))
        .chain([root().join("README.md")])
        .collect();
    documents.sort();
    let wrong: Vec<String> = documents.iter().flat_map(|d| failures(d)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let build = fs::read_to_string(root().join("docs/build.md")).unwrap();
    assert!(
        commands(&build).len() > 8,
        "docs/build.md has lost its commands"
    );
}

#[test]
fn commands_are_found() {
    let text = "\
$ seqc outside
```sh
$ seqc one  # exit 2
output
$ cat x
$ seqc two \\
    --more
```
```text
$ seqc not
```
```sh ignore
$ seqc neither
```
";
    let found = commands(text);
    let line = |n: usize| (found[n].line, found[n].code);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((line(0), line(1)), ((3, 2), (6, 0)));
    assert_eq!(found[1].command, "seqc two     --more");
}

#[test]
fn a_wrong_document_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("bad.md");
    fs::write(
        &at,
        "```sh\n$ seqc no-such-command\n$ seqc nor-this # exit 2\n```\n",
    )
    .unwrap();
    let wrong = failures(&at);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].contains("bad.md:2"), "{wrong:?}");
}
