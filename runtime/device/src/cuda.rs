//! Runs a plan's kernels on a CUDA device, through the driver API, from PTX text.
//!
//! A kernel's parameters are its buffers' addresses, then its lengths (i64), then the range of cells `lo`, `hi`
//! (i64), then scratch in global memory for each block. Any one-dimensional grid is right, blocks stride over
//! the cells. Products and convolutions of a plan are refused: they have no GPU form yet.
//! Invariant: a machine without a driver or a device gives an error, never a panic.

use crate::instantiate::Shapes;
use crate::{Data, Error, Result, Store, fail};
use cudarc::driver::{CudaContext, DriverError, result, sys};
use seqc_abi::{Elem, Launch, Plan, Role, Sizes};
use std::ffi::{CString, c_void};
use std::rc::Rc;
use std::sync::Arc;

/// Threads of a block: what the generated code is meant for.
const THREADS: u32 = 128;
/// Blocks of a launch at most; each takes every n-th cell.
const BLOCKS: u64 = 4096;

fn failed(what: &str) -> impl Fn(DriverError) -> Error + '_ {
    move |e| Error(format!("CUDA, {what}: {e}"))
}

/// Is there a driver and at least one device?
pub fn is_available() -> bool {
    // SAFETY: only looks for the library.
    let driver = unsafe { sys::is_culib_present() };
    driver && result::init().is_ok() && result::device::get_count().is_ok_and(|n| n > 0)
}

/// A device, opened.
pub struct Cuda {
    context: Arc<CudaContext>,
}

impl Cuda {
    /// Opens the device of this number. Errors: no driver on this machine, no such device.
    pub fn open(ordinal: usize) -> Result<Cuda> {
        // SAFETY: only looks for the library.
        if !unsafe { sys::is_culib_present() } {
            fail!("no CUDA driver (libcuda) is installed on this machine");
        }
        result::init().map_err(failed("starting the driver"))?;
        let count = result::device::get_count().map_err(failed("counting devices"))?;
        if ordinal >= usize::try_from(count).unwrap_or(0) {
            fail!("there is no CUDA device {ordinal}: {count} are there");
        }
        let context = CudaContext::new(ordinal).map_err(failed("opening the device"))?;
        Ok(Cuda { context })
    }

    pub fn name(&self) -> Result<String> {
        self.context.name().map_err(failed("asking for the name"))
    }
}

/// Device memory, freed with its owner.
struct Memory {
    at: sys::CUdeviceptr,
    context: Arc<CudaContext>,
}

impl Memory {
    /// Zeroed.
    fn new(context: &Arc<CudaContext>, bytes: usize) -> Result<Memory> {
        let bytes = bytes.max(64);
        let what = format!("allocating {bytes} bytes");
        // SAFETY: freed in `drop`; every byte is set before use.
        let at = unsafe { result::malloc_sync(bytes) }.map_err(failed(&what))?;
        let made = Memory {
            at,
            context: context.clone(),
        };
        // SAFETY: the `bytes` bytes that have just been allocated.
        unsafe { result::memset_d8_sync(at, 0, bytes) }.map_err(failed("clearing memory"))?;
        Ok(made)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Nothing can be done about a failure here.
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: allocated in `new` and freed once.
            let _ = unsafe { result::free_sync(self.at) };
        }
    }
}

struct Module {
    handle: sys::CUmodule,
    context: Arc<CudaContext>,
}

impl Module {
    fn load(context: &Arc<CudaContext>, ptx: &str) -> Result<Module> {
        let Ok(text) = CString::new(ptx) else {
            fail!("the PTX text holds a zero byte")
        };
        // SAFETY: a NUL-terminated PTX text, as the driver wants it.
        let handle = unsafe { result::module::load_data(text.as_ptr().cast::<c_void>()) };
        Ok(Module {
            handle: handle.map_err(failed("loading PTX"))?,
            context: context.clone(),
        })
    }

    fn function(&self, symbol: &str) -> Result<sys::CUfunction> {
        let Ok(name) = CString::new(symbol) else {
            fail!("`{symbol:?}` is no symbol")
        };
        let what = format!("finding kernel `{symbol}`");
        // SAFETY: the module is loaded while `self` lives.
        unsafe { result::module::get_function(self.handle, name) }.map_err(failed(&what))
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: loaded in `new` and unloaded once.
            let _ = unsafe { result::module::unload(self.handle) };
        }
    }
}

/// One kernel launch: its arguments as 64-bit words (addresses and integers), in order.
struct Step {
    function: sys::CUfunction,
    words: Vec<u64>,
    blocks: u32,
}

/// A plan instantiated on a device at given lengths.
pub struct CudaExecutor {
    plan: Rc<Plan>,
    shapes: Shapes,
    buffers: Vec<Memory>,
    /// For kernels whose locals do not fit in shared memory; kept alive for `steps`.
    _scratch: Memory,
    steps: Vec<Action>,
    _module: Module,
    context: Arc<CudaContext>,
}

