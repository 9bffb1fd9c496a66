//! How to trace.

use crate::fastpath::recorder::WhenFull;

/// How sites are armed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// With breakpoints, which give way to diversions where that is possible and worth it.
    #[default]
    Auto,
    /// With breakpoints.
    Trap,
    /// As `Auto`, but at the first hit.
    Jump,
}

/// How to trace.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Trace the processes that a traced process makes.
    pub follow: bool,
    /// Go on when nothing is traced (any more): others may be attached later.
    pub stay: bool,
    /// How sites are armed.
    pub engine: Engine,
    /// The size of a thread's ring in bytes ([`crate::fastpath::ring::Layout::new`]).
    pub ring: u64,
    /// What a thread does whose ring is full.
    pub when_full: WhenFull,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            follow: true,
            stay: false,
            engine: Engine::default(),
            ring: 4 << 20,
            when_full: WhenFull::default(),
        }
    }
}
