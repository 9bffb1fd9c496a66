//! The few system calls that nix does not wrap, or wraps with types that lose something
//! (real-time signals, the kernel's own register sets). The only `unsafe` of the tracer.

use std::io;
use std::mem;

use nix::errno::Errno;
use ptpytrace_arch::{GENERAL_WORDS, Registers, VECTOR_REGISTERS};

/// A signal that is pending for a thread, or being delivered to it (sigaction(2), `siginfo_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalInfo {
    /// The signal's number.
    pub signal: i32,
    /// Above 0 when the kernel raised it (a breakpoint), at most 0 when a process sent it.
    pub code: i32,
    /// The process that sent it; 0 when none did, or it is not said.
    pub sender: i32,
}

/// `si_code` of a signal that the kernel raises for a breakpoint.
const SI_KERNEL: u64 = 0x80;

fn request(op: libc::c_uint, tid: i32, address: usize, data: usize) -> Result<i64, Errno> {
    // SAFETY: callers pass either plain numbers or pointers to locals that outlive the call and have the size the
    // request writes (ptrace(2)).
    let result = unsafe { libc::ptrace(op, tid, address, data) };
    Errno::result(result)
}

/// PTRACE_SEIZE: trace a running thread without stopping it.
pub fn seize(tid: i32, options: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE, tid, 0, options as usize).map(drop)
}

/// PTRACE_INTERRUPT: make a seized thread stop soon.
pub fn interrupt(tid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_INTERRUPT, tid, 0, 0).map(drop)
}

/// PTRACE_CONT with any signal, real-time ones too; 0 for none.
pub fn cont(tid: i32, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_CONT, tid, 0, signal as usize).map(drop)
}

/// PTRACE_SYSCALL: let a thread run to the next beginning or end of a system call, with any signal; 0 for none.
pub fn to_system_call(tid: i32, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SYSCALL, tid, 0, signal as usize).map(drop)
}

/// Where a thread in a syscall-stop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemCall {
    /// At the beginning of this call, with these arguments.
    Entry(u64, [u64; 6]),
    /// At the end, with this result: from -4095 to -1 an error.
    Return(i64),
    /// Neither.
    Other,
}

/// PTRACE_GET_SYSCALL_INFO.
pub fn system_call(tid: i32) -> Result<SystemCall, Errno> {
    let info = nix::sys::ptrace::syscall_info(nix::unistd::Pid::from_raw(tid))?;
    Ok(match info.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY => {
            // SAFETY: `op` says that the kernel has filled this member.
            let entry = unsafe { info.u.entry };
            SystemCall::Entry(entry.nr, entry.args)
        }
        // SAFETY: as above.
        libc::PTRACE_SYSCALL_INFO_EXIT => SystemCall::Return(unsafe { info.u.exit }.sval),
        _ => SystemCall::Other,
    })
}

/// PTRACE_LISTEN: leave a thread in its group-stop, but hear when it ends.
pub fn listen(tid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_LISTEN, tid, 0, 0).map(drop)
}

/// PTRACE_DETACH with any signal; 0 for none.
pub fn detach(tid: i32, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_DETACH, tid, 0, signal as usize).map(drop)
}

/// PTRACE_GETEVENTMSG.
pub fn event_message(tid: i32) -> Result<u64, Errno> {
    let mut message: libc::c_ulong = 0;
    request(
        libc::PTRACE_GETEVENTMSG,
        tid,
        0,
        (&raw mut message) as usize,
    )?;
    Ok(message)
}

/// PTRACE_GETSIGINFO: the signal that a thread in signal-delivery-stop is about to get.
pub fn signal_info(tid: i32) -> Result<SignalInfo, Errno> {
    // SAFETY: siginfo_t is plain data for which all zeros is valid.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    request(libc::PTRACE_GETSIGINFO, tid, 0, (&raw mut info) as usize)?;
    Ok(told(&info))
}

