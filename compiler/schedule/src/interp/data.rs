//! The buffers that a program runs over.

/// A flat buffer. `F64` stands where a kernel says `f32`, for runs without rounding.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    Bf16(Vec<u16>),
}

/// The bits of a bf16, rounded as code rounds: to f32 first, then to nearest, ties to even.
pub fn bf16(x: f64) -> u16 {
    half::bf16::from_f32(x as f32).to_bits()
}

/// What a bf16 holds.
pub fn of_bf16(bits: u16) -> f64 {
    half::bf16::from_bits(bits).to_f64()
}

impl Data {
    pub fn len(&self) -> usize {
        match self {
            Data::F32(v) => v.len(),
            Data::F64(v) => v.len(),
            Data::I32(v) => v.len(),
            Data::Bf16(v) => v.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element, or `None` outside.
    pub fn get(&self, i: usize) -> Option<f64> {
        match self {
            Data::F32(v) => v.get(i).map(|x| f64::from(*x)),
            Data::Bf16(v) => v.get(i).map(|x| of_bf16(*x)),
            Data::F64(v) => v.get(i).copied(),
            Data::I32(v) => v.get(i).map(|x| f64::from(*x)),
        }
    }

    /// Stores with the rounding of the buffer (to f32 or bf16; towards zero and saturating to i32). `false` outside.
    pub fn set(&mut self, i: usize, x: f64) -> bool {
        match self {
            Data::F32(v) => v.get_mut(i).map(|e| *e = x as f32).is_some(),
            Data::F64(v) => v.get_mut(i).map(|e| *e = x).is_some(),
            Data::I32(v) => v.get_mut(i).map(|e| *e = x as i32).is_some(),
            Data::Bf16(v) => v.get_mut(i).map(|e| *e = bf16(x)).is_some(),
        }
    }

    pub fn to_f64(&self) -> Vec<f64> {
        (0..self.len()).filter_map(|i| self.get(i)).collect()
    }
}
