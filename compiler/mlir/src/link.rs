//! Objects to one shared object, through the system's C compiler driver.

use crate::error::{Error, Result};
use std::path::Path;
use std::process::Command;

/// Links an object into a shared object at `out`, replacing it whole. Error: no linker, or what it says.
pub fn link_shared(object: &[u8], out: &Path) -> Result<()> {
    let folder = temporary(out.parent().filter(|p| !p.as_os_str().is_empty()))?;
    let (input, made) = (
        folder.path().join("kernels.o"),
        folder.path().join("kernels.so"),
    );
    write(&input, object)?;
    run(
        &["-shared", "-nostartfiles", "-Wl,--build-id=none"],
        &[&input],
        &made,
    )?;
    std::fs::rename(&made, out)
        .map_err(|e| Error::io(format!("{} cannot be written", out.display()), e))
}

/// Joins objects into one relocatable object.
pub(crate) fn join(mut objects: Vec<Vec<u8>>) -> Result<Vec<u8>> {
    if objects.len() == 1 {
        return Ok(objects.remove(0));
    }
    let folder = temporary(None)?;
    let mut paths = vec![];
    for (i, object) in objects.iter().enumerate() {
        paths.push(folder.path().join(format!("{i}.o")));
        write(&paths[i], object)?;
    }
    let made = folder.path().join("all.o");
    run(
        &["-r", "-nostdlib"],
        &paths.iter().collect::<Vec<_>>(),
        &made,
    )?;
    std::fs::read(&made).map_err(|e| Error::io("the joined object cannot be read", e))
}

/// A folder beside the result, so that the finished file can be moved there in one step.
fn temporary(beside: Option<&Path>) -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".seqc-link");
    match beside {
        Some(folder) => builder.tempdir_in(folder),
        None => builder.tempdir(),
    }
    .map_err(|e| Error::io("no temporary folder can be made", e))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes)
        .map_err(|e| Error::io(format!("{} cannot be written", path.display()), e))
}

fn run(flags: &[&str], inputs: &[&std::path::PathBuf], out: &Path) -> Result<()> {
    let driver = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let output = Command::new(&driver)
        .args(flags)
        .args(inputs)
        .arg("-o")
        .arg(out)
        .output();
    match output {
        Ok(o) if o.status.success() => Ok(()),
        Ok(o) => Err(Error::Link(format!(
            "`{driver}` failed: {}",
            String::from_utf8_lossy(&o.stderr).trim()
        ))),
        Err(e) => Err(Error::Link(format!(
            "the linker `{driver}` cannot be run ({e}): install a C compiler (on Debian: apt install gcc) or set CC"
        ))),
    }
}
