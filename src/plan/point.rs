//! Where in a process something is to be seen.

use crate::probe::MarkerPattern;
use crate::probe::glob::Glob;
use crate::probe::pattern::dashed;

/// In which processes and files a point is looked for. Nothing set: in all that is traced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Within {
    /// Only in the process that was launched or attached to first (`$target`, `target()`).
    pub target: bool,
    /// Only in the process of this id.
    pub pid: Option<i32>,
    /// Only in processes that run a program whose path matches.
    pub program: Option<Glob>,
}

/// A point, or all that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// A static marker.
    Marker(MarkerPoint),
    /// A function, found by its symbol.
    Function(FunctionPoint),
    /// A system call, by the name that syscalls(2) gives it.
    Syscall {
        /// Which.
        name: Glob,
        /// At its entry or its return.
        place: Place,
    },
    /// Something that happens to a process or thread.
    Process(ProcessPoint),
}

/// A static marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkerPoint {
    /// The provider.
    pub provider: ProviderGlob,
    /// The file that holds the marker: its file name, or its path when the glob has a `/`. `None`: any.
    pub module: Option<Glob>,
    /// The function that holds the marker, by the symbol that covers its address (empty when none does). `None`: any.
    pub function: Option<Glob>,
    /// The marker's name in DTrace's spelling: `-` for `__`.
    pub name: Glob,
}

/// How a marker's provider is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderGlob {
    /// As in the note (`python`); `None`: any.
    Note(Option<Glob>),
    /// As in DTrace, the note's with the process id behind it (`python1234`). Every `$target` in the text stands for
    /// the id of the target.
    Instance(String),
}

impl ProviderGlob {
    /// Whether the provider of a process is meant. `target` is the id of the target, when there is one.
    pub fn matches(&self, provider: &str, pid: i32, target: Option<i32>) -> bool {
        match self {
            ProviderGlob::Note(glob) => glob.as_ref().is_none_or(|glob| glob.matches(provider)),
            ProviderGlob::Instance(text) => {
                let text = match target {
                    Some(target) => text.replace("$target", &target.to_string()),
                    None if text.contains("$target") => return false,
                    None => text.clone(),
                };
                Glob::parse(&text).is_some_and(|glob| glob.matches(&format!("{provider}{pid}")))
            }
        }
    }

    /// Whether the answer of [`ProviderGlob::matches`] may be another one for another process.
    pub fn depends_on_process(&self) -> bool {
        match self {
            ProviderGlob::Note(_) => false,
            // The star behind a name without digits stands for any id.
            ProviderGlob::Instance(text) => text.strip_suffix('*').is_none_or(|name| {
                let plain = |it: char| it.is_ascii_alphabetic() || matches!(it, '_' | '*');
                !name.chars().all(plain)
            }),
        }
    }

    /// Whether this provider may be meant in some process.
    pub fn may_match(&self, provider: &str) -> bool {
        match self {
            ProviderGlob::Note(glob) => glob.as_ref().is_none_or(|glob| glob.matches(provider)),
            ProviderGlob::Instance(text) => {
                // Where the digits of the id begin is not known: the glob may match the note's provider up to anywhere.
                let text = text.replace("$target", "*");
                let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
                ends.filter_map(|end| Glob::parse(text.get(..end)?))
                    .any(|glob| glob.matches(provider))
            }
        }
    }
}

impl MarkerPoint {
    /// The markers that a pattern of the command line matches.
    pub fn of_pattern(pattern: &MarkerPattern) -> MarkerPoint {
        MarkerPoint {
            provider: ProviderGlob::Note(pattern.provider().cloned()),
            module: None,
            function: None,
            name: pattern.name().clone(),
        }
    }

    /// Whether a marker of this provider and name may be meant in some process.
    pub fn may_match(&self, provider: &str, name: &str) -> bool {
        self.name.matches(&dashed(name)) && self.provider.may_match(provider)
    }
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionPoint {
    /// The file that holds it, as in [`MarkerPoint::module`]. `a.out` is the program itself, as in DTrace.
    pub module: Option<Glob>,
    /// Its symbol.
    pub function: Glob,
    /// Where in it.
    pub place: Place,
}

/// Where in a function or system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before its first instruction.
    Entry,
    /// When it has returned; the event's argument 1 is what it returned, argument 0 is 0.
    Return,
}

/// Something that happens to a process or thread. The events have the provider `proc` and DTrace's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessPoint {
    /// A process is seen for the first time: launched, attached to, or started by a traced one (`start`).
    Start,
    /// A process has replaced its program (`exec-success`). Argument 0: the path of the program, a string.
    Exec,
    /// A process ends (`exit`). Argument 0: 1 when it exited, 2 when a signal killed it, 3 with a core dump (as
    /// `CLD_EXITED`, `CLD_KILLED`, `CLD_DUMPED` of waitid(2)); argument 1: the status or signal.
    Exit,
    /// A process makes another (`create`). Argument 0: the child's id.
    Create,
    /// A thread is seen for the first time (`lwp-start`).
    ThreadStart,
    /// A thread ends (`lwp-exit`).
    ThreadExit,
    /// A signal is about to be delivered (`signal-handle`). Argument 0: the signal.
    SignalHandle,
    /// A signal was sent (`signal-send`): told at its delivery, in the sender's place when the kernel names one.
    /// Argument 0: the id of the sender; argument 1: the signal.
    SignalSend,
}

impl ProcessPoint {
    /// Its name in DTrace.
    pub fn name(self) -> &'static str {
        match self {
            ProcessPoint::Start => "start",
            ProcessPoint::Exec => "exec-success",
            ProcessPoint::Exit => "exit",
            ProcessPoint::Create => "create",
            ProcessPoint::ThreadStart => "lwp-start",
            ProcessPoint::ThreadExit => "lwp-exit",
            ProcessPoint::SignalHandle => "signal-handle",
            ProcessPoint::SignalSend => "signal-send",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_the_process_id_behind_the_providers_name() {
        let target = Some(1234);
        let table = [
            ("python$target", 1234, target, true),
            ("python$target", 12345, target, false),
            ("python$target", 1234, None, false),
            ("python*", 7, None, true),
            ("python7", 7, None, true),
            ("python7", 77, None, false),
            ("python", 7, None, false),
            ("*", 7, None, true),
            ("ruby*", 7, None, false),
            ("python[", 7, None, false),
        ];
        for (text, pid, target, expected) in table {
            let provider = ProviderGlob::Instance(text.to_owned());
            assert_eq!(
                provider.matches("python", pid, target),
                expected,
                "{text} {pid}"
            );
            if expected {
                assert!(provider.may_match("python"), "{text}");
            }
        }
        for (text, depends) in [
            ("python*", false),
            ("*", false),
            ("python$target", true),
            ("python7*", true),
        ] {
            let provider = ProviderGlob::Instance(text.to_owned());
            assert_eq!(provider.depends_on_process(), depends, "{text}");
        }
        assert!(!ProviderGlob::Instance("ruby*".to_owned()).may_match("python"));
        assert!(!ProviderGlob::Instance("pyth".to_owned()).may_match("python"));
    }
}
