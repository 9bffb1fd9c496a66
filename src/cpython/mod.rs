//! CPython as seen from outside: which version a build is, and what its objects hold.
//!
//! The `audit` marker hands over a pointer to a tuple, and which fields lie where in a tuple, a string or an integer
//! differs between CPython's versions. This module recognises the version from a file's or a process's symbols
//! ([`Version::recognise`]), picks the layout of its objects ([`Layout::of`]), finds the addresses of the built-in
//! types ([`Types::find`]) and turns an object's address into an owned value ([`decode`]), reading the process only
//! through [`ptpytrace_arch::ReadMemory`]. Nothing here trusts what it reads: sizes are bounded before anything is
//! allocated, pointers may be wild, and a container may contain itself.
//!
//! ```
//! use ptpytrace::cpython::{Layout, Version};
//!
//! let version = Version::from_name("libpython3.13t.so.1.0").unwrap();
//! assert_eq!((version.major, version.minor, version.free_threaded), (3, 13, true));
//! let layout = Layout::of(&version).unwrap();
//! assert_eq!(layout.header, 32);
//! ```

pub mod availability;
mod float;
mod integer;
mod json;
mod layout;
mod limits;
mod object;
mod printable;
mod recognise;
mod repr;
mod strings;
mod symbols;
mod text;
mod types;
mod value;
mod version;

pub use integer::Integer;
pub use layout::{IntegerForm, Layout, StateBits, UnknownLayout};
pub use limits::Limits;
pub use object::decode;
pub use recognise::{Build, Unrecognised};
pub use symbols::SymbolSource;
pub use text::Text;
pub use types::{MissingSymbol, Types};
pub use value::{Cut, PyValue};
pub use version::{Level, Patch, Version};
