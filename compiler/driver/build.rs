//! Names this build of the compiler by what it is made of, so that artifacts of another are never taken for its own.
//!
//! The name is a hash of the sources that decide what comes out, whatever program they are linked into.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Result;
use std::path::{Path, PathBuf};

/// Relative to this crate. The command itself is not among them.
const MADE_OF: [&str; 12] = [
    "../syntax/src",
    "../hir/src",
    "../algebra/src",
    "../derive/src",
    "../schedule/src",
    "../mlir/src",
    "../clif/src",
    "src",
    "../../runtime/abi/src",
    "../../grammar",
    "../../stdlib",
    "../../Cargo.lock",
];

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut hash = DefaultHasher::new();
    for feature in ["CARGO_FEATURE_MLIR", "CARGO_FEATURE_CLIF"] {
        std::env::var_os(feature).hash(&mut hash);
    }
    for part in MADE_OF {
        let path = root.join(part);
        println!("cargo:rerun-if-changed={}", path.display());
        part.hash(&mut hash);
        if path.exists() {
            add(&path, &mut hash)?;
        }
    }
    println!("cargo:rustc-env=SEQC_BUILD={:016x}", hash.finish());
    Ok(())
}

/// A file's name and bytes; of a folder, those of all its files in order.
fn add(path: &Path, hash: &mut DefaultHasher) -> Result<()> {
    path.file_name().hash(hash);
    if !path.is_dir() {
        fs::read(path)?.hash(hash);
        return Ok(());
    }
    let entries = fs::read_dir(path)?.map(|e| e.map(|e| e.path()));
    let mut inside = entries.collect::<Result<Vec<_>>>()?;
    inside.sort();
    inside.iter().try_for_each(|p| add(p, hash))
}
