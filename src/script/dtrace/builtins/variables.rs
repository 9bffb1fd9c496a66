//! Variables ("Variables" in the Dynamic Tracing Guide).

use super::{Kind, Meaning, Row, Special, Status};
use crate::script::dtrace::types::{INT, INT64, IntType, UINT, UINT64};
use crate::script::ir::{IntContext, StrContext};

const KERNEL: &str = "it is a structure of the kernel, which ptrace does not show";

const fn row(name: &'static str, status: Status, doc: &'static str, meaning: Meaning) -> Row {
    Row {
        name,
        kind: Kind::Variable,
        status,
        doc,
        meaning,
    }
}

const fn int(name: &'static str, of: IntContext, ty: IntType, doc: &'static str) -> Row {
    row(name, Status::Supported, doc, Meaning::Int(of, ty))
}

const fn text(name: &'static str, of: StrContext, doc: &'static str) -> Row {
    row(name, Status::Supported, doc, Meaning::Str(of))
}

const fn argument(name: &'static str, index: u8) -> Row {
    let doc = "an argument of the probe, as a 64-bit integer with sign";
    row(name, Status::Supported, doc, Meaning::Argument(index))
}

const fn refused(name: &'static str, doc: &'static str, reason: &'static str) -> Row {
    row(name, Status::Refused(reason), doc, Meaning::None)
}

pub(super) const ROWS: &[Row] = &[
    argument("arg0", 0),
    argument("arg1", 1),
    argument("arg2", 2),
    argument("arg3", 3),
    argument("arg4", 4),
    argument("arg5", 5),
    argument("arg6", 6),
    argument("arg7", 7),
    argument("arg8", 8),
    argument("arg9", 9),
    row(
        "args",
        Status::Supported,
        "the arguments of the probe with their types",
        Meaning::Special(Special::Args),
    ),
    int(
        "cpu",
        IntContext::Cpu,
        INT,
        "the CPU that the thread ran on",
    ),
    text(
        "cwd",
        StrContext::WorkingDirectory,
        "the working directory of the process",
    ),
    int("egid", IntContext::Egid, UINT, "the effective group id"),
    row(
        "epid",
        Status::Supported,
        "the number of the clause, from 1",
        Meaning::Constant(0, UINT),
    ),
    row(
        "errno",
        Status::Emulated("in syscall:::return only, from what the call returned"),
        "the error of the last system call",
        Meaning::Special(Special::Errno),
    ),
    int("euid", IntContext::Euid, UINT, "the effective user id"),
    text(
        "execname",
        StrContext::ThreadName,
        "the name of the thread, at first that of its program",
    ),
    int("gid", IntContext::Gid, UINT, "the real group id"),
    int("id", IntContext::ProbeId, UINT, "the number of the probe"),
    row(
        "ipl",
        Status::Emulated("always 0: a traced thread handles no interrupt"),
        "the interrupt priority level",
        Meaning::Constant(0, UINT),
    ),
    int("pgid", IntContext::Pgid, INT, "the process group"),
    int("pid", IntContext::Pid, INT, "the process id"),
    int("ppid", IntContext::Ppid, INT, "the parent's process id"),
    text(
        "probefunc",
        StrContext::Function,
        "the function that holds the probe",
    ),
    text(
        "probemod",
        StrContext::Module,
        "the file that holds the probe",
    ),
    text("probename", StrContext::ProbeName, "the probe's name"),
    text(
        "probeprov",
        StrContext::Instance,
        "the probe's provider with the process id",
    ),
    int("sid", IntContext::Sid, INT, "the session"),
    int("tid", IntContext::Tid, INT, "the thread id"),
    int(
        "timestamp",
        IntContext::Timestamp,
        UINT64,
        "a time that only grows, ns",
    ),
    row(
        "ucaller",
        Status::Emulated("by frame pointers: wrong or 0 in code compiled without them"),
        "the address that the current function returns to",
        Meaning::Int(IntContext::Caller, UINT64),
    ),
    int("uid", IntContext::Uid, UINT, "the real user id"),
    row(
        "vtimestamp",
        Status::Emulated("the thread's CPU clock, in user and kernel mode"),
        "the CPU time of the thread, ns",
        Meaning::Int(IntContext::CpuTime, UINT64),
    ),
    int(
        "walltimestamp",
        IntContext::WallTime,
        INT64,
        "the time since 1970, ns",
    ),
    row(
        "NULL",
        Status::Supported,
        "the null pointer",
        Meaning::Constant(0, INT),
    ),
    refused(
        "caller",
        "the kernel function that called",
        "it is an address of the kernel",
    ),
    refused("curcpu", "the CPU's structure", KERNEL),
    refused("curlwpsinfo", "the thread's state", KERNEL),
    refused(
        "curpsinfo",
        "the process's state",
        "it is a structure of the kernel; pid, ppid, uid, execname are there",
    ),
    refused("curthread", "the thread's structure", KERNEL),
    refused("fds", "the open files", KERNEL),
    refused("root", "the root directory", "it is the kernel's"),
    refused(
        "stackdepth",
        "the depth of the kernel's stack",
        "ptrace does not show the kernel's stack",
    ),
    refused(
        "uregs",
        "the registers",
        "the registers are not captured with an event",
    ),
    refused(
        "ustackdepth",
        "the depth of the thread's stack",
        "the stack is unwound only where it is printed or a key",
    ),
    refused("zonename", "the zone", "Linux has no zones"),
];