/// PTRACE_SETSIGINFO: a breakpoint's SIGTRAP, which the kernel is about to deliver, with these words where others have
/// an address.
pub fn note_in_breakpoint_signal(tid: i32, note: [u64; 2]) -> Result<(), Errno> {
    // siginfo_t: number and error, code and padding, then what depends on the code; 128 bytes.
    let mut info = [0u64; 16];
    let [one, other] = note;
    let words = [libc::SIGTRAP as u64, SI_KERNEL, one, other];
    let places = info.iter_mut().zip(words);
    places.for_each(|(place, word)| *place = word);
    request(libc::PTRACE_SETSIGINFO, tid, 0, info.as_ptr() as usize).map(drop)
}

/// What was noted in the signal of a breakpoint, zeros if nothing; `None` when the thread is stopped for another reason.
pub fn note_of_breakpoint_signal(tid: i32) -> Option<[u64; 2]> {
    let mut info = [0u64; 16];
    request(libc::PTRACE_GETSIGINFO, tid, 0, info.as_mut_ptr() as usize).ok()?;
    let [signal, code, one, other, ..] = info;
    let low = |word: u64| word & u64::from(u32::MAX);
    let is_breakpoint = low(signal) == libc::SIGTRAP as u64 && low(code) == SI_KERNEL;
    is_breakpoint.then_some([one, other])
}

fn told(info: &libc::siginfo_t) -> SignalInfo {
    let sent = matches!(
        info.si_code,
        libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL
    );
    SignalInfo {
        signal: info.si_signo,
        code: info.si_code,
        // SAFETY: signals of these codes have the field (sigaction(2)).
        sender: if sent { unsafe { info.si_pid() } } else { 0 },
    }
}

/// PTRACE_PEEKSIGINFO: the signals pending for this very thread (not for its process).
pub fn pending_signals(tid: i32) -> Result<Vec<SignalInfo>, Errno> {
    let mut pending = Vec::new();
    loop {
        let (count, infos) = peek_signals(tid, pending.len() as u64)?;
        pending.extend(infos.iter().take(count).map(told));
        if count < infos.len() {
            return Ok(pending);
        }
    }
}

/// How many there are from the `from`th on, and those.
fn peek_signals(tid: i32, from: u64) -> Result<(usize, [libc::siginfo_t; 32]), Errno> {
    // SAFETY: siginfo_t is plain data for which all zeros is valid.
    let mut infos: [libc::siginfo_t; 32] = unsafe { mem::zeroed() };
    let query = libc::ptrace_peeksiginfo_args {
        off: from,
        flags: 0,
        nr: infos.len() as i32,
    };
    let count = request(
        libc::PTRACE_PEEKSIGINFO,
        tid,
        (&raw const query) as usize,
        infos.as_mut_ptr() as usize,
    )?;
    Ok((usize::try_from(count).unwrap_or(0), infos))
}

/// PTRACE_GETREGSET, `NT_PRSTATUS`: fills the general words, returns how many bytes the set has.
pub fn get_registers(tid: i32, registers: &mut Registers) -> Result<usize, Errno> {
    let mut io = libc::iovec {
        iov_base: registers.general.as_mut_ptr().cast(),
        iov_len: GENERAL_WORDS * 8,
    };
    request(
        libc::PTRACE_GETREGSET,
        tid,
        libc::NT_PRSTATUS as usize,
        (&raw mut io) as usize,
    )?;
    Ok(io.iov_len)
}

/// PTRACE_SETREGSET, `NT_PRSTATUS`: writes back the first `bytes` bytes, as many as reading gave.
pub fn set_registers(tid: i32, registers: &Registers, bytes: usize) -> Result<(), Errno> {
    let io = libc::iovec {
        iov_base: registers.general.as_ptr().cast_mut().cast(),
        iov_len: bytes.min(GENERAL_WORDS * 8),
    };
    request(
        libc::PTRACE_SETREGSET,
        tid,
        libc::NT_PRSTATUS as usize,
        (&raw const io) as usize,
    )
    .map(drop)
}

