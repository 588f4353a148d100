//! Makes LLVM and MLIR 22 linkable and loadable, or says what is missing.
//!
//! Two gaps of the distributions' packages are filled here. There is no `libMLIR-C.so`, which mlir-sys asks
//! for in shared mode: a linker script of that name lists the static C bindings instead. And libMLIR lies
//! outside the loader's search path: links to the shared libraries in this crate's output folder, which cargo
//! puts on the library path of `cargo run` and `cargo test` of every dependent crate, need no rpath. A binary
//! that is started by hand needs one: its build script can use `DEP_SEQC_MLIR_LIBDIR` or the prefix below.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

const PACKAGES: &str = "llvm-22-dev libmlir-22-dev mlir-22-tools libpolly-22-dev libclang1-22 \
libclang-common-22-dev libzstd-dev zlib1g-dev libxml2-dev";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for name in ["LLVM_SYS_221_PREFIX", "MLIR_SYS_220_PREFIX", "TABLEGEN_220_PREFIX", "MLIR_SYS_LINK_SHARED"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let lib = library_folder();
    println!("cargo:libdir={}", lib.display());
    if env::var_os("MLIR_SYS_LINK_SHARED").is_some() {
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        if let Err(e) = shim(&lib, &out).and_then(|()| links(&lib, &out)) {
            fail(&format!("the shim for libMLIR cannot be written to {}: {e}", out.display()));
        }
        println!("cargo:rustc-link-search=native={}", out.display());
        println!("cargo:rustc-link-search=native={}", lib.display());
    }
}

/// The folder with libMLIR; ends the build with advice when it or the headers are not there.
fn library_folder() -> PathBuf {
    let prefix = ["MLIR_SYS_220_PREFIX", "LLVM_SYS_221_PREFIX"].iter().find_map(env::var_os);
    let prefix = PathBuf::from(prefix.unwrap_or_else(|| "/usr/lib/llvm-22".into()));
    for needed in ["lib/libMLIRCAPIIR.a", "include/mlir-c/IR.h", "include/llvm-c/Core.h"] {
        if !prefix.join(needed).exists() {
            fail(&format!("{needed} is not in {}", prefix.display()));
        }
    }
    prefix.join("lib")
}

fn fail(what: &str) -> ! {
    println!("cargo:warning=LLVM and MLIR 22 are needed: {what}.");
    println!("cargo:warning=On Debian or Ubuntu run scripts/setup.sh, or: apt install {PACKAGES}");
    println!("cargo:warning=An installation elsewhere is named by MLIR_SYS_220_PREFIX, LLVM_SYS_221_PREFIX and TABLEGEN_220_PREFIX.");
    process::exit(1);
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
        format!("GROUP( {} -lMLIRExecutionEngineShared -lMLIR -lLLVM-22 )\n", archives.join(" ")),
    )
}

fn links(lib: &Path, out: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(lib)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let wanted = ["libMLIR.so.", "libMLIRExecutionEngineShared.so.", "libLLVM.so."];
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
