//! Whether a thread sleeps in a system call, and has done so for a while: only then may it be made to take the GIL. A
//! thread that sleeps for long has released it.

use std::fs;

/// What /proc says of a thread that is in a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sleep {
    /// The system call's number.
    pub number: u64,
    /// The stack pointer.
    pub stack: u64,
    /// Where its code goes on.
    pub code: u64,
    /// How often it was taken from a CPU.
    switches: u64,
}

impl Sleep {
    /// Looks; `None` when the thread is in no system call, or cannot be looked at.
    pub fn of(pid: i32, tid: i32) -> Option<Sleep> {
        let folder = format!("/proc/{pid}/task/{tid}");
        let call = fs::read_to_string(format!("{folder}/syscall")).ok()?;
        let status = fs::read_to_string(format!("{folder}/status")).ok()?;
        parse(&call, &status)
    }
}

/// Reads proc(5)'s `syscall` (number, six arguments, stack pointer, program counter) and the sum of the two counts of
/// context switches in `status`.
fn parse(call: &str, status: &str) -> Option<Sleep> {
    let mut words = call.split_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    let mut hex = words
        .skip(6)
        .map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    let (stack, code) = (hex.next()??, hex.next()??);
    let counts = status
        .lines()
        .filter_map(|line| line.split_once("voluntary_ctxt_switches:"));
    let switches = counts
        .filter_map(|(_, count)| count.trim().parse::<u64>().ok())
        .fold(0, u64::wrapping_add);
    Some(Sleep {
        number: u64::try_from(number).ok()?,
        stack,
        code,
        switches,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_says_whether_a_thread_sleeps() {
        let status =
            "Name:\tpython3\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
        let call = "230 0x1 0x1 0x7ffd7cbe1a50 0x0 0x0 0x0 0x7ffd7cbe19f0 0x7f6d4c1c2a47\n";
        let sleep = Sleep {
            number: 230,
            stack: 0x7ffd_7cbe_19f0,
            code: 0x7f6d_4c1c_2a47,
            switches: 695,
        };
        assert_eq!(parse(call, status), Some(sleep));
        assert_eq!(parse("running\n", status), None);
        assert_eq!(parse("-1 0x7ffd7cbe19f0 0x7f6d4c1c2a47\n", status), None);
        assert_eq!(parse("230 0x1\n", status), None);
    }
}
