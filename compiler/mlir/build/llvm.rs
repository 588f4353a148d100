//! Where LLVM and MLIR 22 are, or what to install. Used by the build scripts of this crate and of the command:
//! the latter runs before the long build of the bindings, so that what is missing is said first.

use std::path::PathBuf;
use std::{env, process};

const PACKAGES: &str = "llvm-22-dev libmlir-22-dev mlir-22-tools libpolly-22-dev libclang1-22 \
libclang-common-22-dev libzstd-dev zlib1g-dev libxml2-dev";

/// The folder with libMLIR; ends the build with advice when it or the headers are not there.
pub fn library_folder() -> PathBuf {
    for name in [
        "LLVM_SYS_221_PREFIX",
        "MLIR_SYS_220_PREFIX",
        "TABLEGEN_220_PREFIX",
        "MLIR_SYS_LINK_SHARED",
    ] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let prefix = ["MLIR_SYS_220_PREFIX", "LLVM_SYS_221_PREFIX"]
        .iter()
        .find_map(env::var_os);
    let prefix = PathBuf::from(prefix.unwrap_or_else(|| "/usr/lib/llvm-22".into()));
    for needed in [
        "lib/libMLIRCAPIIR.a",
        "include/mlir-c/IR.h",
        "include/llvm-c/Core.h",
    ] {
        if !prefix.join(needed).exists() {
            fail(&format!("{needed} is not in {}", prefix.display()));
        }
    }
    prefix.join("lib")
}

/// Is one shared libMLIR linked, or everything statically?
pub fn shared() -> bool {
    env::var_os("MLIR_SYS_LINK_SHARED").is_some()
}

pub fn fail(what: &str) -> ! {
    eprintln!("LLVM and MLIR 22 are needed: {what}.");
    eprintln!("On Debian or Ubuntu run scripts/setup.sh, or: apt install {PACKAGES}");
    eprintln!(
        "An installation elsewhere is named by MLIR_SYS_220_PREFIX, LLVM_SYS_221_PREFIX and TABLEGEN_220_PREFIX."
    );
    process::exit(1);
}
