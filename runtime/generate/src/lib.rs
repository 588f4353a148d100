//! The generation loop: prefill, step, sampling.
