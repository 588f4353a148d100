//! Executes plans on CPU threads and on CUDA devices.
