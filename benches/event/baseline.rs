//! The least that a tracer with breakpoints can do for an event with two strings: wait, read the registers, read both
//! strings with one system call, set the thread running. No following, no signals, no output.
//!
//! What a real tracer costs beyond this is its own doing, so this is what it is compared with. It is run as
//! `trap --baseline TRACER-CPU PROGRAM-CPU NOTES-FILE PROGRAM ARGS`.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, execv, fork};
use ptpytrace::elf::{Image, Note};
use ptpytrace::tracer::HOST_MACHINE;
use ptpytrace_arch::{Arch, ArgSpec, Bytes, GENERAL_WORDS, Registers, for_machine};

/// Bytes read of a string, but not over the end of a page.
const STRING: u64 = 256;
const PAGE: u64 = 4096;

struct Site {
    address: u64,
    arguments: Vec<ArgSpec>,
}

struct Tracee {
    pid: Pid,
    memory: File,
    arch: &'static dyn Arch,
}

/// Runs the program and reads all events of it.
pub fn main(words: &[String]) -> anyhow::Result<()> {
    let [tracer_cpu, program_cpu, notes, program @ ..] = words else {
        bail!("too few arguments");
    };
    let pid = launch(program, program_cpu.parse()?)?;
    keep_to(Pid::from_raw(0), tracer_cpu.parse()?)?;
    let arch = for_machine(HOST_MACHINE).context("this CPU is not supported")?;
    let path = format!("/proc/{pid}/mem");
    await_image(pid, Path::new(notes))?;
    let memory = OpenOptions::new().read(true).write(true).open(path)?;
    let tracee = Tracee { pid, memory, arch };
    let sites = tracee.arm(Path::new(notes))?;
    tracee.follow(&sites)
}

fn keep_to(pid: Pid, cpu: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(pid, &set)?)
}

/// Starts the program, stopped before it executes its first instruction.
fn launch(program: &[String], cpu: usize) -> anyhow::Result<Pid> {
    let words: Vec<CString> = program
        .iter()
        .map(|word| CString::new(word.as_str()))
        .collect::<Result<_, _>>()?;
    let file = words.first().context("no program")?;
    // SAFETY: this process has one thread, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let _ = keep_to(Pid::from_raw(0), cpu);
            let _ = raise(Signal::SIGSTOP);
            let _ = execv(file, &words);
            std::process::exit(127);
        }
        ForkResult::Parent { child } => {
            waitpid(child, Some(WaitPidFlag::WUNTRACED))?;
            let options =
                ptrace::Options::PTRACE_O_TRACEEXEC | ptrace::Options::PTRACE_O_TRACESYSGOOD;
            ptrace::seize(child, options)?;
            nix::sys::signal::kill(child, Signal::SIGCONT)?;
            Ok(child)
        }
    }
}

/// Lets it run until the file with the notes is mapped with all that will be written: a script that starts it may come
/// first, and a loader that loads it.
fn await_image(pid: Pid, notes: &Path) -> anyhow::Result<()> {
    let wanted = std::fs::canonicalize(notes)?;
    loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL))? {
            WaitStatus::PtraceSyscall(_) | WaitStatus::PtraceEvent(..) => {
                if is_mapped(pid, &wanted)? {
                    return Ok(());
                }
                ptrace::syscall(pid, None)?;
            }
            WaitStatus::Stopped(_, Signal::SIGCHLD) => ptrace::syscall(pid, Signal::SIGCHLD)?,
            WaitStatus::Stopped(..) => ptrace::syscall(pid, None)?,
            other => bail!(
                "the program ended before it ran {}: {other:?}",
                wanted.display()
            ),
        }
    }
}

/// The last part that a loader maps is the one that is written to.
fn is_mapped(pid: Pid, wanted: &Path) -> anyhow::Result<bool> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut mappings = maps.lines();
    Ok(mappings.any(|line| {
        let writable = line
            .split(' ')
            .nth(1)
            .is_some_and(|it| it.starts_with("rw"));
        writable && line.ends_with(&wanted.display().to_string())
    }))
}

