//! A running interpreter that is stopped, made to map pages, and diverted.

use std::ops::Range;

use iced_x86::code_asm::{AsmMemoryOperand, CodeAssembler, qword_ptr, rsp};
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use ptpytrace::address::FileAddress;
use ptpytrace::elf::Note;
use ptpytrace::fastpath::diversion::{
    Change, Choice, Code, FreeSpace, PAGE, Site, SiteFacts, Tail, Way, WayKind, choose, survey,
};
use ptpytrace::process::maps::{self, ImageCache, MappedImage};
use ptpytrace::process::memory::ProcessMemory;
use ptpytrace_arch::ReadMemory;

/// The room of one stub.
pub const STUB: u64 = 256;

/// A program stopped in a system call, of which it can be made to make others.
pub struct Stopped {
    pid: Pid,
    pub saved: user_regs_struct,
    /// Whether its pc was changed.
    pub moved: bool,
}

impl Stopped {
    pub fn attach(pid: i32) -> Stopped {
        let pid = Pid::from_raw(pid);
        ptrace::seize(pid, ptrace::Options::empty()).expect("may be traced");
        ptrace::interrupt(pid).expect("is traced");
        let status = waitpid(pid, Some(WaitPidFlag::__WALL)).expect("stops");
        let event = WaitStatus::PtraceEvent(pid, Signal::SIGTRAP, libc::PTRACE_EVENT_STOP);
        assert_eq!(status, event);
        let saved = ptrace::getregs(pid).expect("stopped");
        Stopped {
            pid,
            saved,
            moved: false,
        }
    }

    /// Makes a system call with the instruction behind which the program waits.
    fn call(&self, number: i64, arguments: [u64; 6]) -> i64 {
        let mut registers = self.saved;
        registers.rip -= 2;
        registers.rax = number as u64;
        registers.orig_rax = u64::MAX;
        [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ] = arguments;
        ptrace::setregs(self.pid, registers).expect("stopped");
        ptrace::step(self.pid, None).expect("stopped");
        waitpid(self.pid, Some(WaitPidFlag::__WALL)).expect("stops");
        ptrace::getregs(self.pid).expect("stopped").rax as i64
    }

    /// Maps exactly these pages.
    pub fn map(&self, pages: &Range<u64>, protection: i32) -> bool {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let length = pages.end - pages.start;
        let arguments = [
            pages.start,
            length,
            protection as u64,
            flags as u64,
            u64::MAX,
            0,
        ];
        self.call(libc::SYS_mmap, arguments) == pages.start as i64
    }

    pub fn detach(self) {
        ptrace::setregs(self.pid, self.saved).expect("stopped");
        ptrace::detach(self.pid, None).expect("stopped");
    }
}

/// The image with the markers, in a running process.
pub fn marked(pid: i32) -> MappedImage {
    let found = maps::mapped_images(pid, &mut ImageCache::new()).expect("its images");
    let mut images = found.images.into_iter();
    images
        .find(|mapped| {
            mapped
                .image
                .notes()
                .iter()
                .any(|note| note.provider == "python")
        })
        .expect("markers")
}

/// Code for `at` that counts in the eight bytes at `counter`.
fn counting(at: u64, counter: u64) -> Vec<u8> {
    let counter = qword_ptr(AsmMemoryOperand::from(iced_x86::Register::RIP) + counter as i64);
    let mut code = CodeAssembler::new(64).expect("64 bits");
    code.lea(rsp, qword_ptr(rsp - 128)).expect("code");
    code.pushfq().expect("code");
    code.inc(counter).expect("code");
    code.popfq().expect("code");
    code.lea(rsp, qword_ptr(rsp + 128)).expect("code");
    code.assemble(at).expect("code")
}

pub fn word(memory: &ProcessMemory, address: u64) -> u64 {
    let mut bytes = [0; 8];
    let read = memory.read(address, &mut bytes);
    let state = || waitpid(Pid::from_raw(memory.pid()), Some(WaitPidFlag::WNOHANG));
    assert_eq!(read, 8, "the program has ended: {:?}", state());
    u64::from_ne_bytes(bytes)
}

/// Counts all semaphores of the function markers up or down. In 3.11 those of `line` open the way to
/// `function__entry`.
pub fn semaphores(mapped: &MappedImage, memory: &ProcessMemory, up: bool) {
    let names = ["function__entry", "function__return", "line"];
    let notes = mapped
        .image
        .notes()
        .iter()
        .filter(|note| names.contains(&note.name.as_str()));
    let mut addresses: Vec<u64> = notes
        .filter_map(|note| Some(mapped.bias.apply(note.semaphore?).0))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    for address in addresses {
        let mut bytes = [0; 2];
        assert_eq!(memory.read(address, &mut bytes), 2);
        let value = u16::from_ne_bytes(bytes);
        let value = if up { value + 1 } else { value - 1 };
        memory
            .write(address, &value.to_ne_bytes())
            .expect("writable");
    }
}