/// PTRACE_GETREGSET, `NT_PRFPREG`: the low 16 bytes of the vector registers. On x86-64 the set is FXSAVE's and holds
/// `xmm0` to `xmm15`; those above read as 0.
pub fn get_vector(tid: i32) -> Result<Box<[[u8; 16]; VECTOR_REGISTERS]>, Errno> {
    let mut image = [0u8; 1024];
    let mut io = libc::iovec {
        iov_base: image.as_mut_ptr().cast(),
        iov_len: image.len(),
    };
    request(
        libc::PTRACE_GETREGSET,
        tid,
        libc::NT_PRFPREG as usize,
        (&raw mut io) as usize,
    )?;
    let (first, count) = if super::HOST_MACHINE == 62 {
        (160, 16)
    } else {
        (0, 32)
    };
    let mut vector = Box::new([[0; 16]; VECTOR_REGISTERS]);
    let images = image.get(first..).unwrap_or(&[]).as_chunks::<16>().0;
    for (to, from) in vector.iter_mut().zip(images.iter().take(count)) {
        *to = *from;
    }
    Ok(vector)
}

/// The register set that holds everything but the general registers: `NT_X86_XSTATE`, or where the CPU has none, and on
/// other CPUs, `NT_PRFPREG`.
fn extended_sets() -> &'static [usize] {
    const NT_X86_XSTATE: usize = 0x202;
    if super::HOST_MACHINE == 62 {
        &[NT_X86_XSTATE, libc::NT_PRFPREG as usize]
    } else {
        &[libc::NT_PRFPREG as usize]
    }
}

/// PTRACE_GETREGSET: all vector and floating-point registers, to be put back by [`set_extended`].
pub fn get_extended(tid: i32) -> Result<Vec<u8>, Errno> {
    let mut image = vec![0u8; 64 << 10]; // AMX's tiles alone take 8 KiB
    let mut result = Err(Errno::ENODEV);
    for set in extended_sets() {
        let mut io = libc::iovec {
            iov_base: image.as_mut_ptr().cast(),
            iov_len: image.len(),
        };
        result = request(libc::PTRACE_GETREGSET, tid, *set, (&raw mut io) as usize);
        if result.is_ok() {
            image.truncate(io.iov_len);
            return Ok(image);
        }
    }
    result.map(|_| image)
}

/// PTRACE_SETREGSET: what [`get_extended`] gave.
pub fn set_extended(tid: i32, image: &[u8]) -> Result<(), Errno> {
    let mut result = Err(Errno::ENODEV);
    for set in extended_sets() {
        let io = libc::iovec {
            iov_base: image.as_ptr().cast_mut().cast(),
            iov_len: image.len(),
        };
        result = request(libc::PTRACE_SETREGSET, tid, *set, (&raw const io) as usize);
        if result.is_ok() {
            break;
        }
    }
    result.map(drop)
}

/// PTRACE_GETSIGMASK: the thread's blocked signals, bit `n - 1` for signal `n`.
pub fn get_signal_mask(tid: i32) -> Result<u64, Errno> {
    let mut mask = 0u64;
    request(libc::PTRACE_GETSIGMASK, tid, 8, (&raw mut mask) as usize)?;
    Ok(mask)
}

/// PTRACE_SETSIGMASK.
pub fn set_signal_mask(tid: i32, mask: u64) -> Result<(), Errno> {
    request(libc::PTRACE_SETSIGMASK, tid, 8, (&raw const mask) as usize).map(drop)
}

/// kcmp(2), `KCMP_VM`: whether two processes have one address space; `None` where the kernel does not say.
pub fn same_address_space(one: i32, other: i32) -> Option<bool> {
    const KCMP_VM: libc::c_int = 1;
    // SAFETY: kcmp takes numbers only.
    let result = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_VM, 0, 0) };
    match result {
        0 => Some(true),
        1..=3 => Some(false),
        _ => None,
    }
}

/// Waits for any child or tracee of this very thread (a program that uses the library may have others); `Ok(None)` when
/// `block` is false and none has news.
///
/// The news that a thread is about to get SIGTRAP are left with the kernel (waitid(2), WNOWAIT). Once they are taken it
/// holds the signal for dealt with, and should this program be killed the thread would go on behind the first byte of a
/// breakpoint's instruction. [`cont`] and its like take them.
pub fn wait_any(block: bool) -> Result<Option<(i32, i32)>, Errno> {
    loop {
        match news(libc::P_ALL, 0, if block { 0 } else { libc::WNOHANG })? {
            Some((tid, Some(status))) => return Ok(Some((tid, status))),
            Some((_, None)) => {}
            None => return Ok(None),
        }
    }
}

