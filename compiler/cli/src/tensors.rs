//! Named tensors in safetensors files.
//!
//! Reading takes any number type and keeps its word for messages; writing is whole or not at all.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use seqc_algebra::{C64, Data, Elem, Tensor};
use seqc_device::fail;
use seqc_device::weights::with_file;
use seqc_driver::Error;
use seqc_driver::eval::{Given, Precision};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

/// Every tensor of a file. Errors name the file, and the tensor whose type is none that counts.
pub fn read(path: &Path) -> Result<BTreeMap<String, Given>, Error> {
    with_file(path, given).map_err(|e| Error::Other(e.to_string()))
}

fn given(file: &SafeTensors) -> seqc_device::Result<BTreeMap<String, Given>> {
    let mut all = BTreeMap::new();
    for (name, view) in file.iter() {
        let Some((elem, data)) = numbers(view.dtype(), view.data()) else {
            fail!(
                "tensor `{name}` holds {:?}, which is not taken",
                view.dtype()
            );
        };
        let given = Given {
            dtype: format!("{:?}", view.dtype()),
            elem,
            shape: view.shape().to_vec(),
            data,
        };
        all.insert(name.to_owned(), given);
    }
    Ok(all)
}

/// Little-endian words as numbers.
fn numbers(dtype: Dtype, bytes: &[u8]) -> Option<(Elem, Data)> {
    fn each<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f64) -> Data {
        Data::Real(bytes.as_chunks::<N>().0.iter().map(|w| f(*w)).collect())
    }
    let data = match dtype {
        Dtype::F32 => each(bytes, |w| f64::from(f32::from_le_bytes(w))),
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F16 => each(bytes, |w| half::f16::from_le_bytes(w).to_f64()),
        Dtype::BF16 => each(bytes, |w| half::bf16::from_le_bytes(w).to_f64()),
        Dtype::I64 => each(bytes, |w| i64::from_le_bytes(w) as f64),
        Dtype::I32 => each(bytes, |w| f64::from(i32::from_le_bytes(w))),
        Dtype::I16 => each(bytes, |w| f64::from(i16::from_le_bytes(w))),
        Dtype::I8 => each(bytes, |w| f64::from(i8::from_le_bytes(w))),
        Dtype::U8 => each(bytes, |[w]: [u8; 1]| f64::from(w)),
        Dtype::C64 => {
            let part = |b: &[u8]| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            let (words, _) = bytes.as_chunks::<8>();
            let all = words.iter().map(|w| C64::new(part(&w[..4]), part(&w[4..])));
            Data::Complex(all.collect())
        }
        _ => return None,
    };
    let elem = match dtype {
        Dtype::F32 | Dtype::F64 | Dtype::F16 | Dtype::BF16 => Elem::Real,
        Dtype::C64 => Elem::Complex,
        _ => Elem::Int,
    };
    Some((elem, data))
}

/// A tensor to be written.
pub struct Made {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Made {
    /// Numbers in a precision.
    pub fn new(name: &str, t: &Tensor, precision: Precision) -> Result<Made, Error> {
        let (dtype, bytes) = match &t.data {
            Data::Real(d) if precision == Precision::F64 => {
                (Dtype::F64, d.iter().flat_map(|x| x.to_le_bytes()).collect())
            }
            Data::Real(d) if precision == Precision::Bf16 => {
                let words = d
                    .iter()
                    .flat_map(|x| half::bf16::from_f64(*x).to_le_bytes());
                (Dtype::BF16, words.collect())
            }
            Data::Real(d) => {
                let words = d.iter().flat_map(|x| (*x as f32).to_le_bytes());
                (Dtype::F32, words.collect())
            }
            Data::Complex(_) if precision == Precision::F64 => {
                return Err(Error::Other(format!(
                    "`{name}` is complex, and safetensors hold complex numbers in single precision only; use `--dtype f32`"
                )));
            }
            Data::Complex(d) => {
                let words = d.iter().flat_map(|z| [z.re as f32, z.im as f32]);
                (Dtype::C64, words.flat_map(f32::to_le_bytes).collect())
            }
            Data::Exact(_) => {
                return Err(Error::Other(format!(
                    "`{name}` holds elements of a finite field, which no file holds"
                )));
            }
        };
        Ok(Made {
            name: name.to_owned(),
            dtype,
            shape: t.shape.clone(),
            bytes,
        })
    }

    /// One integer.
    pub fn integer(name: &str, n: usize) -> Made {
        Made {
            name: name.to_owned(),
            dtype: Dtype::I64,
            shape: vec![],
            bytes: (n as i64).to_le_bytes().to_vec(),
        }
    }
}

/// Writes files, each whole; if one cannot be written, none is there that was not there before.
pub fn write(files: &[(&Path, Vec<Made>)]) -> Result<(), Error> {
    let mut hidden = vec![];
    for (path, tensors) in files {
        let named = |e: &dyn std::fmt::Display| Error::Other(format!("{}: {e}", path.display()));
        let mut views = Vec::with_capacity(tensors.len());
        for t in tensors {
            let view = TensorView::new(t.dtype, t.shape.clone(), &t.bytes);
            views.push((t.name.as_str(), view.map_err(|e| named(&e))?));
        }
        let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let bytes = safetensors::serialize(views, Some(about)).map_err(|e| named(&e))?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| named(&e))?;
        file.write_all(&bytes).map_err(|e| named(&e))?;
        hidden.push((file, *path));
    }
    let mut there: Vec<&Path> = vec![];
    for (file, path) in hidden {
        let new = !path.exists();
        if let Err(e) = file.persist(path) {
            for p in there {
                let _ = std::fs::remove_file(p);
            }
            return Err(Error::Other(format!("{}: {}", path.display(), e.error)));
        }
        if new {
            there.push(path);
        }
    }
    Ok(())
}
