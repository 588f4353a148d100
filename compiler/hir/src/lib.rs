//! AST to algebra: names, axes, sizes, parameters, causality.
