//! What leaves parts of a program without injected markers is said when it happens: the program's own profile and trace
//! functions before CPython 3.12, where a thread has room for one of each, and further interpreters in a process.

use super::{AgentPoint, Injection, Stage};
use crate::injected::{Injected, Way, argument, set_argument};
use crate::tracer::Tracer;
use crate::tracer::space::{AddressSpace, ImageId};
use crate::tracer::stopped::StoppedThread;
use ptpytrace_arch::Registers;

/// A function that sets one of a thread's functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rival {
    /// It is the trace function, not the profile function.
    trace: bool,
    /// It is the function's second argument, not the first.
    second: bool,
}

/// The functions of the C API that set them. Whoever sets one calls one of these, or code that is part of one.
const SETTERS: [(&str, Rival); 4] = [
    ("PyEval_SetProfile", Rival::of(false, false)),
    ("PyEval_SetTrace", Rival::of(true, false)),
    ("_PyEval_SetProfile", Rival::of(false, true)),
    ("_PyEval_SetTrace", Rival::of(true, true)),
];

/// Those that make an interpreter.
const MAKERS: [&str; 3] = [
    "Py_NewInterpreter",
    "_Py_NewInterpreter",
    "Py_NewInterpreterFromConfig",
];

impl Rival {
    const fn of(trace: bool, second: bool) -> Rival {
        Rival { trace, second }
    }

    /// Its place among [`crate::injected::Agent::hooks`].
    fn index(self) -> usize {
        usize::from(self.trace)
    }
}

/// What was said already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    functions: [bool; 2],
    interpreters: bool,
}

impl Tracer {
    /// Breakpoints where somebody takes the place of the agent's functions, or makes an interpreter.
    pub(super) fn watch_rivals(&mut self, space: &mut AddressSpace, injection: &Injection) {
        let mapped = &injection.mapped;
        // Functions are caught in new threads only where there is no sys.monitoring.
        let legacy = injection.way == Way::Legacy;
        let of_functions = [Injected::Entry, Injected::Return, Injected::Line];
        if !of_functions.into_iter().any(|it| injection.markers.has(it)) {
            return;
        }
        let setters = SETTERS.iter().filter(|_| legacy);
        let setters = setters.map(|(name, rival)| (*name, AgentPoint::Rival(*rival)));
        let makers = MAKERS
            .into_iter()
            .map(|name| (name, AgentPoint::Interpreter));
        for (name, point) in setters.chain(makers) {
            if let Some(symbol) = mapped.image.symbol(name) {
                let address = mapped.bias.apply(symbol.address);
                self.plant(space, address, point.purpose(), &ImageId::of(mapped));
            }
        }
    }

    /// A thread is about to set one of its functions. Its own takes the place of ours; when it takes that away, ours
    /// comes back.
    pub(super) fn rival(&mut self, thread: &StoppedThread, rival: Rival) {
        let pid = self.table.threads.get(&thread.tid()).map(|it| it.pid);
        if self.leaving || self.calls.contains_key(&thread.tid()) {
            return;
        }
        let Some(injection) = pid.and_then(|pid| self.injection(pid)) else {
            return;
        };
        let wanted = match rival.trace {
            true => injection.markers.has(Injected::Line),
            false => [Injected::Entry, Injected::Return]
                .into_iter()
                .any(|marker| injection.markers.has(marker)),
        };
        let agent = injection.agent.as_ref().map(|(_, agent)| agent.hooks);
        let ours = agent.and_then(|hooks| hooks.get(rival.index()).copied());
        let installed = matches!(injection.stage, Stage::Installed) && wanted;
        let mut registers = Registers::default();
        let (Some(ours), true, Ok(bytes)) = (ours, installed, thread.registers(&mut registers))
        else {
            return;
        };
        match argument(&registers, rival.second) {
            0 => {
                set_argument(&mut registers, rival.second, ours);
                // It fails when the thread is killed.
                let _ = thread.set_registers(&registers, bytes);
            }
            function if function == ours => {}
            _ => self.tell_rival(pid.unwrap_or_default(), rival),
        }
    }

    fn tell_rival(&mut self, pid: i32, rival: Rival) {
        let told = self
            .injection(pid)
            .and_then(|it| it.told.functions.get_mut(rival.index()));
        if told.is_none_or(|told| std::mem::replace(told, true)) {
            return;
        }
        let (kind, setter, missing) = match rival.trace {
            true => ("trace", "settrace", "lines are"),
            false => ("profile", "setprofile", "functions are"),
        };
        let text = format!(
            "process {pid} has set a {kind} function of its own (sys.{setter}, a debugger, profiler or coverage tool): CPython before 3.12 has room for one, so no {missing} traced in its threads until it takes that away"
        );
        self.outbox.notice(false, text);
    }

    /// Says that injected markers are those of one interpreter.
    pub(super) fn tell_interpreters(&mut self, pid: i32) {
        let told = self.injection(pid).map(|it| &mut it.told.interpreters);
        if told.is_none_or(|told| std::mem::replace(told, true)) {
            return;
        }
        let text = format!(
            "process {pid} has more than one interpreter (sub-interpreters): injected markers of functions, lines, gc and imports are those of its main interpreter only"
        );
        self.outbox.notice(false, text);
    }
}