impl Tracee {
    /// Plants breakpoints on both markers and raises their semaphores. Only for programs at a fixed address, as this
    /// workload's: nothing is relocated.
    fn arm(&self, path: &Path) -> anyhow::Result<Vec<Site>> {
        let image = Image::open(path)?;
        let wanted =
            |note: &&Note| matches!(note.name.as_str(), "function__entry" | "function__return");
        let mut sites = Vec::new();
        for note in image.notes().iter().filter(wanted) {
            self.memory
                .write_all_at(self.arch.breakpoint(), note.location.0)?;
            if let Some(semaphore) = note.semaphore {
                self.memory.write_all_at(&1u16.to_le_bytes(), semaphore.0)?;
            }
            let arguments = self.arch.parse_args(&note.arguments)?;
            ensure!(
                arguments.len() == 3,
                "{} has not three arguments",
                note.name
            );
            sites.push(Site {
                address: note.location.0,
                arguments,
            });
        }
        ensure!(!sites.is_empty(), "no markers in {}", path.display());
        Ok(sites)
    }

    /// The loop that is measured.
    fn follow(&self, sites: &[Site]) -> anyhow::Result<()> {
        let (pc, behind) = (self.arch.pc_index(), self.arch.pc_after_breakpoint());
        let mut registers = Registers::default();
        ptrace::cont(self.pid, None)?;
        loop {
            match waitpid(None, Some(WaitPidFlag::__WALL))? {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                    read_registers(self.pid, &mut registers)?;
                    let at = registers.general[pc].wrapping_sub(behind);
                    let site = sites.iter().find(|site| site.address == at);
                    let site = site.context("a breakpoint of somebody else")?;
                    std::hint::black_box(self.event(site, &registers));
                    ptrace::cont(self.pid, None)?;
                }
                WaitStatus::Stopped(_, signal) => ptrace::cont(self.pid, signal)?,
                WaitStatus::PtraceEvent(..) => ptrace::cont(self.pid, None)?,
                WaitStatus::Exited(_, 0) => return Ok(()),
                other => bail!("the program ended badly: {other:?}"),
            }
        }
    }

    /// The lengths of both strings, and the line number.
    fn event(&self, site: &Site, registers: &Registers) -> Option<(usize, usize, i64)> {
        let nothing = Bytes {
            base: 0,
            bytes: &[],
        };
        let value = |index: usize| site.arguments.get(index)?.fetch(registers, &nothing).ok();
        let (one, other) = (value(0)?.as_u64(), value(1)?.as_u64());
        let mut first = [0; STRING as usize];
        let mut second = [0; STRING as usize];
        let length = |address: u64| STRING.min(PAGE - address % PAGE) as usize;
        let remote = [one, other].map(|base| RemoteIoVec {
            base: base as usize,
            len: length(base),
        });
        let mut local = [
            IoSliceMut::new(&mut first[..remote[0].len]),
            IoSliceMut::new(&mut second[..remote[1].len]),
        ];
        process_vm_readv(self.pid, &mut local, &remote).ok()?;
        let text = |bytes: &[u8]| bytes.iter().position(|byte| *byte == 0);
        Some((text(&first)?, text(&second)?, value(2)?.as_i64()))
    }
}

fn read_registers(pid: Pid, registers: &mut Registers) -> Result<(), Errno> {
    let mut io = libc::iovec {
        iov_base: registers.general.as_mut_ptr().cast(),
        iov_len: GENERAL_WORDS * 8,
    };
    // SAFETY: the kernel writes at most `iov_len` bytes to the registers, which outlive the call.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_GETREGSET,
            pid.as_raw(),
            libc::NT_PRSTATUS,
            &raw mut io,
        )
    };
    Errno::result(result).map(drop)
}
