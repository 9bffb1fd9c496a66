//! What acts on the outside: commands, signals, messages; and chance.

use std::ffi::OsStr;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::script::builtin::{Action, IntFunction, Needs};
use crate::script::ir::Fault;
use crate::script::vm::Call;

/// The most bytes of a command's output that are printed.
const MAX_OUTPUT: u64 = 64 << 20;

/// The highest signal (signal(7)).
const MAX_SIGNAL: i32 = 64;

/// The longest that `chill` waits, ns: half a second, as in DTrace.
const MAX_CHILL: u64 = 500_000_000;

/// The widest range of `randint`.
const MAX_RANDOM: u64 = 1 << 20;

/// `system(command)`: has `/bin/sh` run it, waits for it, and prints its output where the handler's own goes. Its
/// standard input and error are the tracer's.
pub static SYSTEM: Action = Action {
    name: "system",
    needs: Needs::NONE,
    run: |call| match output(call.bytes(0)) {
        Ok(output) => {
            call.print(&output);
            Ok(())
        }
        Err(error) => Err(Fault::Said(format!("cannot run /bin/sh: {error}"))),
    },
};

/// The output goes into a file, not a pipe: what the command leaves running would hold a pipe open.
fn output(command: &[u8]) -> io::Result<Vec<u8>> {
    // What is behind a NUL does not exist in C.
    let command = command.split(|it| *it == 0).next().unwrap_or_default();
    let mut file = File::from(memfd_create("output", MFdFlags::MFD_CLOEXEC)?);
    Command::new("/bin/sh")
        .arg("-c")
        .arg(OsStr::from_bytes(command))
        .stdout(Stdio::from(file.try_clone()?))
        .status()?;
    file.rewind()?;
    let mut output = Vec::new();
    file.take(MAX_OUTPUT).read_to_end(&mut output)?;
    Ok(output)
}

/// `warn(message)`: on standard error.
pub static WARN: Action = Action {
    name: "warn",
    needs: Needs::NONE,
    run: |call| {
        warn(call, call.bytes(0));
        Ok(())
    },
};

/// Prints `WARNING: ` and a message on standard error.
pub(super) fn warn(call: &mut Call<'_>, message: &[u8]) {
    call.complain(b"WARNING: ");
    call.complain(message);
    if !message.ends_with(b"\n") {
        call.complain(b"\n");
    }
}

/// `log(message)`: prints it, and a newline.
pub static LOG: Action = Action {
    name: "log",
    needs: Needs::NONE,
    run: |call| {
        let message = call.bytes(0);
        call.print(message);
        call.print(b"\n");
        Ok(())
    },
};

/// `raise(signal)`: sends the process that fired a signal. A fault when there is no such signal.
pub static RAISE: Action = Action {
    name: "raise",
    needs: Needs::HOLD,
    run: |call| match i32::try_from(call.int(0)) {
        Ok(signal @ 1..=MAX_SIGNAL) => {
            call.signal(signal);
            Ok(())
        }
        _ => Err(Fault::Said(format!("there is no signal {}", call.int(0)))),
    },
};

/// `stop()`: stops the process that fired, as SIGSTOP does.
pub static STOP: Action = Action {
    name: "stop",
    needs: Needs::HOLD,
    run: |call| {
        call.signal(libc::SIGSTOP);
        Ok(())
    },
};

/// `chill(ns)`: holds the process that fired so long; half a second at most.
pub static CHILL: Action = Action {
    name: "chill",
    needs: Needs::HOLD,
    run: |call| {
        let wanted = u64::try_from(call.int(0)).unwrap_or(0);
        std::thread::sleep(Duration::from_nanos(wanted.min(MAX_CHILL)));
        Ok(())
    },
};

/// Numbers by chance; not for secrets.
#[derive(Debug)]
pub struct Random {
    state: u64,
}

impl Default for Random {
    fn default() -> Random {
        Random {
            state: RandomState::new().hash_one(0),
        }
    }
}

