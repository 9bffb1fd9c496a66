//! `/proc/PID/task/TID/stat`: the fields that `status` does not have.

use super::status::{FormatError, State};

/// The flag of a kernel thread in the field `flags` (`PF_KTHREAD` of the kernel's `include/linux/sched.h`).
const PF_KTHREAD: u32 = 0x0020_0000;

/// What is used of `/proc/PID/stat` (proc_pid_stat(5); the numbers are those of that page).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Field 1: the thread's id.
    pub tid: i32,
    /// Field 2: the thread's name, without its parentheses. It may hold any bytes, also `)` and line ends.
    pub comm: Vec<u8>,
    /// Field 3: the state.
    pub state: State,
    /// Field 4: the parent process, 0 when it is in no visible process.
    pub ppid: i32,
    /// Field 9: the kernel's flags of this thread.
    pub flags: u32,
    /// Field 22: the time it started, in clock ticks since boot. With its id it tells a process from a later one.
    pub start_time: u64,
    /// Field 39: the CPU it ran on last, counted from 0; `None` before Linux 2.2.8.
    pub processor: Option<u32>,
}

impl Stat {
    /// Reads the text of a `stat` file.
    ///
    /// # Errors
    /// [`FormatError`] names the first field that is missing or is not a number.
    pub fn parse(text: &[u8]) -> Result<Stat, FormatError> {
        // The name may hold parentheses itself; what follows the last one is only numbers and one letter.
        let open = position(text, b'(').ok_or(FormatError("comm"))?;
        let close = text
            .iter()
            .rposition(|byte| *byte == b')')
            .ok_or(FormatError("comm"))?;
        let before = text.get(..open).unwrap_or_default();
        let comm = text
            .get(open.saturating_add(1)..close)
            .ok_or(FormatError("comm"))?;
        let after = text.get(close.saturating_add(1)..).unwrap_or_default();
        let after = std::str::from_utf8(after).map_err(|_| FormatError("state"))?;
        let fields: Vec<&str> = after.split_ascii_whitespace().collect();
        Ok(Stat {
            tid: number(std::str::from_utf8(before).ok(), "pid")?,
            comm: comm.to_vec(),
            state: State::parse(field(&fields, 3).unwrap_or("")).ok_or(FormatError("state"))?,
            ppid: number(field(&fields, 4), "ppid")?,
            flags: number(field(&fields, 9), "flags")?,
            start_time: number(field(&fields, 22), "starttime")?,
            processor: match field(&fields, 39) {
                Some(text) => Some(number(Some(text), "processor")?),
                None => None,
            },
        })
    }

    /// Whether this is a thread of the kernel, which has no program.
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }
}

fn position(text: &[u8], wanted: u8) -> Option<usize> {
    text.iter().position(|byte| *byte == wanted)
}

/// A field by its number in the manual page; the first one behind the name has number 3.
fn field<'a>(fields: &[&'a str], number: usize) -> Option<&'a str> {
    fields.get(number.checked_sub(3)?).copied()
}

fn number<T: std::str::FromStr>(text: Option<&str>, name: &'static str) -> Result<T, FormatError> {
    text.and_then(|text| text.trim().parse().ok())
        .ok_or(FormatError(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::proc::ProcFs;
    use proptest::prelude::*;

    /// As the kernel writes it (fs/proc/array.c), each field holding its own number but for the letter.
    fn line(comm: &[u8], state: &str) -> Vec<u8> {
        let mut text = b"1 (".to_vec();
        text.extend_from_slice(comm);
        text.extend_from_slice(format!(") {state}").as_bytes());
        for number in 4..=52 {
            text.extend_from_slice(format!(" {number}").as_bytes());
        }
        text.push(b'\n');
        text
    }

    #[test]
    fn fields_are_counted_as_in_the_manual() {
        for comm in [
            &b"python3.9"[..],
            b"",
            b"a) R 7 (b",
            b"((",
            b"))",
            b"x\n) Z 1",
            b"\xff\xfe",
        ] {
            let stat = Stat::parse(&line(comm, "S")).expect("a well-formed line");
            assert_eq!(stat.comm, comm);
            assert_eq!(stat.state, State::Sleeping);
            assert_eq!((stat.tid, stat.ppid, stat.flags), (1, 4, 9));
            assert_eq!((stat.start_time, stat.processor), (22, Some(39)));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "comm"),
            (b"1 (a", "comm"),
            (b"1 )a(", "comm"),
            (b"x (a) S 1", "pid"),
            (b"1 (a) ? 1", "state"),
            (b"1 (a) S 1 2", "flags"),
        ];
        for (text, field) in cases {
            assert_eq!(Stat::parse(text), Err(FormatError(field)), "{text:?}");
        }
    }

    #[test]
    fn this_thread_is_running_on_a_cpu_of_this_machine() {
        let (pid, tid) = (
            nix::unistd::getpid().as_raw(),
            nix::unistd::gettid().as_raw(),
        );
        let stat = ProcFs::default().stat(pid, tid).unwrap().found().unwrap();
        assert_eq!((stat.tid, stat.state), (tid, State::Running));
        assert_eq!(stat.ppid, nix::unistd::getppid().as_raw());
        assert!(!stat.is_kernel_thread());
        // SAFETY: sysconf only returns a number.
        let cpus = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
        assert!(i64::from(stat.processor.unwrap()) < cpus);
    }

    #[test]
    fn the_kernels_first_thread_is_told_by_its_flags() {
        let stat = ProcFs::default().stat(2, 2).unwrap().found();
        // In a container process 2 is another one, or none.
        if let Some(stat) = stat.filter(|stat| stat.comm == b"kthreadd") {
            assert!(stat.is_kernel_thread());
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text: Vec<u8>, cut in 0usize..250) {
            let _ = Stat::parse(&text);
            let whole = line(&text, "R");
            let _ = Stat::parse(whole.get(..cut).unwrap_or(&whole));
            prop_assert_eq!(Stat::parse(&whole).map(|stat| stat.comm), Ok(text));
        }
    }
}
