//! Schedule IR to MLIR, and from there to CPU objects and PTX.
