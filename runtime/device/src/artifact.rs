//! A compiled artifact: plans beside the kernels that they name.
//!
//! On disk it is a folder with `plans/NAME.json` and `kernels.so`; in memory, anything that knows its entry
//! points ([`Kernels`]). Invariant: kernels stay loaded as long as a program that may call them.

use crate::{Error, Result, fail};
use seqc_abi::{KernelFn, Plan};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

/// Where kernels come from. The pointers must stay good while the value lives, and must run on any thread.
pub trait Kernels {
    fn entry(&self, symbol: &str) -> Option<KernelFn>;
}

/// Entry points known by name, e.g. of kernels written in Rust.
impl Kernels for BTreeMap<&'static str, KernelFn> {
    fn entry(&self, symbol: &str) -> Option<KernelFn> {
        self.get(symbol).copied()
    }
}

struct SharedObject(libloading::Library);

impl Kernels for SharedObject {
    fn entry(&self, symbol: &str) -> Option<KernelFn> {
        // SAFETY: the compiler that wrote the object promises this signature for every symbol that a plan names.
        unsafe { self.0.get::<KernelFn>(symbol.as_bytes()).ok().map(|f| *f) }
    }
}

/// A plan and its kernels: what an executor is made from.
#[derive(Clone)]
pub struct Program {
    pub plan: Rc<Plan>,
    pub kernels: Rc<dyn Kernels>,
}

impl Program {
    /// Validates the plan and checks that every kernel is there.
    pub fn new(plan: Plan, kernels: Rc<dyn Kernels>) -> Result<Program> {
        plan.validate()?;
        if let Some(k) = plan
            .kernels
            .iter()
            .find(|k| kernels.entry(&k.symbol).is_none())
        {
            fail!("plan `{}`: there is no kernel `{}`", plan.name, k.symbol);
        }
        Ok(Program {
            plan: Rc::new(plan),
            kernels,
        })
    }
}

/// The programs of one artifact, by name.
pub struct Artifact {
    programs: BTreeMap<String, Program>,
}

impl Artifact {
    /// Reads a folder. Errors name the file: unreadable, not a plan, not a loadable object, a kernel missing.
    pub fn load(folder: &Path) -> Result<Artifact> {
        let plans = read_plans(&folder.join("plans"))?;
        let object = folder.join("kernels.so");
        // SAFETY: loading runs the object's initialisers: an artifact is code, to be trusted like a program.
        let library = unsafe { libloading::Library::new(&object) };
        let library = library.map_err(|e| Error(format!("{}: {e}", object.display())))?;
        Artifact::in_memory(plans, Rc::new(SharedObject(library)))
    }

    /// Plans whose kernels live elsewhere in this process.
    pub fn in_memory(plans: Vec<Plan>, kernels: Rc<dyn Kernels>) -> Result<Artifact> {
        let mut programs = BTreeMap::new();
        for plan in plans {
            let name = plan.name.clone();
            if programs
                .insert(name.clone(), Program::new(plan, kernels.clone())?)
                .is_some()
            {
                fail!("two plans are called `{name}`");
            }
        }
        Ok(Artifact { programs })
    }

    /// The error lists the names that there are.
    pub fn program(&self, name: &str) -> Result<Program> {
        match self.programs.get(name) {
            Some(p) => Ok(p.clone()),
            None => fail!(
                "no plan `{name}`; there are: {}",
                self.names().collect::<Vec<_>>().join(", ")
            ),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.programs.keys().map(String::as_str)
    }
}

fn read_plans(folder: &Path) -> Result<Vec<Plan>> {
    let at = |path: &Path, e: &dyn std::fmt::Display| Error(format!("{}: {e}", path.display()));
    let entries = std::fs::read_dir(folder).map_err(|e| at(folder, &e))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| at(folder, &e))?.path();
        if path.extension().is_some_and(|e| e == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = seqc_files::text(path).map_err(|e| at(path, &e))?;
        Plan::from_json(&text).map_err(|e| at(path, &e))
    };
    paths.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_kernels() -> Rc<dyn Kernels> {
        Rc::new(BTreeMap::<&'static str, KernelFn>::new())
    }

    fn error(folder: &Path) -> String {
        Artifact::load(folder).err().expect("an error").0
    }

    #[test]
    fn a_folder_that_is_none_is_named() {
        let dir = tempfile::tempdir().expect("temporary folder");
        assert!(error(&dir.path().join("nothing")).contains("nothing/plans"));
        std::fs::create_dir(dir.path().join("plans")).expect("made");
        std::fs::write(dir.path().join("plans/a.json"), "{").expect("written");
        assert!(error(dir.path()).contains("a.json: not a plan"));
        let plan = serde_json::to_string(&Plan {
            name: "a".into(),
            ..Plan::default()
        })
        .expect("serialises");
        std::fs::write(dir.path().join("plans/a.json"), plan).expect("written");
        assert!(error(dir.path()).contains("kernels.so"));
        std::fs::write(dir.path().join("kernels.so"), "not an object").expect("written");
        assert!(error(dir.path()).contains("kernels.so"));
    }

    #[test]
    fn names_and_symbols_are_checked() {
        let plan = Plan {
            name: "a".into(),
            ..Plan::default()
        };
        let artifact = Artifact::in_memory(vec![plan.clone()], no_kernels()).expect("sound");
        assert!(artifact.program("a").is_ok());
        assert_eq!(
            artifact.program("b").err().expect("an error").0,
            "no plan `b`; there are: a"
        );
        assert!(Artifact::in_memory(vec![plan.clone(), plan.clone()], no_kernels()).is_err());
        let mut needy = plan;
        let decl = seqc_abi::KernelDecl {
            symbol: "k".into(),
            dims: vec![],
            scratch_bytes: 0,
            writes: vec![],
        };
        needy.kernels.push(decl);
        let error = Artifact::in_memory(vec![needy], no_kernels())
            .err()
            .expect("an error")
            .0;
        assert_eq!(error, "plan `a`: there is no kernel `k`");
    }
}