enum Action {
    Kernel(Step),
    Zero(usize),
}

impl CudaExecutor {
    /// Loads the PTX, allocates every buffer and uploads the parameters of `store` (declaring those that it
    /// does not have). Errors: an unsupported launch, a missing kernel, memory, whatever the driver says.
    pub fn new(
        cuda: &Cuda,
        plan: Rc<Plan>,
        ptx: &str,
        sizes: &Sizes,
        store: &mut Store,
    ) -> Result<CudaExecutor> {
        plan.validate()?;
        if let Some(b) = plan.buffers.iter().find(|b| b.elem == Elem::Bf16) {
            fail!(
                "plan `{}`: `{}` lies in bf16, which runs on the CPU only so far",
                plan.name,
                b.name
            );
        }
        let context = cuda.context.clone();
        context
            .bind_to_thread()
            .map_err(failed("entering the context"))?;
        let shapes = Shapes::new(&plan, sizes)?;
        let module = Module::load(&context, ptx)?;
        let buffers = shapes
            .lens
            .iter()
            .map(|n| Memory::new(&context, n * 4))
            .collect::<Result<Vec<_>>>()?;
        let per_block = plan
            .kernels
            .iter()
            .map(|k| k.scratch_bytes)
            .max()
            .unwrap_or(0)
            .next_multiple_of(256);
        let scratch = Memory::new(&context, per_block.saturating_mul(BLOCKS as usize))?;
        let mut steps = Vec::new();
        for (i, launch) in plan.launches.iter().enumerate() {
            let action = action(&plan, launch, sizes, &module, &buffers, scratch.at);
            steps
                .push(action.map_err(|e| Error(format!("plan `{}`, launch {i}: {e}", plan.name)))?);
        }
        let mut made = CudaExecutor {
            plan,
            shapes,
            buffers,
            _scratch: scratch,
            steps,
            _module: module,
            context,
        };
        made.upload(store)?;
        Ok(made)
    }

    /// Copies the parameters of the store to the device, and states to their starts.
    pub fn upload(&mut self, store: &mut Store) -> Result<()> {
        for (i, b) in self.plan.clone().buffers.iter().enumerate() {
            match &b.role {
                Role::Param { path, init, decay } => {
                    store.declare(path, &self.shapes.shapes[i], init, *decay)?;
                    let value = store
                        .get(path)
                        .map(|p| p.value().to_vec())
                        .unwrap_or_default();
                    self.write(i, &value)?;
                }
                Role::StateIn { name, init } => {
                    let start =
                        crate::draw(init, &self.shapes.shapes[i], crate::key_of(0, name), 0)?;
                    self.write(i, &start)?;
                }
                _ => (),
            }
        }
        Ok(())
    }

    pub fn set_input<'a>(&mut self, name: &str, data: impl Into<Data<'a>>) -> Result<()> {
        let is = |r: &Role| matches!(r, Role::Input { name: n } if n == name);
        let i = self.find(&format!("input `{name}`"), is)?;
        match data.into() {
            Data::F32(x) => self.write(i, x),
            Data::I32(x) => self.write(i, x),
        }
    }

    /// Runs every launch in order and waits for the last.
    pub fn run(&mut self) -> Result<()> {
        self.context
            .bind_to_thread()
            .map_err(failed("entering the context"))?;
        for step in &mut self.steps {
            match step {
                Action::Zero(i) => {
                    let (at, bytes) = (self.buffers[*i].at, self.shapes.lens[*i] * 4);
                    // SAFETY: a buffer's own bytes.
                    unsafe { result::memset_d8_sync(at, 0, bytes) }
                        .map_err(failed("clearing memory"))?;
                }
                Action::Kernel(k) if k.blocks == 0 => (),
                Action::Kernel(k) => {
                    let mut args: Vec<*mut c_void> =
                        k.words.iter_mut().map(|w| (w as *mut u64).cast()).collect();
                    let (grid, block) = ((k.blocks, 1, 1), (THREADS, 1, 1));
                    // SAFETY: the arguments are as many and as wide as the compiler made the parameters.
                    let done = unsafe {
                        result::launch_kernel(
                            k.function,
                            grid,
                            block,
                            0,
                            std::ptr::null_mut(),
                            &mut args,
                        )
                    };
                    done.map_err(failed("launching a kernel"))?;
                }
            }
        }
        result::ctx::synchronize().map_err(failed("running kernels"))
    }

    /// An output of the last run, copied to the host.
    pub fn output(&self, name: &str) -> Result<Vec<f32>> {
        self.read(self.find(
            &format!("output `{name}`"),
            |r| matches!(r, Role::Output { name: n } if n == name),
        )?)
    }

    /// The gradient of a parameter after the last run, copied to the host.
    pub fn grad(&self, path: &str) -> Result<Vec<f32>> {
        self.read(self.find(
            &format!("gradient of `{path}`"),
            |r| matches!(r, Role::Grad { path: p } if p == path),
        )?)
    }

    /// A state as the last run left it, copied to the host.
    pub fn state(&self, name: &str) -> Result<Vec<f32>> {
        self.read(self.find(
            &format!("state `{name}`"),
            |r| matches!(r, Role::StateOut { name: n } if n == name),
        )?)
    }

    fn find(&self, what: &str, is: impl Fn(&Role) -> bool) -> Result<usize> {
        match self.plan.buffers.iter().position(|b| is(&b.role)) {
            Some(i) => Ok(i),
            None => fail!("plan `{}` has no {what}", self.plan.name),
        }
    }

    fn write<T>(&mut self, i: usize, data: &[T]) -> Result<()> {
        if data.len() != self.shapes.lens[i] {
            let (name, shape) = (&self.plan.buffers[i].name, &self.shapes.shapes[i]);
            fail!(
                "`{name}` has shape {shape:?}, {} elements are given",
                data.len()
            );
        }
        self.context
            .bind_to_thread()
            .map_err(failed("entering the context"))?;
        // SAFETY: the device buffer has exactly this many four-byte elements.
        unsafe { result::memcpy_htod_sync(self.buffers[i].at, data) }
            .map_err(failed("copying to the device"))
    }

    fn read(&self, i: usize) -> Result<Vec<f32>> {
        self.context
            .bind_to_thread()
            .map_err(failed("entering the context"))?;
        let mut data = vec![0f32; self.shapes.lens[i]];
        // SAFETY: the device buffer has exactly this many four-byte elements.
        unsafe { result::memcpy_dtoh_sync(&mut data, self.buffers[i].at) }
            .map_err(failed("copying from the device"))?;
        Ok(data)
    }
}

