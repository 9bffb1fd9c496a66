//! How much of an object is read: every bound that keeps hostile or changing memory from costing much.

/// Bounds on one call of [`super::decode`]. What lies beyond them is cut, and the value says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many containers may lie inside one another, at most [`Limits::MAX_DEPTH`]; 0 shows no container's items.
    pub depth: usize,
    /// Items of one tuple or list.
    pub items: usize,
    /// Bytes of one string as it lies in memory (1, 2 or 4 a code point), of one bytes object, and of the digits of
    /// one integer (4 for each 30 bits; at most [`Limits::MAX_INTEGER`]: turning them into decimal is quadratic).
    pub string_bytes: usize,
    /// Objects in all, the outermost and the containers included.
    pub total_items: usize,
    /// Bytes in all, of strings, bytes and integers.
    pub total_bytes: usize,
}

impl Limits {
    /// The largest depth that counts, so that neither decoding nor printing nor dropping a value exhausts the stack.
    pub const MAX_DEPTH: usize = 100;

    /// The largest integer that is decoded: bytes of its digits. About 18,500 decimal digits.
    pub const MAX_INTEGER: usize = 8192;
}

impl Default for Limits {
    /// Enough for the arguments of an audit event, some 100 KB at worst.
    fn default() -> Limits {
        Limits {
            depth: 8,
            items: 100,
            string_bytes: 1024,
            total_items: 1000,
            total_bytes: 65536,
        }
    }
}
