//! Functions: breakpoints on their first instructions, and where they return to.
//!
//! A return is awaited where it will lead: at the entry the return address gets a breakpoint, and the thread a note of
//! the stack pointer that a return leaves behind. So a return is told from the breakpoint's other passers-by, whatever
//! the depth of a recursion. Frames that a longjmp or an exception has left are noticed by the stack pointer, too: they
//! have no return.

use std::sync::Arc;

use ptpytrace_arch::{Arch, ArgValue, ReadMemory, X86_64};
use rustc_hash::FxHashMap;

use super::Tracer;
use super::arm::{Surroundings, file_name, module_of};
use super::fire::Scene;
use super::matching::Identity;
use super::site::{self, Argument, Site};
use super::space::{AddressSpace, Purpose};
use super::stopped::StoppedThread;
use crate::address::{FileAddress, RuntimeAddress};
use crate::elf::Image;
use crate::event::{ArgInfo, ProbeInfo};
use crate::plan::{FunctionPoint, Place};
use crate::probe::known::ArgType;
use crate::process::maps::MappedImage;

/// The most functions of one file that are armed.
const MOST_FUNCTIONS: usize = 20_000;
/// The most returns that one thread awaits.
const MOST_RETURNS: usize = 1 << 16;
/// A frame left so far (bytes) below the stack pointer may belong to another stack: it is kept.
const SAME_STACK: u64 = 1 << 20;
/// Parts of functions that are jumped to, never called.
const PART: &str = ".cold";

/// A function in a process.
#[derive(Debug)]
pub struct FunctionSite {
    /// Its entry, when it is wanted.
    entry: Option<Arc<Site>>,
    /// Its return, when it is wanted.
    end: Option<Arc<Site>>,
}

/// A return that a thread will make.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The stack pointer behind it.
    stack: u64,
    /// Where it leads.
    to: RuntimeAddress,
    function: Arc<FunctionSite>,
}

/// Notes a call: what lies below its frame on the same stack has ended without a return, and the same function in the
/// very same frame is there no more either. Another one there has jumped to this one, and returns with it.
fn call(pending: &mut Vec<Pending>, new: Pending) {
    let gone = |old: &Pending| {
        let below = old.stack < new.stack && new.stack.wrapping_sub(old.stack) < SAME_STACK;
        let again = Arc::ptr_eq(&old.function, &new.function) || old.to != new.to;
        below || old.stack == new.stack && again
    };
    while pending.last().is_some_and(gone) {
        pending.pop();
    }
    if pending.len() < MOST_RETURNS {
        pending.push(new);
    }
}

/// The functions that return when a thread comes to an address with this stack pointer, the innermost first.
fn returned(pending: &mut Vec<Pending>, at: RuntimeAddress, stack: u64) -> Vec<Arc<FunctionSite>> {
    let returns = |it: &Pending| it.stack == stack && it.to == at;
    let Some(innermost) = pending.iter().rposition(returns) else {
        return Vec::new();
    };
    let (before, _) = pending.split_at(innermost);
    let others = before.iter().rev().take_while(|it| returns(it)).count();
    let outermost = innermost.saturating_sub(others);
    let mut ended = pending.split_off(outermost);
    ended.truncate(others.saturating_add(1));
    ended.into_iter().rev().map(|it| it.function).collect()
}

/// A function that requests name: its address, its name, and which requests.
type Named<'a> = (FileAddress, &'a str, Vec<(usize, Place)>);

/// The functions of an image that requests name.
fn named<'a>(image: &'a Image, points: &[(usize, &FunctionPoint)]) -> Vec<Named<'a>> {
    let mut found: Vec<Named<'a>> = Vec::new();
    for (address, name) in image.functions() {
        if name.contains(PART) || !image.is_executable(address) {
            continue;
        }
        let meant = points
            .iter()
            .filter(|(_, point)| point.function.matches(name));
        let meant: Vec<_> = meant.map(|(index, point)| (*index, point.place)).collect();
        match found.last_mut() {
            _ if meant.is_empty() => {}
            Some((at, _, requests)) if *at == address => {
                requests.extend(meant);
                requests.sort_unstable_by_key(|(index, _)| *index);
                requests.dedup();
            }
            _ => found.push((address, name, meant)),
        }
    }
    found
}

