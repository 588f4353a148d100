//! What a header and its doc lines promise, held by whatever command looks first: classes (E23), forms, ranges of inputs (E28).

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fault(name: &str) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/faults");
    tests.join(name).display().to_string()
}

fn seqc(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
    command.args(args).output().expect("seqc runs")
}

fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// A folder of its own, with a file of one input `[1, n, 1]` each.
fn inputs(name: &str, tensors: &[(&str, &[f32])]) -> (PathBuf, String) {
    let folder = std::env::temp_dir().join(format!("seqc-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("in.safetensors");
    let bytes: Vec<(&str, usize, Vec<u8>)> = (tensors.iter())
        .map(|(n, x)| {
            (
                *n,
                x.len(),
                x.iter().flat_map(|x| x.to_le_bytes()).collect(),
            )
        })
        .collect();
    let views = bytes.iter().map(|(n, t, b)| {
        let view = TensorView::new(Dtype::F32, vec![1, *t, 1], b);
        (*n, view.expect("a tensor"))
    });
    safetensors::serialize_to_file(views, None, &file).expect("written");
    (folder.clone(), file.display().to_string())
}

#[test]
fn a_wrong_class_is_told_by_the_first_command() {
    let file = fault("wrong_class_comment.seq");
    for args in [
        vec!["check", &file],
        vec!["verify", &file, "--quick"],
        vec!["build", &file, "--emit", "hir"],
        vec!["explain", &file],
    ] {
        let out = seqc(&args);
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("E23"), "{args:?}: {said}");
    }
    // With the right class nothing is said.
    let text = std::fs::read_to_string(&file).expect("a spec");
    let (folder, _) = inputs("right-class", &[]);
    let right = folder.join("right.seq");
    let text = text.replace("class: nonlinear", "class: diagonal");
    std::fs::write(&right, text).expect("written");
    let out = seqc(&["check", &right.display().to_string()]);
    assert!(out.status.success(), "{}", stderr(&out));
    std::fs::remove_dir_all(folder).ok();
}

#[test]
fn a_form_that_a_mixer_does_not_have_is_an_error() {
    let (folder, given) = inputs("forms", &[("x", &[1.0, 2.0, 3.0])]);
    let spec = folder.join("m.seq");
    let text = "seq 1\n\nmixer m(x: seq{d}; d = 1) -> y: seq{d} {\n    state y{d}\n    y[t] = tanh(y[t-1] + x)\n}\n";
    std::fs::write(&spec, text).expect("written");
    let (spec, out) = (
        spec.display().to_string(),
        folder.join("out").display().to_string(),
    );
    let eval = |form: &str| {
        seqc(&[
            "eval",
            &spec,
            "--mixer",
            "m",
            "--inputs",
            &given,
            "--outputs",
            &out,
            "--backend",
            "clif",
            "--form",
            form,
        ])
    };
    let bad = eval("convolution");
    let said = stderr(&bad);
    assert_eq!(bad.status.code(), Some(1), "{said}");
    for word in ["convolution", "matrix", "recurrent", "chunked"] {
        assert!(said.contains(word), "{said}");
    }
    let bad = seqc(&["build", &spec, "--emit", "derived", "--form", "convolution"]);
    assert_eq!(bad.status.code(), Some(1), "{}", stderr(&bad));
    for form in ["matrix", "recurrent", "chunked", "parallel"] {
        let good = eval(form);
        assert!(good.status.success(), "{form}: {}", stderr(&good));
    }
    std::fs::remove_dir_all(folder).ok();
}

#[test]
fn numbers_outside_of_a_range_are_refused_at_the_range() {
    let (folder, good) = inputs("ranges", &[("x", &[1.0, 2.0]), ("g", &[-1.0, 0.0])]);
    let (other, bad) = inputs("ranges-bad", &[("x", &[1.0, 2.0]), ("g", &[-1.0, 0.25])]);
    let spec = folder.join("m.seq");
    let text = "seq 1\n\nmixer m(x: seq{d}, g: seq{d}  where g <= 0; d = 1) -> y: seq{d} {\n    y = exp(g) * x\n}\n";
    std::fs::write(&spec, text).expect("written");
    let (spec, out) = (
        spec.display().to_string(),
        folder.join("out").display().to_string(),
    );
    let eval = |given: &str| {
        seqc(&[
            "eval",
            &spec,
            "--mixer",
            "m",
            "--inputs",
            given,
            "--outputs",
            &out,
            "--backend",
            "clif",
        ])
    };
    assert!(eval(&good).status.success(), "{}", stderr(&eval(&good)));
    let refused = eval(&bad);
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for word in ["E28", "m.seq:3", "`g` holds 0.25", "g <= 0"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    // The formatter and the dump know of it.
    let formatted = seqc(&["fmt", "--check", &spec]);
    assert!(formatted.status.success(), "{}", stderr(&formatted));
    std::fs::remove_dir_all(folder).ok();
    std::fs::remove_dir_all(other).ok();
}
