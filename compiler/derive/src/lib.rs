//! Algebra to algebra: gradients, classes and forms; one law a file.
