//! What a compiled artifact promises: tensors, kernels, launches, states.
