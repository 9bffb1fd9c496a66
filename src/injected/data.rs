//! The agent's writable memory: a page with one 64-bit word for each address, offset and state, then the method
//! definitions that CPython wants to stay where they are; behind it the table of [`super::places`].

use super::function::Function;
use super::marker::Row;
use super::places;

/// The length of the page with the words, in bytes.
const PAGE: u64 = 4096;
/// The length of all of it, in bytes.
pub const DATA_LENGTH: u64 = PAGE + places::BYTES;
/// Where the table of places begins, in bytes.
pub(super) const PLACES: i32 = PAGE as i32;

/// A word behind the table of functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Word {
    /// What the tracer wants to be there: bit N for row N of [`Row::ALL`]; 0: nothing. The tracer writes it, the agent
    /// reads it when it installs, and at each callback.
    Wanted,
    /// See [`Status`]. The agent writes it.
    Status,
    /// The status that is to come when what failed to be installed has been taken out.
    Failure,
    /// Where `co_filename`, `co_name` and `co_firstlineno` lie in a code object; 0 until calibrated.
    CodeFile,
    /// See above.
    CodeName,
    /// See above.
    CodeFirstLine,
    /// Where it has its table of lines (`co_linetable`); 0: there is none, or it was not found.
    CodeLines,
    /// Where an `int` of one digit has that digit. The eight bytes before it say that it is one.
    IntDigit,
    /// What they say for a positive one.
    IntTag,
    /// What they say for a small one, which may be marked as immortal there.
    IntTagSmall,
    /// Where a thread's state has its profile function; 0: it is not set.
    ProfileAt,
    /// Where it has its trace function; 0: it is not set.
    TraceAt,
    /// How often the table of places has let go of a name, and more than that; never negative.
    LetGo,
    /// `sys.monitoring`, borrowed.
    Monitoring,
    /// `sys.monitoring.DISABLE`.
    Disable,
    /// A callback has asked not to be called somewhere again.
    Disabled,
    /// There was more than one interpreter in the process when it was installed.
    Several,
    /// The tool id in `sys.monitoring`; -1: none.
    Tool,
    /// The events that are set there.
    Events,
    /// The list `gc.callbacks`.
    Collector,
    /// The module `importlib._bootstrap`.
    Importer,
    /// Its own `_find_and_load`.
    FindAndLoad,
    /// The audit hook has been added; it stays for ever.
    Audited,
}

const WORDS: i32 = Word::Audited as i32 + 1;

/// What stands in [`Word::Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Nothing has happened yet.
    Untouched = 0,
    /// The agent is being installed.
    Busy = 1,
    /// All that is wanted is installed.
    Installed = 2,
    /// It was installed, and is no more.
    Removed = 3,
    /// A code object could not be understood.
    Calibration = 4,
    /// `sys.monitoring` is not there (yet).
    NoMonitoring = 5,
    /// All ids that tools may use are taken.
    NoTool = 6,
    /// `sys.monitoring` has refused a callback or the events.
    Refused = 7,
    /// The program has a profile or trace function of its own.
    Taken = 8,
    /// Not all of it could be installed yet.
    Early = 9,
}

impl Status {
    const ALL: [Status; 10] = [
        Status::Untouched,
        Status::Busy,
        Status::Installed,
        Status::Removed,
        Status::Calibration,
        Status::NoMonitoring,
        Status::NoTool,
        Status::Refused,
        Status::Taken,
        Status::Early,
    ];

    /// The status that a word means; `None` when it means none.
    pub fn of_word(word: u64) -> Option<Status> {
        let mut all = Status::ALL.into_iter();
        all.find(|status| u64::from(*status as u8) == word)
    }

    /// Why the agent could not be installed; `None` where nothing failed.
    pub fn failure(self) -> Option<&'static str> {
        Some(match self {
            Status::Calibration => "its code objects are not understood",
            Status::NoMonitoring => "it has no sys.monitoring",
            Status::NoTool => {
                "all tool ids of sys.monitoring are taken: end another debugger, profiler or coverage tool"
            }
            Status::Taken => {
                "it has a profile or trace function of its own (sys.setprofile, sys.settrace, a debugger, coverage): CPython before 3.12 has room for one"
            }
            Status::Refused => "sys.monitoring has refused the callbacks",
            _ => return None,
        })
    }
}

impl Word {
    /// Its offset in the page, in bytes.
    pub fn offset(self) -> i32 {
        (Function::COUNT as i32 + self as i32) * 8
    }
}

/// The place of a callback's `PyMethodDef`: name, function, flags, documentation.
pub(super) fn definition(row: Row) -> i32 {
    (Function::COUNT as i32 + WORDS) * 8 + row.index() * 32
}

/// The place where a row's callable object is kept; 0: there is none.
pub(super) fn callable(row: Row) -> i32 {
    definition(Row::FIRST) + Row::COUNT * 32 + row.index() * 8
}

/// The place of a row's event number in `sys.monitoring`; 0: it is not registered.
pub(super) fn event(row: Row) -> i32 {
    callable(Row::FIRST) + Row::COUNT * 8 + row.index() * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_all_of_it() {
        let last = event(Row::FIRST) + Row::COUNT * 8;
        assert!(u64::try_from(last).unwrap() <= PAGE, "{last}");
        assert_eq!(Word::Wanted.offset(), Function::COUNT as i32 * 8);
        assert_eq!(Status::of_word(2), Some(Status::Installed));
        assert_eq!(Status::of_word(77), None);
    }
}
