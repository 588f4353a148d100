//! Kernels to callable code: MLIR for speed, Cranelift at once.

#[cfg(not(feature = "clif"))]
use crate::Error;
use crate::build::Built;
use crate::{Result, other};
use seqc_device::Artifact;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    Mlir,
    Clif,
}

impl Backend {
    /// The best one that this build has.
    pub fn best() -> Backend {
        if cfg!(feature = "mlir") {
            Backend::Mlir
        } else {
            Backend::Clif
        }
    }

    /// f32 lanes of its vectors on this machine.
    pub fn lanes(self) -> u32 {
        match self {
            Backend::Mlir => mlir_lanes(),
            Backend::Clif => 4,
        }
    }
}

#[cfg(feature = "mlir")]
fn mlir_lanes() -> u32 {
    seqc_mlir::CpuTarget::host().map_or(8, |t| t.lanes.width)
}

#[cfg(not(feature = "mlir"))]
fn mlir_lanes() -> u32 {
    8
}

/// Plans with code made by Cranelift, in memory.
#[cfg(feature = "clif")]
pub fn instant(built: &Built) -> Result<Artifact> {
    use seqc_abi::KernelFn;
    use std::collections::HashMap;
    use std::rc::Rc;
    struct Code {
        jit: seqc_clif::Jit,
        at: HashMap<String, usize>,
    }
    impl seqc_device::Kernels for Code {
        fn entry(&self, symbol: &str) -> Option<KernelFn> {
            self.jit.entry(*self.at.get(symbol)?)
        }
    }
    let jit = seqc_clif::compile(&built.kernels).map_err(|e| other("cranelift", e))?;
    let at = built
        .kernels
        .iter()
        .enumerate()
        .map(|(n, k)| (k.name.clone(), n))
        .collect();
    Artifact::in_memory(built.plans.clone(), Rc::new(Code { jit, at }))
        .map_err(|e| other("cranelift", e))
}

#[cfg(not(feature = "clif"))]
pub fn instant(_: &Built) -> Result<Artifact> {
    Err(Error::Other(
        "this seqc was built without its Cranelift back end".into(),
    ))
}

/// Code for the plans with the given back end.
pub fn load(built: &Built, backend: Backend) -> Result<Artifact> {
    match backend {
        Backend::Clif => instant(built),
        Backend::Mlir => {
            // A shared object that is loaded needs its file no longer.
            let folder = tempfile::tempdir().map_err(|e| other("a temporary folder", e))?;
            let at = folder.path().join("artifact");
            crate::artifact::write(built, &at)?;
            Artifact::load(&at).map_err(|e| other("artifact", e))
        }
    }
}
