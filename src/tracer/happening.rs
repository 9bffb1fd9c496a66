//! What happens to processes and threads, and their system calls: told where a script asks for it.

use std::sync::Arc;

use ptpytrace_arch::ArgValue;

use super::capture::plain;
use super::fire::Scene;
use super::site::{self, Argument, Site};
use super::stopped::StoppedThread;
use super::sys::SystemCall;
use super::{Tracer, monotonic};
use crate::event::{Arg, ArgInfo, ProbeInfo, Seen, Text};
use crate::plan::{Place, Point, ProcessPoint};
use crate::probe::known::ArgType;
use crate::process::system_calls;

/// The bits of a wait status that tell how a process ended (wait(2)).
const SIGNAL: i32 = 0x7f;
const DUMPED: i32 = 0x80;

/// Something that is not at a place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Happening {
    /// Of a process or thread.
    Process(ProcessPoint),
    /// A system call of this number, at its entry (or else its return).
    Call(u64, bool),
}

/// The arguments of a point.
fn arguments(point: ProcessPoint) -> &'static [(&'static str, ArgType)] {
    use ArgType::{CString, Int};
    match point {
        ProcessPoint::Start | ProcessPoint::ThreadStart | ProcessPoint::ThreadExit => &[],
        ProcessPoint::Exec => &[("path", CString)],
        ProcessPoint::Exit => &[("reason", Int), ("status", Int)],
        ProcessPoint::Create => &[("child", Int)],
        ProcessPoint::SignalHandle => &[("signal", Int)],
        ProcessPoint::SignalSend => &[("sender", Int), ("signal", Int)],
    }
}

/// How a process ended, as CLD_EXITED and its like (waitid(2)), and its status or signal.
fn reason(status: i32) -> [ArgValue; 2] {
    let signal = status & SIGNAL;
    let (reason, value) = match signal {
        0 => (1, (status >> 8) & 0xff),
        _ if status & DUMPED != 0 => (3, signal),
        _ => (2, signal),
    };
    [number(reason), number(value)]
}

fn number(value: i32) -> ArgValue {
    ArgValue::Signed(value.into())
}

impl Tracer {
    /// Whether some request asks for the ends of threads.
    pub(super) fn wants_ends(&self) -> bool {
        self.matcher.any(|point| {
            matches!(
                point,
                Point::Process(ProcessPoint::Exit | ProcessPoint::ThreadExit)
            )
        })
    }

    /// Whether the system calls of a thread's process are wanted.
    pub(super) fn wants_calls(&mut self, tid: i32) -> bool {
        if !self.calls_matter {
            return false;
        }
        let Some(pid) = self.table.threads.get(&tid).map(|thread| thread.pid) else {
            return false;
        };
        let known = self.table.processes.get(&pid);
        let Some(known) = known
            .filter(|it| it.followed && it.started)
            .map(|it| it.wants_calls)
        else {
            return false;
        };
        known.unwrap_or_else(|| {
            let identity = self.identity(pid);
            let wants = !self.matcher.system_call(&identity, None).is_empty();
            if let Some(process) = self.table.processes.get_mut(&pid) {
                process.wants_calls = Some(wants);
                self.ledger.processes += u64::from(wants);
            }
            wants
        })
    }

    /// The site of something that happens in a process; `None` when nobody asks for it there.
    fn happening(&mut self, pid: i32, happening: Happening) -> Option<Arc<Site>> {
        let process = self.table.processes.get(&pid).filter(|it| it.started)?;
        if let Some(known) = process.happenings.get(&happening) {
            return known.clone();
        }
        let identity = self.identity(pid);
        let site = match happening {
            Happening::Process(point) => {
                let requests = self.matcher.process_point(&identity, point);
                let (name, arguments) = (point.name(), arguments(point));
                let arguments = arguments.iter().map(|(name, ty)| (*name, *ty));
                self.nowhere("proc", ("", name), arguments, requests)
            }
            Happening::Call(call, entry) => {
                let (place, end, names): (_, _, &[&str]) = match entry {
                    true => (Place::Entry, "entry", &ARGUMENTS),
                    false => (Place::Return, "return", &RESULTS),
                };
                let unknown = format!("{call}");
                let name = system_calls::name(super::HOST_MACHINE, call).unwrap_or(&unknown);
                let requests = self.matcher.system_call(&identity, Some((name, place)));
                let arguments = names.iter().map(|name| (*name, ArgType::Long));
                self.nowhere("syscall", (name, end), arguments, requests)
            }
        };
        let process = self.table.processes.get_mut(&pid)?;
        if site.is_some() && matches!(happening, Happening::Process(_)) && !process.counted {
            process.counted = true;
            self.ledger.processes += 1;
        }
        process.happenings.insert(happening, site.clone());
        site
    }