impl Tracer {
    /// Plants breakpoints on the functions of an image that are wanted.
    pub(super) fn arm_functions(
        &mut self,
        space: &mut AddressSpace,
        identity: &Identity,
        surroundings: &Surroundings<'_>,
    ) {
        let mapped = surroundings.mapped;
        let matcher = self.matcher.clone();
        let points = matcher.functions(identity, module_of(mapped));
        if points.is_empty() {
            return;
        }
        let functions = named(&mapped.image, &points);
        if functions.len() > MOST_FUNCTIONS {
            let (path, count) = (mapped.path.display(), functions.len());
            let text = format!(
                "{path}: {count} functions match: only the first {MOST_FUNCTIONS} are traced"
            );
            self.outbox.notice(false, text);
        }
        for (address, name, requests) in functions.into_iter().take(MOST_FUNCTIONS) {
            let site = self.function_site(mapped, name, &requests);
            let purpose = Purpose {
                functions: vec![Arc::new(site)],
                ..Purpose::default()
            };
            let address = mapped.bias.apply(address);
            self.plant(space, address, purpose, &surroundings.id);
        }
    }

    /// Whether an image has a function that is wanted.
    pub(super) fn has_wanted_function(&self, identity: &Identity, mapped: &MappedImage) -> bool {
        let points = self.matcher.functions(identity, module_of(mapped));
        !points.is_empty() && !named(&mapped.image, &points).is_empty()
    }

    fn function_site(
        &mut self,
        mapped: &MappedImage,
        name: &str,
        requests: &[(usize, Place)],
    ) -> FunctionSite {
        let mut site = |place: Place, end: &str, arguments: Vec<Argument>| {
            let wanted = requests.iter().filter(|(_, at)| *at == place);
            let requests: Vec<usize> = wanted.map(|(index, _)| *index).collect();
            if requests.is_empty() {
                return None;
            }
            let probe = ProbeInfo {
                provider: "pid".to_owned(),
                name: end.to_owned(),
                args: Vec::new(),
                module: file_name(&mapped.path),
                function: name.to_owned(),
                requests,
                id: 0,
            };
            let books = (&mut self.ledger, &*self.plan);
            Some(site::site(books, probe, arguments, None))
        };
        let specs = self.arch.parse_args(self.arch.call_arguments());
        let specs = specs.unwrap_or_default().into_iter().map(Some);
        FunctionSite {
            entry: site(Place::Entry, "entry", longs(specs)),
            end: site(Place::Return, "return", longs([None, None].into_iter())),
        }
    }

    /// A thread stands at the first instruction of a function.
    pub(super) fn function_entered(
        &mut self,
        thread: &StoppedThread,
        function: &Arc<FunctionSite>,
        now: u64,
    ) {
        if let Some(site) = &function.entry {
            self.fire(thread, site, now);
        }
        if function.end.is_some()
            && let Some((to, stack)) = self.return_place(thread.tid())
            && self.await_return(thread.tid(), to)
            && let Some(record) = self.table.threads.get_mut(&thread.tid())
        {
            let function = Arc::clone(function);
            call(
                &mut record.returns,
                Pending {
                    stack,
                    to,
                    function,
                },
            );
        }
    }

    /// Where the function that a thread has just entered returns to, and the stack pointer that it leaves behind.
    fn return_place(&self, tid: i32) -> Option<(RuntimeAddress, u64)> {
        let word = |index: usize| self.registers.general.get(index).copied();
        let stack = word(self.arch.sp_index())?;
        if super::HOST_MACHINE != X86_64.elf_machine() {
            return Some((RuntimeAddress(word(30)?), stack));
        }
        let (space, _) = self.table.space_of(tid)?;
        let mut address = [0; 8];
        let read = space.memory.as_ref()?.read(stack, &mut address);
        let to = RuntimeAddress(u64::from_le_bytes(address));
        (read == address.len()).then_some((to, stack.wrapping_add(8)))
    }

    /// Sees to a breakpoint at a return address; false when there can be none: it is not behind a call in a file's code,
    /// or the process is being left.
    fn await_return(&mut self, tid: i32, to: RuntimeAddress) -> bool {
        let Some(pid) = self.table.threads.get(&tid).map(|thread| thread.pid) else {
            return false;
        };
        let process = self.table.processes.get(&pid);
        let staying = process.filter(|process| process.followed && !self.leaving);
        let Some(id) = staying.map(|process| process.space) else {
            return false;
        };
        let Some(mut space) = self.table.spaces.remove(&id) else {
            return false;
        };
        let planted = space.planted.get(&to);
        if !planted.is_some_and(|planted| planted.purpose.returns) {
            self.plant_return(&mut space, to);
        }
        let planted = space.planted.get(&to);
        let awaited = planted.is_some_and(|planted| planted.purpose.returns);
        self.table.spaces.insert(id, space);
        awaited
    }

