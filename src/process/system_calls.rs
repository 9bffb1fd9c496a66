//! Names of system calls (syscalls(2)): a table for each CPU, and one of those that are the same on all.

mod aarch64;
mod since_424;
mod x86_64;

/// The name of a system call, for the CPU that ELF gives this number (62 x86-64, 183 aarch64); `None` for a call that
/// is not known.
pub fn name(machine: u16, number: u64) -> Option<&'static str> {
    let own: &[(u64, &'static str)] = match machine {
        62 => &x86_64::CALLS,
        183 => &aarch64::CALLS,
        _ => return None,
    };
    let calls = match number {
        424.. => &since_424::CALLS,
        _ => own,
    };
    let row = calls.binary_search_by_key(&number, |(number, _)| *number);
    Some(calls.get(row.ok()?)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the kernel's own tables.
    #[test]
    fn calls_have_their_names() {
        let table = [
            (62, 0, Some("read")),
            (62, 39, Some("getpid")),
            (62, 57, Some("fork")),
            (62, 59, Some("execve")),
            (62, 60, Some("exit")),
            (62, 231, Some("exit_group")),
            (62, 257, Some("openat")),
            (62, 435, Some("clone3")),
            (62, 100_000, None),
            (183, 63, Some("read")),
            (183, 172, Some("getpid")),
            (183, 221, Some("execve")),
            (183, 435, Some("clone3")),
            (40, 0, None),
        ];
        for (machine, number, expected) in table {
            assert_eq!(name(machine, number), expected, "{machine} {number}");
        }
    }

    #[test]
    fn rows_are_in_order() {
        assert!(x86_64::CALLS.is_sorted_by(|one, other| one.0 < other.0));
        assert!(aarch64::CALLS.is_sorted_by(|one, other| one.0 < other.0));
        assert!(since_424::CALLS.is_sorted_by(|one, other| one.0 < other.0));
    }
}
