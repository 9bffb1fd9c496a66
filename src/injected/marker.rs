//! The markers that the agent provides, and by which callbacks.

/// A marker that can be injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Injected {
    /// `function__entry`.
    Entry,
    /// `function__return`.
    Return,
    /// `line`.
    Line,
    /// `gc__start`.
    GcStart,
    /// `gc__done`.
    GcDone,
    /// `import__find__load__start`.
    ImportStart,
    /// `import__find__load__done`.
    ImportDone,
    /// `audit`.
    Audit,
}

impl Injected {
    /// All of them.
    pub const ALL: [Injected; 8] = [
        Injected::Entry,
        Injected::Return,
        Injected::Line,
        Injected::GcStart,
        Injected::GcDone,
        Injected::ImportStart,
        Injected::ImportDone,
        Injected::Audit,
    ];

    /// The marker's name as a note has it.
    pub fn name(self) -> &'static str {
        match self {
            Injected::Entry => "function__entry",
            Injected::Return => "function__return",
            Injected::Line => "line",
            Injected::GcStart => "gc__start",
            Injected::GcDone => "gc__done",
            Injected::ImportStart => "import__find__load__start",
            Injected::ImportDone => "import__find__load__done",
            Injected::Audit => "audit",
        }
    }

    /// Where its arguments are at its site, as a note has it (x86-64). Those of functions are in registers that a called
    /// function keeps, so that what is called there, or led there, need not save any.
    pub fn arguments(self) -> &'static str {
        match self {
            Injected::Entry | Injected::Return | Injected::Line => "8@%r14 8@%r15 -4@%r13d",
            Injected::GcStart => "-4@%edi",
            Injected::GcDone => "-8@%rdi",
            Injected::ImportStart => "8@%rdi",
            Injected::ImportDone => "8@%rdi -4@%esi",
            Injected::Audit => "8@%rdi 8@%rsi",
        }
    }

    /// Its place in [`Injected::ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// A set of markers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Markers(u16);

impl Markers {
    /// With one more.
    pub fn with(self, marker: Injected) -> Markers {
        Markers(self.0 | 1 << marker.index())
    }

    /// Whether it holds a marker.
    pub fn has(self, marker: Injected) -> bool {
        self.0 & 1 << marker.index() != 0
    }

    /// Whether it holds none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its markers in the order of [`Injected::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Injected> {
        Injected::ALL
            .into_iter()
            .filter(move |marker| self.has(*marker))
    }

    /// The bits of [`super::Word::Wanted`]: those of the rows that lead to a marker of the set in this way.
    pub fn wanted(self, way: Way) -> u64 {
        let other = match way {
            Way::Monitoring => &Row::LEGACY[..],
            Way::Legacy => &Row::MONITORED,
        };
        let rows = Row::ALL.iter().filter(|row| {
            if other.contains(row) {
                return false;
            }
            let mut markers = self.iter();
            markers.any(|marker| row.markers().contains(&marker))
        });
        rows.fold(0, |bits, row| bits | 1 << row.index())
    }
}

/// How CPython is made to call the agent for functions and lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By `sys.monitoring` (3.12 and later).
    Monitoring,
    /// By profile and trace functions.
    Legacy,
}

impl FromIterator<Injected> for Markers {
    fn from_iter<T: IntoIterator<Item = Injected>>(markers: T) -> Markers {
        markers.into_iter().fold(Markers::default(), Markers::with)
    }
}

/// Something that the agent has CPython call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Row {
    /// The events of `sys.monitoring` by their names.
    Start,
    /// A generator or coroutine goes on.
    Resume,
    /// ... with an exception.
    Throw,
    /// A function returns.
    Return,
    /// A generator or coroutine stops for a while.
    Yield,
    /// An exception leaves a function.
    Unwind,
    /// A line begins.
    Line,
    /// A jump: one backwards to the same line begins that line anew.
    Jump,
    /// The profiler of 3.6 to 3.11.
    Profile,
    /// The tracer of 3.6 to 3.11.
    Trace,
    /// The function in `gc.callbacks`.
    Collector,
    /// The function in the place of `importlib._bootstrap._find_and_load`.
    Importer,
    /// The audit hook.
    Audit,
}

impl Row {
    /// All rows, in the order of their bits.
    pub const ALL: [Row; 13] = [
        Row::Start,
        Row::Resume,
        Row::Throw,
        Row::Return,
        Row::Yield,
        Row::Unwind,
        Row::Line,
        Row::Jump,
        Row::Profile,
        Row::Trace,
        Row::Collector,
        Row::Importer,
        Row::Audit,
    ];
    /// The first.
    pub(super) const FIRST: Row = Row::Start;
    /// How many there are.
    pub(super) const COUNT: i32 = Row::ALL.len() as i32;
    /// Those that are events of `sys.monitoring`.
    pub(super) const MONITORED: [Row; 8] = [
        Row::Start,
        Row::Resume,
        Row::Throw,
        Row::Return,
        Row::Yield,
        Row::Unwind,
        Row::Line,
        Row::Jump,
    ];

    /// Those that are a thread's functions.
    const LEGACY: [Row; 2] = [Row::Profile, Row::Trace];

    /// Its place in [`Row::ALL`].
    pub(super) fn index(self) -> i32 {
        i32::from(self as u8)
    }

    /// Its bit in [`super::Word::Wanted`].
    pub(super) fn bit(self) -> i32 {
        1 << self.index()
    }

    /// The name in `sys.monitoring.events`; empty for what is none.
    pub(super) fn event(self) -> &'static str {
        match self {
            Row::Start => "PY_START",
            Row::Resume => "PY_RESUME",
            Row::Throw => "PY_THROW",
            Row::Return => "PY_RETURN",
            Row::Yield => "PY_YIELD",
            Row::Unwind => "PY_UNWIND",
            Row::Line => "LINE",
            Row::Jump => "JUMP",
            _ => "",
        }
    }

    /// The markers that it leads to.
    fn markers(self) -> &'static [Injected] {
        match self {
            Row::Start | Row::Resume | Row::Throw => &[Injected::Entry],
            Row::Return | Row::Yield | Row::Unwind => &[Injected::Return],
            Row::Line | Row::Jump | Row::Trace => &[Injected::Line],
            Row::Profile => &[Injected::Entry, Injected::Return],
            Row::Collector => &[Injected::GcStart, Injected::GcDone],
            Row::Importer => &[Injected::ImportStart, Injected::ImportDone],
            Row::Audit => &[Injected::Audit],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_markers_stand_in_their_order() {
        for (index, row) in Row::ALL.iter().enumerate() {
            assert_eq!(row.index(), index as i32);
        }
        for (index, marker) in Injected::ALL.iter().enumerate() {
            assert_eq!(marker.index(), index);
        }
    }

    #[test]
    fn what_is_wanted_names_the_rows() {
        let entry = Markers::default().with(Injected::Entry);
        assert_eq!(entry.wanted(Way::Monitoring), 0b111);
        assert_eq!(entry.wanted(Way::Legacy), 0b1_0000_0000);
        let all: Markers = Injected::ALL.into_iter().collect();
        assert_eq!(all.wanted(Way::Monitoring), 0b1_1100_1111_1111);
        assert!(entry.has(Injected::Entry) && !entry.has(Injected::Return));
        assert_eq!(Markers::default().wanted(Way::Legacy), 0);
    }
}
