//! The only unsafe code of this crate: handing a module of the `llvm` dialect to LLVM, and handing inkwell the
//! result. Everything returned owns what it points to.
#![allow(unsafe_code)]

use crate::error::{Error, Result};
use inkwell::context::Context;
use inkwell::module::Module;

/// Translates an operation that holds functions of the `llvm` dialect.
pub(crate) fn translate<'c>(
    operation: melior::ir::operation::OperationRef<'_, '_>,
    context: &'c Context,
) -> Result<Module<'c>> {
    // SAFETY: both live through the call; the returned module belongs to `context`, is non-null after the
    // check, and nothing else owns it.
    unsafe {
        let raw = mlir_sys::mlirTranslateModuleToLLVMIR(operation.to_raw(), context.raw() as *mut _);
        if raw.is_null() {
            return Err(Error::llvm("translation", "the module cannot be translated to LLVM IR"));
        }
        Ok(Module::new(raw as *mut _))
    }
}
