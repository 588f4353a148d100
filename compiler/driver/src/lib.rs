//! The list of passes, in order.