    /// The site of a probe that lies in no file.
    fn nowhere(
        &mut self,
        provider: &str,
        (function, name): (&str, &str),
        arguments: impl Iterator<Item = (&'static str, ArgType)>,
        requests: Vec<usize>,
    ) -> Option<Arc<Site>> {
        if requests.is_empty() {
            return None;
        }
        let arguments = arguments.map(|(name, ty)| Argument {
            info: ArgInfo {
                name: name.to_owned(),
                ty,
            },
            spec: None,
        });
        let probe = ProbeInfo {
            provider: provider.to_owned(),
            name: name.to_owned(),
            args: Vec::new(),
            module: String::new(),
            function: function.to_owned(),
            requests,
            id: 0,
        };
        let books = (&mut self.ledger, &*self.plan);
        Some(site::site(books, probe, arguments.collect(), None))
    }

    /// Tells of something that happens to a thread or its process, if that is wanted.
    pub(super) fn tell(&mut self, tid: i32, point: ProcessPoint, numbers: &[ArgValue]) {
        self.tell_of(tid, None, point, numbers);
    }

    /// As [`Tracer::tell`]; the event is that of another process if one is given.
    fn tell_of(&mut self, tid: i32, actor: Option<i32>, point: ProcessPoint, numbers: &[ArgValue]) {
        if !self.points_matter {
            return;
        }
        let Some(pid) = self.table.threads.get(&tid).map(|thread| thread.pid) else {
            return;
        };
        if let Some(site) = self.happening(pid, Happening::Process(point)) {
            let scene = Scene {
                actor,
                ..Scene::of(tid, monotonic())
            };
            self.fire_with(scene, &site, numbers);
        }
    }

    /// A process is seen for the first time.
    pub(super) fn tell_start(&mut self, pid: i32) {
        if let Some(process) = self.table.processes.get_mut(&pid) {
            process.started = true;
        }
        self.tell(pid, ProcessPoint::Start, &[]);
        for tid in self.table.threads_of(pid) {
            self.tell(tid, ProcessPoint::ThreadStart, &[]);
        }
    }

    /// A process runs a new program.
    pub(super) fn tell_exec(&mut self, pid: i32) {
        if !self.points_matter {
            return;
        }
        let Some(site) = self.happening(pid, Happening::Process(ProcessPoint::Exec)) else {
            return;
        };
        let program = self.identity(pid).program.unwrap_or_default();
        let mut path = plain(ArgValue::Unsigned(0));
        path.seen = Seen::Text(Text {
            bytes: program.into_os_string().into_encoded_bytes(),
            truncated: false,
        });
        self.fire_args(pid, &site, vec![path]);
    }

    fn fire_args(&mut self, tid: i32, site: &Site, args: Vec<Arg>) {
        if let Some((space, true)) = self.table.space_of(tid) {
            let memory = space.memory.clone();
            self.deliver(Scene::of(tid, monotonic()), site, args, memory);
        }
    }

    /// A thread is about to end, or has ended; its process ends with the last one.
    pub(super) fn tell_end(&mut self, tid: i32, status: i32) {
        let Some(record) = self.table.threads.get_mut(&tid) else {
            return;
        };
        if std::mem::replace(&mut record.ending, true) || !self.points_matter {
            return;
        }
        let pid = record.pid;
        self.tell(tid, ProcessPoint::ThreadExit, &[]);
        let mut threads = self.table.threads.values();
        if threads.all(|thread| thread.pid != pid || thread.ending) {
            self.tell(tid, ProcessPoint::Exit, &reason(status));
        }
    }

    /// A signal is about to be delivered to a thread.
    pub(super) fn tell_signal(&mut self, thread: &StoppedThread, signal: i32) {
        if !self.points_matter || signal == 0 {
            return;
        }
        let tid = thread.tid();
        let sender = thread.signal_info().map_or(0, |info| info.sender);
        let numbers = [number(sender), number(signal)];
        let actor = Some(sender).filter(|sender| *sender > 0);
        self.tell_of(tid, actor, ProcessPoint::SignalSend, &numbers);
        self.tell(tid, ProcessPoint::SignalHandle, &[number(signal)]);
    }

    /// A thread begins or ends a system call.
    pub(super) fn system_call(&mut self, thread: &StoppedThread) {
        let now = monotonic();
        let Ok(call) = thread.system_call() else {
            return; // killed
        };
        let Some(record) = self.table.threads.get_mut(&thread.tid()) else {
            return;
        };
        let pid = record.pid;
        let (happening, numbers) = match call {
            SystemCall::Entry(number, arguments) => {
                record.in_call = Some(number);
                let arguments = arguments.map(|it| ArgValue::Signed(it.cast_signed()));
                (Happening::Call(number, true), arguments.to_vec())
            }
            // Without its beginning it is not known which call ends.
            SystemCall::Return(result) => match record.in_call.take() {
                Some(number) => {
                    let result = ArgValue::Signed(result);
                    (Happening::Call(number, false), vec![result, result])
                }
                None => return,
            },
            SystemCall::Other => return,
        };
        let Some(site) = self.happening(pid, happening) else {
            return;
        };
        let mut registers = std::mem::take(&mut self.registers);
        let known = site.capture.native_frames > 0 && thread.registers(&mut registers).is_ok();
        let scene = Scene {
            registers: known.then_some(&registers),
            ..Scene::of(thread.tid(), now)
        };
        self.fire_with(scene, &site, &numbers);
        self.registers = registers;
    }
}

/// What the arguments of a system call are called.
const ARGUMENTS: [&str; 6] = ["arg0", "arg1", "arg2", "arg3", "arg4", "arg5"];
/// What its results are called: both are the same.
const RESULTS: [&str; 2] = ["arg0", "arg1"];

#[cfg(test)]
mod tests {
    use super::*;

    /// wait(2) and waitid(2).
    #[test]
    fn ends_have_their_reasons() {
        let table = [
            (0x0000, 1, 0),
            (0x0700, 1, 7),
            (0xff00, 1, 255),
            (0x0009, 2, 9),
            (0x000f, 2, 15),
            (0x008b, 3, 11),
        ];
        for (status, code, value) in table {
            assert_eq!(reason(status), [number(code), number(value)], "{status:#x}");
        }
    }
}
