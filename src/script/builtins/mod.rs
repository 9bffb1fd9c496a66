//! What builtins do: a file a topic, a row a builtin. Which of them a language has, and under which name, is in the
//! table of that language.

mod memory;
mod paths;
mod process;
mod quoting;
mod stopwatches;
mod strings;
mod systemtap_strings;
mod terminal;
mod threads;
mod time;
mod tokens;
#[cfg(test)]
mod trial;
mod wall_clock;
mod wide_strings;

pub use memory::*;
pub use paths::{BASENAME, CLEANPATH, DIRNAME};
pub use process::{CHILL, LOG, RAISE, RAND, RANDINT, STOP, SYSTEM, WARN};
pub use quoting::{STRING_QUOTED, TEXT_STR, TEXT_STRN};
pub use stopwatches::{
    DELETE_STOPWATCH, READ_STOPWATCH_MS, READ_STOPWATCH_NS, READ_STOPWATCH_S, READ_STOPWATCH_US,
    START_STOPWATCH, STOP_STOPWATCH,
};
pub use strings::*;
pub use systemtap_strings::{ISDIGIT, ISINSTR, STAP_SUBSTR, STR_REPLACE, STRINGAT, STRPOS, STRTOL};
pub use terminal::*;
pub use threads::{INDENT, INDENT_DEPTH, THREAD_INDENT, THREAD_INDENT_DEPTH};
pub use time::*;
pub use tokens::{STRTOK, TOKENIZE};
pub use wide_strings::{
    USER_STRING_QUOTED_UTF16, USER_STRING_QUOTED_UTF32, USER_STRING_UTF16, USER_STRING_UTF32,
};

/// What builtins remember from call to call, for one program.
#[derive(Debug)]
pub struct State {
    /// The most bytes of a string that is read from memory ([`super::ir::Options::max_string`]).
    pub max_string: usize,
    /// What [`STRTOK`] has not given yet.
    pub(super) strtok: tokens::Rest,
    /// What [`TOKENIZE`] has not given yet.
    pub(super) tokenize: tokens::Rest,
    /// How deep threads are, for [`THREAD_INDENT`].
    pub(super) indents: threads::Indents,
    /// Where [`RAND`] has got to.
    pub(super) random: process::Random,
    /// The clocks of [`START_STOPWATCH`].
    pub(super) stopwatches: stopwatches::Stopwatches,
    /// The time since 1970.
    pub(in crate::script) wall_clock: wall_clock::WallClock,
}

impl Default for State {
    fn default() -> State {
        State {
            max_string: super::ir::Options::default().max_string,
            strtok: tokens::Rest::default(),
            tokenize: tokens::Rest::default(),
            indents: threads::Indents::default(),
            random: process::Random::default(),
            stopwatches: stopwatches::Stopwatches::default(),
            wall_clock: wall_clock::WallClock::default(),
        }
    }
}

impl State {
    /// Forgets what is kept for a thread, which has ended: its id may come again.
    pub fn forget_thread(&mut self, tid: i32) {
        self.indents.forget(tid);
    }
}