impl Random {
    /// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// `rand()`: any 32-bit integer from 0.
pub static RAND: IntFunction = IntFunction {
    name: "rand",
    needs: Needs::NONE,
    run: |call| Ok(i64::try_from(call.state.random.next() >> 33).unwrap_or(0)),
};

/// `randint(n)`: from 0 to `n` - 1; 0 when `n` is 0. A fault when `n` is below 0 or above 1,048,576.
pub static RANDINT: IntFunction = IntFunction {
    name: "randint",
    needs: Needs::NONE,
    run: |call| match u64::try_from(call.int(0)) {
        Ok(0) => Ok(0),
        Ok(range @ ..=MAX_RANDOM) => {
            let value = call.state.random.next() % range;
            Ok(i64::try_from(value).unwrap_or(0))
        }
        _ => Err(Fault::Said("range too wide".to_owned())),
    },
};

#[cfg(test)]
mod tests {
    use super::super::trial::Trial;
    use super::super::trial::Value::{Int, Str};
    use super::*;

    #[test]
    fn a_commands_output_is_in_order() {
        let mut trial = Trial::default();
        trial.out.extend_from_slice(b"before\n");
        let command = [Str(b"printf '%s\\n' a\xff; echo b; exit 3")];
        assert_eq!(trial.act(&SYSTEM, &command), Ok(()));
        trial.out.extend_from_slice(b"behind\n");
        assert_eq!(trial.out, b"before\na\xff\nb\nbehind\n");
    }

    #[test]
    fn what_a_command_leaves_running_is_not_waited_for() {
        let mut trial = Trial::default();
        let start = std::time::Instant::now();
        // It ends by itself when nobody listens any more.
        let command = [Str(b"sleep 20 & echo $!")];
        assert_eq!(trial.act(&SYSTEM, &command), Ok(()));
        assert!(start.elapsed() < Duration::from_secs(10));
        let pid = String::from_utf8(trial.out).expect("a number");
        let pid: i32 = pid.trim().parse().expect("a number");
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL).expect("it runs");
    }

    #[test]
    fn odd_commands_do_no_harm() {
        for command in [&b""[..], b"\0echo x", b"exit 1", b"nosuchcommand 2>&-"] {
            let mut trial = Trial::default();
            assert_eq!(trial.act(&SYSTEM, &[Str(command)]), Ok(()));
            assert!(trial.out.is_empty());
        }
    }

    #[test]
    fn messages_go_their_ways() {
        let mut trial = Trial::default();
        assert_eq!(trial.act(&WARN, &[Str(b"hot")]), Ok(()));
        assert_eq!(trial.act(&WARN, &[Str(b"hot\n")]), Ok(()));
        assert_eq!(trial.act(&LOG, &[Str(b"x")]), Ok(()));
        assert_eq!(trial.err, b"WARNING: hot\nWARNING: hot\n");
        assert_eq!(trial.out, b"x\n");
    }

    #[test]
    fn signals_are_checked() {
        let mut trial = Trial::default();
        assert_eq!(trial.act(&RAISE, &[Int(10)]), Ok(()));
        assert_eq!(trial.act(&STOP, &[]), Ok(()));
        assert_eq!(trial.signals, [10, 19]);
        for signal in [0, -1, 65, i64::MIN, i64::MAX, 1 << 32] {
            assert!(trial.act(&RAISE, &[Int(signal)]).is_err(), "{signal}");
        }
        assert!(RAISE.needs.hold && STOP.needs.hold && CHILL.needs.hold);
    }

    #[test]
    fn chilling_ends() {
        let mut trial = Trial::default();
        assert_eq!(trial.act(&CHILL, &[Int(-1)]), Ok(()));
        assert_eq!(trial.act(&CHILL, &[Int(1)]), Ok(()));
    }

    #[test]
    fn chance_stays_in_range() {
        let mut trial = Trial::default();
        let mut seen = [false; 4];
        for _ in 0..1_000 {
            let value = trial.int(&RANDINT, &[Int(4)]).expect("no fault");
            seen[usize::try_from(value).expect("not below 0")] = true;
            let value = trial.int(&RAND, &[]).expect("no fault");
            assert!((0..1 << 31).contains(&value));
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(trial.int(&RANDINT, &[Int(0)]), Ok(0));
        assert!(trial.int(&RANDINT, &[Int(1 << 20)]).is_ok());
        for range in [-1, (1 << 20) + 1, i64::MIN, i64::MAX] {
            assert!(trial.int(&RANDINT, &[Int(range)]).is_err(), "{range}");
        }
    }
}
