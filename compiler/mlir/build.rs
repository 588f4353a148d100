//! Makes LLVM and MLIR 22 linkable and loadable, or says what is missing.
//!
//! Two gaps of the distributions' packages are filled here. There is no `libMLIR-C.so`, which mlir-sys asks
//! for in shared mode: a linker script of that name lists the static C bindings instead. And libMLIR lies
//! outside the loader's search path: links to the shared libraries in this crate's output folder, which cargo
//! puts on the library path of `cargo run` and `cargo test` of every dependent crate, need no rpath. The command
//! is also started by hand; its own build script adds one.

#[path = "build/llvm.rs"]
mod llvm;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/llvm.rs");
    let lib = llvm::library_folder();
    println!("cargo:libdir={}", lib.display());
    if llvm::shared() {
        let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
        if let Err(e) = shim(&lib, &out).and_then(|()| links(&lib, &out)) {
            llvm::fail(&format!(
                "the shim for libMLIR cannot be written to {}: {e}",
                out.display()
            ));
        }
        println!("cargo:rustc-link-search=native={}", out.display());
        println!("cargo:rustc-link-search=native={}", lib.display());
    }
}

fn shim(lib: &Path, out: &Path) -> std::io::Result<()> {
    let mut archives = vec![];
    for entry in fs::read_dir(lib)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("libMLIRCAPI") && name.ends_with(".a") {
            archives.push(format!("-l:{name}"));
        }
    }
    archives.sort();
    // The shared libraries come again after the archives that need them: a linker that reads from left to right
    // with --as-needed (GNU ld, the default of Debian's rustc) has dropped the ones named earlier.
    fs::write(
        out.join("libMLIR-C.so"),
        format!(
            "GROUP( {} -lMLIRExecutionEngineShared -lMLIR -lLLVM-22 )\n",
            archives.join(" ")
        ),
    )
}

fn links(lib: &Path, out: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(lib)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let wanted = [
            "libMLIR.so.",
            "libMLIRExecutionEngineShared.so.",
            "libLLVM.so.",
        ];
        if !wanted.iter().any(|w| name.starts_with(w)) {
            continue;
        }
        let link = out.join(&name);
        if fs::symlink_metadata(&link).is_ok() {
            fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(&path, &link)?;
    }
    Ok(())
}