    fn plant_return(&mut self, space: &mut AddressSpace, to: RuntimeAddress) {
        let image = space.code.iter().find(|(range, _)| range.contains(&to));
        let Some((_, image)) = image.cloned() else {
            return;
        };
        let mut before = [0; 8];
        let start = to.0.saturating_sub(before.len() as u64);
        let read = space
            .memory
            .as_ref()
            .map_or(0, |memory| memory.read(start, &mut before));
        // A call's first byte may be covered by a breakpoint.
        for (byte, address) in before.iter_mut().zip(start..) {
            let planted = space.planted.get(&RuntimeAddress(address));
            if let Some(original) = planted.and_then(|planted| planted.original.first()) {
                *byte = *original;
            }
        }
        if read == before.len() && self.arch.may_end_with_call(&before) {
            let purpose = Purpose {
                returns: true,
                ..Purpose::default()
            };
            self.plant(space, to, purpose, &image);
        }
    }

    /// A thread stands at a return address.
    pub(super) fn function_returned(&mut self, tid: i32, at: RuntimeAddress, now: u64) {
        let word = |index: usize| self.registers.general.get(index).copied().unwrap_or(0);
        let (stack, result) = (word(self.arch.sp_index()), word(self.arch.result_word()));
        let Some(record) = self.table.threads.get_mut(&tid) else {
            return;
        };
        let functions = returned(&mut record.returns, at, stack);
        if functions.is_empty() {
            return;
        }
        let registers = self.registers.clone();
        let numbers = [ArgValue::Signed(0), ArgValue::Signed(result.cast_signed())];
        for site in functions
            .iter()
            .filter_map(|function| function.end.as_ref())
        {
            let scene = Scene {
                registers: Some(&registers),
                ..Scene::of(tid, now)
            };
            self.fire_with(scene, site, &numbers);
        }
    }
}

/// Arguments called arg0, arg1, …
fn longs(specs: impl Iterator<Item = Option<ptpytrace_arch::ArgSpec>>) -> Vec<Argument> {
    let arguments = specs.enumerate().map(|(index, spec)| Argument {
        info: ArgInfo {
            name: format!("arg{index}"),
            ty: ArgType::Long,
        },
        spec,
    });
    arguments.collect()
}

/// Slots for relocated instructions in one address space.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    /// Where each instruction's substitute lies.
    pub of: FxHashMap<RuntimeAddress, u64>,
    /// Mapped memory that is free: from, to.
    pub free: Vec<(u64, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function() -> Arc<FunctionSite> {
        Arc::new(FunctionSite {
            entry: None,
            end: None,
        })
    }

    fn pending(function: &Arc<FunctionSite>, stack: u64, to: u64) -> Pending {
        Pending {
            stack,
            to: RuntimeAddress(to),
            function: Arc::clone(function),
        }
    }

    fn count(all: &mut Vec<Pending>, at: u64, stack: u64) -> usize {
        returned(all, RuntimeAddress(at), stack).len()
    }

    #[test]
    fn each_level_of_a_recursion_returns_once() {
        let (f, mut all) = (function(), Vec::new());
        for level in 0..4u64 {
            call(&mut all, pending(&f, 0x9000 - level * 0x20, 0x100));
        }
        assert_eq!(count(&mut all, 0x100, 0x8000), 0); // somebody else's
        for level in (0..4u64).rev() {
            let stack = 0x9000 - level * 0x20;
            assert_eq!(count(&mut all, 0x200, stack), 0);
            assert_eq!(count(&mut all, 0x100, stack), 1);
            assert_eq!(count(&mut all, 0x100, stack), 0);
        }
    }

    #[test]
    fn what_a_longjmp_has_left_does_not_return() {
        let (f, g, mut all) = (function(), function(), Vec::new());
        call(&mut all, pending(&f, 0x9000, 0x100));
        call(&mut all, pending(&g, 0x8fe0, 0x200));
        call(&mut all, pending(&g, 0x8fc0, 0x210));
        // Both have gone; a call from f's frame, then f returns.
        call(&mut all, pending(&g, 0x8ff0, 0x220));
        assert_eq!(all.len(), 2);
        assert_eq!(count(&mut all, 0x100, 0x9000), 1);
        assert!(all.is_empty());
        // Again and again from the same place.
        for _ in 0..3 {
            call(&mut all, pending(&g, 0x9000, 0x200));
        }
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn a_tail_call_returns_with_its_caller() {
        let (f, g, mut all) = (function(), function(), Vec::new());
        call(&mut all, pending(&f, 0x9000, 0x100));
        call(&mut all, pending(&g, 0x9000, 0x100));
        assert_eq!(count(&mut all, 0x100, 0x9000), 2);
    }

    #[test]
    fn another_stack_is_left_alone() {
        let (f, mut all) = (function(), Vec::new());
        call(&mut all, pending(&f, 0x10_0000, 0x100));
        call(&mut all, pending(&f, 0x7fff_0000_0000, 0x100));
        assert_eq!(count(&mut all, 0x100, 0x10_0000), 1);
    }
}
