//! What code is made for, and what that decides: vector lanes, chunk and tile sizes.

use crate::backend::Backend;
use crate::passes::Shapes;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The CPU that the compiler runs on.
    Host,
    /// A CPU by LLVM's name.
    Cpu(&'static str),
    /// A GPU by its architecture.
    Cuda(&'static str),
}

/// CPUs by LLVM's names, with the f32 lanes of their vectors. All have AVX2 and FMA.
pub const CPUS: [(&str, u32); 27] = [
    ("x86-64-v3", 8),
    ("x86-64-v4", 16),
    ("haswell", 8),
    ("broadwell", 8),
    ("skylake", 8),
    ("alderlake", 8),
    ("arrowlake", 8),
    ("lunarlake", 8),
    ("sierraforest", 8),
    ("znver1", 8),
    ("znver2", 8),
    ("znver3", 8),
    ("skylake-avx512", 16),
    ("skx", 16),
    ("cascadelake", 16),
    ("cooperlake", 16),
    ("cannonlake", 16),
    ("icelake-client", 16),
    ("icelake-server", 16),
    ("tigerlake", 16),
    ("rocketlake", 16),
    ("sapphirerapids", 16),
    ("emeraldrapids", 16),
    ("graniterapids", 16),
    ("diamondrapids", 16),
    ("znver4", 16),
    ("znver5", 16),
];

/// GPU architectures.
pub const GPUS: [&str; 9] = [
    "sm_70", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_90a", "sm_100a", "sm_120a",
];

/// The GPU that PTX is for when no target is given.
pub const DEFAULT_GPU: Target = Target::Cuda("sm_90a");

impl Target {
    /// `cpu`, `cpu=ARCH` or `cuda=ARCH`. The error lists what there is.
    pub fn named(text: &str) -> Result<Target, String> {
        let cpus = || CPUS.iter().map(|c| c.0);
        match text.split_once('=') {
            None if text == "cpu" => Ok(Target::Host),
            Some(("cpu", arch)) => match cpus().find(|c| *c == arch) {
                Some(c) => Ok(Target::Cpu(c)),
                None => Err(format!("no CPU `{arch}`; there are {}", list(cpus()))),
            },
            Some(("cuda", arch)) => match GPUS.iter().find(|g| **g == arch) {
                Some(g) => Ok(Target::Cuda(g)),
                None => Err(format!(
                    "no GPU `{arch}`; there are {}",
                    list(GPUS.into_iter())
                )),
            },
            _ => Err(format!(
                "no target `{text}`; there are `cpu` (this machine's), `cpu=ARCH` with ARCH one of {}, and \
                 `cuda=ARCH` with ARCH one of {}",
                list(cpus()),
                list(GPUS.into_iter())
            )),
        }
    }

    pub fn is_gpu(self) -> bool {
        matches!(self, Target::Cuda(_))
    }

    /// f32 lanes of a vector: loops of at least this length become lanes (threads, on a GPU).
    pub fn lanes(self) -> u32 {
        match self {
            Target::Host => Backend::best().lanes(),
            Target::Cpu(name) => CPUS.iter().find(|c| c.0 == name).map_or(8, |c| c.1),
            Target::Cuda(_) => 8,
        }
    }

    pub fn shapes(self) -> Shapes {
        Shapes::cpu()
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Host => f.write_str("cpu"),
            Target::Cpu(name) => write!(f, "cpu={name}"),
            Target::Cuda(name) => write!(f, "cuda={name}"),
        }
    }
}

fn list(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_print_as_they_are_named() {
        let cpus = CPUS.iter().map(|c| Target::Cpu(c.0));
        let gpus = GPUS.iter().map(|g| Target::Cuda(g));
        for t in cpus.chain(gpus).chain([Target::Host, DEFAULT_GPU]) {
            assert_eq!(Target::named(&t.to_string()), Ok(t));
        }
    }

    #[test]
    fn a_wrong_target_is_told_what_there_is() {
        for (text, known) in [
            ("cpu=z80", "znver4"),
            ("cuda=sm_10", "sm_90a"),
            ("tpu", "cpu=ARCH"),
            ("cuda", "sm_80"),
            ("", "cuda=ARCH"),
        ] {
            let error = Target::named(text).unwrap_err();
            assert!(error.contains(known), "{text}: {error}");
        }
    }

    /// The generator's own idea of a CPU's vectors is the same.
    #[cfg(feature = "mlir")]
    #[test]
    fn lanes_are_the_generators() {
        for (name, lanes) in CPUS {
            assert_eq!(
                seqc_mlir::CpuTarget::named(name).lanes.width,
                lanes,
                "{name}"
            );
        }
    }
}
