//! Files and folders, for the compiler and the runtime alike.
//!
//! What is read is a regular file and no larger than memory; what is written is whole or not there, also after a
//! crash; a folder can be locked against a second process, and kept from other users.

mod lock;
mod place;
mod private;
mod read;
mod whole;

pub use lock::{Lock, Refused};
pub use place::{place, sync_tree};
pub use private::{close, folder, is_private};
pub use read::{bytes, first_bytes, map, text};
pub use whole::{write, write_with};
