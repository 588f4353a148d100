//! MLIR contexts, parsing with diagnostics, and pass pipelines, through melior.

use crate::error::{Error, Result};
use melior::Context;
use melior::dialect::DialectRegistry;
use melior::ir::Module;
use melior::pass::PassManager;
use melior::utility::{
    parse_pass_pipeline, register_all_dialects, register_all_llvm_translations, register_all_passes,
};
use std::sync::{Arc, Mutex};

/// From what [`crate::emit`] prints to the `llvm` dialect.
pub(crate) const TO_LLVM: &str =
    "cse,convert-scf-to-cf,convert-vector-to-llvm,convert-to-llvm,reconcile-unrealized-casts";

/// An MLIR context whose diagnostics are collected instead of printed.
pub(crate) struct Session {
    pub context: Context,
    messages: Arc<Mutex<String>>,
}

impl Session {
    pub fn new() -> Session {
        register_all_passes();
        let registry = DialectRegistry::new();
        register_all_dialects(&registry);
        let context = Context::new_with_registry(&registry, false);
        register_all_llvm_translations(&context);
        let messages = Arc::new(Mutex::new(String::new()));
        let sink = messages.clone();
        context.attach_diagnostic_handler(move |d| {
            if let Ok(mut text) = sink.lock() {
                text.push_str(&format!("{}: {d}\n", d.location()));
            }
            true
        });
        Session { context, messages }
    }

    /// What was reported since the last call, first lines only.
    pub fn messages(&self) -> String {
        let text = self
            .messages
            .lock()
            .map(|mut t| std::mem::take(&mut *t))
            .unwrap_or_default();
        text.lines().take(8).collect::<Vec<_>>().join("\n")
    }

    /// Parses and verifies a module.
    pub fn parse(&self, text: &str) -> Result<Module<'_>> {
        if text.contains('\0') {
            return Err(Error::Mlir {
                stage: "parser",
                what: "the text holds a zero byte".into(),
            });
        }
        Module::parse(&self.context, text).ok_or_else(|| Error::Mlir {
            stage: "parser",
            what: self.messages(),
        })
    }

    /// Runs a pass pipeline given in MLIR's textual form, without the enclosing `builtin.module(…)`.
    pub fn run(&self, module: &mut Module, pipeline: &str) -> Result<()> {
        let fail = |stage, e: melior::Error| Error::Mlir {
            stage,
            what: format!("{e}\n{}", self.messages()),
        };
        let manager = PassManager::new(&self.context);
        manager.enable_verifier(cfg!(debug_assertions));
        parse_pass_pipeline(
            manager.as_operation_pass_manager(),
            &format!("builtin.module({pipeline})"),
        )
        .map_err(|e| fail("pipeline", e))?;
        manager.run(module).map_err(|e| fail("passes", e))
    }
}
