//! The mixer IR: functional programs over named axes, with print, parse, verify and an f64 interpreter.
