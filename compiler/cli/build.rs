//! Tells the command where libMLIR is when it is started by hand, and says early if it is missing.

#[path = "../mlir/build/llvm.rs"]
mod llvm;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../mlir/build/llvm.rs");
    if std::env::var_os("CARGO_FEATURE_MLIR").is_none() {
        return;
    }
    let lib = llvm::library_folder();
    if llvm::shared() {
        println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{}", lib.display());
    }
}
