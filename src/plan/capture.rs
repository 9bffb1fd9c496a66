//! What is read when a point is hit. What nobody looks at is never read.

/// What is captured of a hit. An argument that nobody asks for is there all the same, as the number 0, so that the
/// others keep their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// Bit N: the value of argument N.
    pub numbers: u64,
    /// Strings that arguments point to.
    pub texts: Texts,
    /// Bit N: the Python object that argument N points to.
    pub objects: u64,
    /// The CPU that the thread ran on.
    pub cpu: bool,
    /// The CPU time that the thread has used, ns.
    pub cpu_time: bool,
    /// Process ids and user ids ([`crate::event::Ids`]).
    pub ids: bool,
    /// The native call stack: at most so many return addresses.
    pub native_frames: u16,
    /// The thread stays stopped until the consumer has answered: its memory may be read and changed meanwhile, and it
    /// may be sent a signal.
    pub hold: bool,
}

/// Which strings are captured, and how much of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Bit N: argument N.
    pub arguments: u64,
    /// The most bytes that are read of each.
    pub limit: usize,
}

impl Capture {
    /// All arguments, strings and objects of a marker. Of an argument that is asked for both as a string and as an object,
    /// what is read is decided by its known type: a string, an object, or the number alone.
    pub fn everything(max_string: usize) -> Capture {
        Capture {
            numbers: u64::MAX,
            texts: Texts {
                arguments: u64::MAX,
                limit: max_string,
            },
            objects: u64::MAX,
            ..Capture::default()
        }
    }

    /// What satisfies both.
    pub fn join(&mut self, other: &Capture) {
        self.numbers |= other.numbers;
        self.texts.arguments |= other.texts.arguments;
        self.texts.limit = self.texts.limit.max(other.texts.limit);
        self.objects |= other.objects;
        self.cpu |= other.cpu;
        self.cpu_time |= other.cpu_time;
        self.ids |= other.ids;
        self.native_frames = self.native_frames.max(other.native_frames);
        self.hold |= other.hold;
    }

    /// Whether a mask has the bit of an argument. Arguments above 63 are never asked for.
    pub fn has(mask: u64, argument: usize) -> bool {
        u32::try_from(argument).is_ok_and(|it| mask.checked_shr(it).unwrap_or(0) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_end_at_64_arguments() {
        assert!(Capture::has(1, 0));
        assert!(!Capture::has(1, 1));
        assert!(Capture::has(u64::MAX, 63));
        assert!(!Capture::has(u64::MAX, 64));
        assert!(!Capture::has(u64::MAX, usize::MAX));
    }

    #[test]
    fn joined_captures_hold_both() {
        let mut one = Capture {
            numbers: 0b01,
            texts: Texts {
                arguments: 0b10,
                limit: 255,
            },
            ..Capture::default()
        };
        one.join(&Capture {
            numbers: 0b100,
            texts: Texts {
                arguments: 0b01,
                limit: 64,
            },
            hold: true,
            ..Capture::default()
        });
        assert_eq!((one.numbers, one.texts.arguments), (0b101, 0b11));
        assert_eq!((one.texts.limit, one.hold, one.cpu), (255, true, false));
    }
}