/// Where a diverted site's counter lies, and what undoes the diversion.
pub struct Diverted {
    pub name: String,
    pub counter: u64,
    pub change: Change,
}

/// A process with what is needed to divert it.
pub struct Target<'a> {
    stopped: &'a Stopped,
    memory: &'a ProcessMemory,
    mapped: &'a MappedImage,
    space: FreeSpace,
    /// A page of code, and a page of counters behind it.
    stubs: u64,
}

impl<'a> Target<'a> {
    pub fn new(
        stopped: &'a Stopped,
        memory: &'a ProcessMemory,
        mapped: &'a MappedImage,
    ) -> Target<'a> {
        let space = FreeSpace::of(&maps::read(stopped.pid.as_raw()).expect("maps"), 8 << 20);
        Target {
            stopped,
            memory,
            mapped,
            stubs: stub_pages(stopped, &space, mapped),
            space,
        }
    }

    /// Prepares the diversion of all sites of functions in one way, where that is possible.
    pub fn prepare_functions(
        &mut self,
        sites: &[(Note, SiteFacts)],
        way: WayKind,
    ) -> Vec<Diverted> {
        let sites = sites.iter().enumerate();
        let functions = sites.filter(|(_, (note, _))| note.name.starts_with("function__"));
        functions
            .filter_map(|(index, (note, facts))| self.prepare(index as u64, note, facts, way))
            .collect()
    }

    /// Prepares the diversion of a site in one way, if that is possible.
    fn prepare(
        &mut self,
        index: u64,
        note: &Note,
        facts: &SiteFacts,
        way: WayKind,
    ) -> Option<Diverted> {
        let address = self.mapped.bias.apply(note.location).0;
        let mut live = [0; 16];
        assert_eq!(self.memory.read(address, &mut live), 16);
        let site = Site {
            address,
            live: &live,
            facts,
        };
        let choice: Choice = choose(&site, &[way], &mut self.space);
        if choice.way == Way::Trap {
            return None;
        }
        if let Way::Pun { pages, .. } = &choice.way {
            let protection = libc::PROT_READ | libc::PROT_EXEC;
            assert!(
                pages
                    .iter()
                    .all(|pages| self.stopped.map(pages, protection))
            );
        }
        let (stub, counter) = (self.stubs + index * STUB, self.stubs + PAGE + index * 8);
        let mut code = counting(stub, counter);
        let tail = Tail::assemble(&site, &choice, stub + code.len() as u64).expect("a tail");
        let change = Change::prepare(&site, &choice, stub, &tail).expect("a change");
        code.extend(&tail.bytes);
        assert!(code.len() as u64 <= STUB);
        self.memory.write(stub, &code).expect("mapped");
        if let Some((landing, code)) = &change.landing {
            self.memory.write(*landing, code).expect("mapped");
        }
        Some(Diverted {
            name: note.name.clone(),
            counter,
            change,
        })
    }
}

impl Diverted {
    /// Leads the site to its stub. The one thread that there is is put where it has to be; false when its stack says
    /// that it may return to where no instruction will begin any more.
    pub fn apply(&self, stopped: &mut Stopped, memory: &ProcessMemory) -> bool {
        let mut stack = vec![0; 1 << 16];
        let read = memory.read(stopped.saved.rsp, &mut stack);
        if self.change.is_remembered_in(&stack[..read]) {
            return false;
        }
        if let Some(moved) = self.change.moved(stopped.saved.rip) {
            stopped.saved.rip = moved;
            stopped.moved = true;
        }
        let write = &self.change.write;
        memory.write(write.address, &write.new).expect("code");
        true
    }

    /// Puts the site back.
    pub fn undo(&self, memory: &ProcessMemory) {
        let write = &self.change.write;
        memory.write(write.address, &write.old).expect("code");
    }
}

/// What is known of the sites of an image's markers.
pub fn facts(mapped: &MappedImage) -> Vec<(Note, SiteFacts)> {
    let code = Code::of(&mapped.image).expect("its segments");
    let notes = mapped.image.notes().to_vec();
    let sites: Vec<FileAddress> = notes.iter().map(|note| note.location).collect();
    let facts = survey(&code, &sites, &|range| {
        mapped.image.has_symbol_within(&range)
    });
    notes.into_iter().zip(facts).collect()
}

/// Maps a page for stubs and one for counters, in the image's reach.
fn stub_pages(stopped: &Stopped, space: &FreeSpace, mapped: &MappedImage) -> u64 {
    let image = mapped.range.start.0..mapped.range.end.0;
    let places = space.near(&image, 2 * PAGE);
    let code = libc::PROT_READ | libc::PROT_EXEC;
    let data = libc::PROT_READ | libc::PROT_WRITE;
    let mapped = |place: &u64| {
        stopped.map(&(*place..place + PAGE), code)
            && stopped.map(&(place + PAGE..place + 2 * PAGE), data)
    };
    places
        .into_iter()
        .find(mapped)
        .expect("room near the image")
}
