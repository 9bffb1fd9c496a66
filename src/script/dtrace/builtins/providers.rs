//! Providers. Any other name is taken for that of static markers, with a process id behind it.

use super::{Kind, Meaning, Provider, Row, Status};

const KERNEL: &str = "its probes are in the kernel, which ptrace does not reach";

const fn row(name: &'static str, status: Status, doc: &'static str, provider: Provider) -> Row {
    Row {
        name,
        kind: Kind::Provider,
        status,
        doc,
        meaning: Meaning::Provider(provider),
    }
}

const fn kernel(name: &'static str, doc: &'static str) -> Row {
    row(name, Status::Refused(KERNEL), doc, Provider::Kernel)
}

pub(super) const ROWS: &[Row] = &[
    row(
        "dtrace",
        Status::Supported,
        "BEGIN, END, ERROR",
        Provider::Dtrace,
    ),
    row(
        "pid",
        Status::Emulated("breakpoints at the entry and return of functions that have symbols"),
        "functions of a process",
        Provider::Pid,
    ),
    row(
        "proc",
        Status::Emulated("from what ptrace reports of the traced processes"),
        "processes, threads, signals",
        Provider::Process,
    ),
    row(
        "profile",
        Status::Emulated("timers of the tracer: no thread is interrupted, no CPU is sampled"),
        "tick-N and profile-N",
        Provider::Profile,
    ),
    row(
        "syscall",
        Status::Emulated("system calls of the traced processes, by PTRACE_SYSCALL"),
        "system calls",
        Provider::Syscall,
    ),
    kernel("cpc", "CPU performance counters"),
    kernel("fbt", "kernel functions"),
    kernel("fpuinfo", "floating-point emulation"),
    kernel("io", "disk input and output"),
    kernel("ip", "IP packets"),
    kernel("iscsi", "iSCSI"),
    kernel("kernel", "kernel probes"),
    kernel("lockstat", "kernel locks"),
    kernel("mib", "network counters"),
    kernel("nfsv3", "NFS version 3"),
    kernel("nfsv4", "NFS version 4"),
    kernel("perf", "performance counters"),
    kernel("plockstat", "locks of a process, by Solaris's libc"),
    kernel("rawfbt", "kernel functions"),
    kernel("rawtp", "kernel tracepoints"),
    kernel("sched", "scheduling"),
    kernel("sdt", "kernel markers"),
    kernel("sysevent", "system events"),
    kernel("sysinfo", "kernel statistics"),
    kernel("tcp", "TCP"),
    kernel("udp", "UDP"),
    kernel("vminfo", "memory statistics"),
    kernel("xpv", "Xen"),
];