fn action(
    plan: &Plan,
    launch: &Launch,
    sizes: &Sizes,
    module: &Module,
    memory: &[Memory],
    scratch: u64,
) -> Result<Action> {
    match launch {
        Launch::Gemm(_) => fail!("matrix products outside a kernel do not run on CUDA yet"),
        Launch::Conv(_) | Launch::Online(_) => {
            fail!("long convolutions do not run on CUDA yet")
        }
        Launch::Append(_) => fail!("states written in place do not run on CUDA yet"),
        Launch::Zero { buffer } => Ok(Action::Zero(*buffer)),
        Launch::Kernel {
            kernel,
            buffers,
            grid,
        } => {
            let decl = &plan.kernels[*kernel];
            let (words, cells) = arguments(
                decl,
                grid,
                sizes,
                buffers.iter().map(|&b| memory[b].at),
                scratch,
            )?;
            let blocks = cells.min(BLOCKS) as u32;
            Ok(Action::Kernel(Step {
                function: module.function(&decl.symbol)?,
                words,
                blocks,
            }))
        }
    }
}

/// The words of a launch, and its number of cells.
fn arguments(
    decl: &seqc_abi::KernelDecl,
    grid: &[seqc_abi::Dim],
    sizes: &Sizes,
    buffers: impl Iterator<Item = u64>,
    scratch: u64,
) -> Result<(Vec<u64>, u64)> {
    let mut words: Vec<u64> = buffers.collect();
    for d in &decl.dims {
        match sizes.get(d) {
            Some(&n) => words.push(n),
            None => fail!("`{}` wants a length `{d}`", decl.symbol),
        }
    }
    let mut cells = 1u64;
    for d in grid {
        match cells
            .checked_mul(d.eval(sizes)?)
            .filter(|&n| i64::try_from(n).is_ok())
        {
            Some(n) => cells = n,
            None => fail!("`{}`: its grid is too large", decl.symbol),
        }
    }
    words.extend([0, cells, scratch]);
    Ok((words, cells))
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_abi::{Dim, KernelDecl};

    #[test]
    fn a_machine_without_cuda_gets_an_error() {
        if !is_available() {
            assert!(Cuda::open(0).is_err());
        }
    }

    #[test]
    fn arguments_are_buffers_lengths_range_scratch() {
        let decl = KernelDecl {
            symbol: "k".into(),
            dims: vec!["t".into(), "batch".into()],
            scratch_bytes: 8,
            writes: vec![true; 2],
        };
        let sizes = Sizes::from([("batch".into(), 3), ("t".into(), 5)]);
        let grid = [Dim::Len("batch".into()), Dim::Const(4)];
        let (words, cells) =
            arguments(&decl, &grid, &sizes, [100, 200].into_iter(), 300).expect("sound");
        assert_eq!((words, cells), (vec![100, 200, 5, 3, 0, 12, 300], 12));
        assert!(arguments(&decl, &grid, &Sizes::new(), [].into_iter(), 0).is_err());
        assert!(arguments(&decl, &[Dim::Const(u64::MAX)], &sizes, [].into_iter(), 0).is_err());
    }
}
