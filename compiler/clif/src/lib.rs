//! Schedule IR to machine code through Cranelift: instant, without LLVM.
