//! The buffers that a program runs over.

/// A flat buffer. `F64` stands where a kernel says `f32`, for runs without rounding.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    Bf16(Vec<u16>),
}

/// The bits of a bf16: rounded to f32, then to nearest, ties to even. Anything that is no number is the quiet NaN.
pub fn bf16(x: f64) -> u16 {
    let x = x as f32;
    if x.is_nan() {
        return 0x7fc0;
    }
    let bits = x.to_bits();
    let up = 0x7fff + (bits >> 16 & 1);
    (bits.wrapping_add(up) >> 16) as u16
}

/// What a bf16 holds.
pub fn of_bf16(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
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