/// As [`wait_any`] for one tracee, without blocking.
pub fn poll_one(tid: i32) -> Result<Option<i32>, Errno> {
    let tid = libc::id_t::try_from(tid).map_err(|_| Errno::ECHILD)?;
    Ok(news(libc::P_PID, tid, libc::WNOHANG)?.and_then(|(_, status)| status))
}

/// Who has news, and which.
fn news(
    kind: libc::idtype_t,
    whose: libc::id_t,
    flags: i32,
) -> Result<Option<(i32, Option<i32>)>, Errno> {
    let what = libc::__WALL | libc::__WNOTHREAD | libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT;
    // SAFETY: siginfo_t is plain data for which all zeros is valid.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    // SAFETY: info outlives the call.
    Errno::result(unsafe { libc::waitid(kind, whose, &mut info, what | flags) })?;
    // SAFETY: waitid fills these fields, or leaves the zeros.
    let (tid, status) = unsafe { (info.si_pid(), info.si_status()) };
    Ok(match tid {
        0 => None,
        _ if info.si_code == libc::CLD_TRAPPED && status == libc::SIGTRAP => {
            Some((tid, Some((status << 8) | 0x7f)))
        }
        _ => Some((tid, take_one(tid)?)),
    })
}

/// wait4(2) for one tracee, whatever its news; `Ok(None)` when it has none.
pub fn take_one(tid: i32) -> Result<Option<i32>, Errno> {
    let mut status = 0;
    let flags = libc::__WALL | libc::WNOHANG;
    // SAFETY: status outlives the call.
    let seen =
        Errno::result(unsafe { libc::wait4(tid, &mut status, flags, std::ptr::null_mut()) })?;
    Ok((seen != 0).then_some(status))
}

/// wait4(2) for one tracee.
pub fn wait_one(tid: i32) -> Result<i32, Errno> {
    let mut status = 0;
    loop {
        // SAFETY: status outlives the call.
        let result = unsafe { libc::wait4(tid, &mut status, libc::__WALL, std::ptr::null_mut()) };
        match Errno::result(result) {
            Ok(_) => return Ok(status),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Lets a stopped thread execute one instruction.
pub fn single_step(tid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SINGLESTEP, tid, 0, 0).map(drop)
}

/// The calling thread's id.
pub fn own_thread() -> i32 {
    // SAFETY: gettid takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

/// tgkill(2) for a thread of this process.
pub fn signal_thread(tid: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: tgkill takes numbers only.
    Errno::result(unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, signal) }).map(drop)
}

/// tgkill(2) for a thread of any process.
pub fn signal_task(pid: i32, tid: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: tgkill takes numbers only.
    Errno::result(unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) }).map(drop)
}

/// kill(2) for one process.
pub fn signal_process(pid: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: kill takes numbers only.
    Errno::result(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Installs an empty handler for `signal`, without SA_RESTART: the signal does nothing but interrupt a wait.
pub fn make_interrupting(signal: i32) -> io::Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: sigaction is plain data for which all zeros is valid; the handler does nothing, which is
    // async-signal-safe.
    let result = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        libc::sigaction(signal, &action, std::ptr::null_mut())
    };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// sched_setscheduler(2) for a thread, with priority 0.
pub fn set_policy(tid: i32, policy: i32) -> Result<(), Errno> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the parameters outlive the call.
    Errno::result(unsafe { libc::sched_setscheduler(tid, policy, &parameters) }).map(drop)
}

/// Whether a thread may take SCHED_IDLE and leave it again (sched(7)): tried out on a thread of its own.
pub fn idle_is_reversible() -> bool {
    let attempt = || {
        let tid = own_thread();
        set_policy(tid, libc::SCHED_IDLE).is_ok() && set_policy(tid, libc::SCHED_OTHER).is_ok()
    };
    std::thread::spawn(attempt).join().unwrap_or(false)
}

/// CLOCK_MONOTONIC in nanoseconds.
pub fn monotonic() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: time outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}
