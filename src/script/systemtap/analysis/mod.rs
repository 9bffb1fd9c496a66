//! What a script means: which names are which, what is never used, of which type everything is.

mod fold;
mod infer;
mod operands;
mod prune;
mod scope;
mod target;
mod unify;

pub use infer::{Inference, Unit};
pub use scope::{Callee, Declarations};
pub use target::{Variable, variable};
pub use unify::{Slot, Ty};
