//! From kernels to callable addresses. All `unsafe` of this crate is here.

use crate::emit::{Imports, emit_kernel};
use crate::{Error, symbols};
use cranelift::codegen;
use cranelift::codegen::ir::UserFuncName;
use cranelift::codegen::settings::Configurable;
use cranelift::prelude::{AbiParam, Signature, isa::TargetIsa, types};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module};
use seqc_abi::KernelFn;
use seqc_schedule::ir::Kernel;

/// Compiled kernels; their memory is freed when this is dropped, so no entry may run after.
pub struct Jit {
    module: Option<JITModule>,
    entries: Vec<KernelFn>,
}

// SAFETY: after `finalize_definitions` the code is immutable, and the module is touched again only by `drop`,
// which has exclusive access.
unsafe impl Send for Jit {}
// SAFETY: as above.
unsafe impl Sync for Jit {}

impl Drop for Jit {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: entries are used only while `self` lives (see `Jit::entry`).
            unsafe { module.free_memory() }
        }
    }
}

impl Jit {
    /// The entry point of the `i`-th kernel given to [`compile`]; `None` if there were fewer. Valid while
    /// `self` lives. Calling it is unsafe: its arguments must be as `seqc_abi::KernelFn` says.
    pub fn entry(&self, i: usize) -> Option<KernelFn> {
        self.entries.get(i).copied()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn broken(e: impl std::fmt::Display) -> Error {
    Error::Cranelift(e.to_string())
}

/// Machine code for all kernels. They should have passed `seqc_schedule::verify`.
pub fn compile(kernels: &[Kernel]) -> Result<Jit, Error> {
    let mut session = Session::new()?;
    let ids: Result<Vec<FuncId>, Error> = kernels
        .iter()
        .enumerate()
        .map(|(i, k)| session.define(i, k))
        .collect();
    let mut module = session.module;
    module.finalize_definitions().map_err(broken)?;
    let entry = |id| {
        let code = module.get_finalized_function(id);
        // SAFETY: every kernel is built with `kernel_signature`, which is that of `KernelFn`.
        unsafe { std::mem::transmute::<*const u8, KernelFn>(code) }
    };
    let entries = ids?.into_iter().map(entry).collect();
    Ok(Jit {
        module: Some(module),
        entries,
    })
}

/// The Cranelift text of one kernel, before its optimisation.
pub fn emit(kernel: &Kernel) -> Result<String, Error> {
    let mut session = Session::new()?;
    let ctx = session.build(0, kernel)?;
    Ok(ctx.func.display().to_string())
}

struct Session {
    module: JITModule,
    imports: Vec<(&'static str, FuncId)>,
    fma: bool,
}

impl Session {
    fn new() -> Result<Session, Error> {
        let mut flags = codegen::settings::builder();
        for (name, value) in [
            ("use_colocated_libcalls", "false"),
            ("is_pic", "false"),
            ("opt_level", "speed"),
            (
                "enable_verifier",
                if cfg!(debug_assertions) {
                    "true"
                } else {
                    "false"
                },
            ),
        ] {
            flags.set(name, value).map_err(broken)?;
        }
        let isa = cranelift::native::builder().map_err(broken)?;
        let isa = isa
            .finish(codegen::settings::Flags::new(flags))
            .map_err(broken)?;
        let fma = has_fma(isa.as_ref());
        let mut jit = JITBuilder::with_isa(isa, cranelift_module::default_libcall_names());
        for s in symbols::all() {
            jit.symbol(s.name, s.address);
        }
        let mut module = JITModule::new(jit);
        let mut imports = vec![];
        for f in symbols::all() {
            let mut s = module.make_signature();
            s.params = f.takes.iter().map(|t| AbiParam::new(*t)).collect();
            s.returns = vec![AbiParam::new(f.gives)];
            let id = module
                .declare_function(f.name, Linkage::Import, &s)
                .map_err(broken)?;
            imports.push((f.name, id));
        }
        Ok(Session {
            module,
            imports,
            fma,
        })
    }

    fn build(&mut self, index: usize, kernel: &Kernel) -> Result<codegen::Context, Error> {
        let mut ctx = self.module.make_context();
        ctx.func.signature = kernel_signature(&self.module);
        ctx.func.name = UserFuncName::user(0, index as u32);
        let imports = Imports {
            functions: self
                .imports
                .iter()
                .map(|(n, id)| (*n, self.module.declare_func_in_func(*id, &mut ctx.func)))
                .collect(),
            fma: self.fma,
        };
        let target = self.module.isa().frontend_config();
        emit_kernel(kernel, &mut ctx.func, imports, target).map_err(|message| Error::Kernel {
            kernel: kernel.name.clone(),
            message,
        })?;
        Ok(ctx)
    }

    fn define(&mut self, index: usize, kernel: &Kernel) -> Result<FuncId, Error> {
        let mut ctx = self.build(index, kernel)?;
        let id = self
            .module
            .declare_anonymous_function(&ctx.func.signature)
            .map_err(broken)?;
        let done = self.module.define_function(id, &mut ctx);
        done.map_err(|e| Error::Cranelift(format!("{}: {e:?}", kernel.name)))?;
        Ok(id)
    }
}

/// That of [`KernelFn`]: buffers, sizes, first cell, end of cells, scratch.
fn kernel_signature(module: &JITModule) -> Signature {
    let mut s = module.make_signature();
    s.params = vec![AbiParam::new(types::I64); 5];
    s
}

/// Is a fused multiply-add one instruction here?
fn has_fma(isa: &dyn TargetIsa) -> bool {
    let x64 = isa
        .isa_flags()
        .iter()
        .any(|f| f.name == "has_fma" && f.as_bool() == Some(true));
    x64 || isa.name() == "aarch64"
}
