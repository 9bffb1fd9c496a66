//! Operators, context variables, probe points, limits.

use super::{Does, Kind, Row, Status};

const fn row(
    kind: Kind,
    name: &'static str,
    signature: &'static str,
    status: Status,
    doc: &'static str,
) -> Row {
    Row {
        kind,
        name,
        signature,
        status,
        doc,
        does: Does::Nothing,
    }
}

use Kind::{Limit, Operator, Point};
use Status::Supported;

const fn emulated(how: &'static str) -> Status {
    Status::Emulated(how)
}

const fn refused(why: &'static str) -> Status {
    Status::Refused(why)
}

const KERNEL: Status = Status::Refused("needs the kernel");
const DEBUGINFO: Status =
    Status::Refused("needs debug information of the traced program, which is not read");

/// What is part of the language.
#[rustfmt::skip]
pub static LANGUAGE: &[Row] = &[
    row(Operator, "@count", "@count(s)", Supported, "How many values"),
    row(Operator, "@sum", "@sum(s)", Supported, "Their sum"),
    row(Operator, "@min", "@min(s)", Supported, "The smallest"),
    row(Operator, "@max", "@max(s)", Supported, "The largest"),
    row(Operator, "@avg", "@avg(s)", Supported, "The average, toward 0"),
    row(Operator, "@variance", "@variance(s[, bits])", Supported, "The variance"),
    row(Operator, "@hist_log", "print(@hist_log(s))", emulated("can be printed; its buckets cannot be read one by one"), "A histogram of powers of two"),
    row(Operator, "@hist_linear", "print(@hist_linear(s, low, high, width))", emulated("can be printed; its buckets cannot be read one by one"), "A histogram of equal buckets"),
    row(Operator, "@defined", "@defined($argN)", Supported, "Whether a variable of the probe is there; decided when the script is compiled"),
    row(Operator, "@define", "@define NAME(PARAMETERS) %( BODY %)", Supported, "A macro"),
    row(Operator, "@cast", "@cast(p, \"type\")->member", DEBUGINFO, "What a pointer points to"),
    row(Operator, "@var", "@var(\"name@file\")", DEBUGINFO, "A variable of the program"),
    row(Operator, "@entry", "@entry(expression)", DEBUGINFO, "An expression at the function's entry"),
    row(Operator, "@const", "@const(\"expression\")", refused("needs C"), "A constant of C"),
    row(Operator, "@perf", "@perf(\"counter\")", KERNEL, "A hardware counter"),
    row(Operator, "@kregister", "@kregister(n)", KERNEL, "A register of the kernel"),
    row(Operator, "@uregister", "@uregister(n)", refused("registers are not kept"), "A register of the program"),
    row(Operator, "@kderef", "@kderef(size, address)", KERNEL, "Memory of the kernel"),
    row(Operator, "@uderef", "@uderef(size, address)", refused("read memory by user_long() and its relatives"), "Memory of the program"),
    row(Operator, "$argN", "$arg1", Supported, "An argument of the mark, from 1; of the system call"),
    row(Operator, "$$parms", "$$parms", Supported, "All arguments: $arg1=0x1 $arg2=0x2"),
    row(Operator, "$$vars", "$$vars", Supported, "All arguments: $arg1=0x1 $arg2=0x2"),
    row(Operator, "$$name", "$$name", Supported, "The name of the mark"),
    row(Operator, "$$provider", "$$provider", Supported, "The provider of the mark"),
    row(Operator, "$return", "$return", Supported, "What the function or system call returned"),
    row(Operator, "$syscall", "$syscall", refused("system calls are known by name: probefunc()"), "The number of the system call"),
    row(Operator, "$NAME", "$variable", DEBUGINFO, "A variable of the program"),

    row(Point, "begin", "begin, begin(priority)", Supported, "Before anything is traced"),
    row(Point, "end", "end, end(priority)", Supported, "At the end"),
    row(Point, "error", "error, error(priority)", Supported, "At the end after an error"),
    row(Point, "never", "never", Supported, "Not at all"),
    row(Point, "timer", "timer.s(n), .ms .us .ns .hz .jiffies, .profile, .randomize(n)", emulated("run by the tracer: execname() and pid() are its own"), "Now and then"),
    row(Point, "process", "process, process(\"program\"), process(id), .library(\"file\")", Supported, "In a program; without an argument in that of -c or -x"),
    row(Point, "process.mark", "process(\"p\").mark(\"name\"), .provider(\"p\").mark(\"name\")", Supported, "A static marker"),
    row(Point, "process.begin", "process.begin, .end, .thread.begin, .thread.end", Supported, "A process or thread begins or ends"),
    row(Point, "process.syscall", "process.syscall, process.syscall.return", emulated("the name is probefunc(), the number is not known"), "A system call"),
    row(Point, "process.function", "process(\"p\").function(\"f\"), .call .return .exported", emulated("found by its symbol, without files and lines"), "A function"),
    row(Point, "process.statement", "process(\"p\").statement(\"f@file:line\")", DEBUGINFO, "A line of the program"),
    row(Point, "process.plt", "process(\"p\").plt(\"f\")", refused("probe the function where it is: process(\"library\").function(\"f\")"), "A call through the linkage table"),
    row(Point, "process.insn", "process.insn", refused("single steps are not taken"), "Each instruction"),
    row(Point, "python.function.entry", "python.function.entry", Supported, "A Python function is called: filename, funcname, lineno"),
    row(Point, "python.function.return", "python.function.return", Supported, "A Python function returns: filename, funcname, lineno"),
    row(Point, "python.line", "python.line", Supported, "A line is about to run: filename, funcname, lineno"),
    row(Point, "python.gc.start", "python.gc.start", Supported, "A garbage collection begins: generation"),
    row(Point, "python.gc.done", "python.gc.done", Supported, "It ends: collected"),
    row(Point, "python.import.find_load.start", "python.import.find_load.start", Supported, "A module is looked for and loaded: modulename"),
    row(Point, "python.import.find_load.done", "python.import.find_load.done", Supported, "That has ended: modulename, found"),
    row(Point, "python.audit", "python.audit", Supported, "An audit event: event, arguments"),
    row(Point, "kernel", "kernel.function(…), kernel.trace(…), …", KERNEL, "In the kernel"),
    row(Point, "module", "module(\"m\").function(…)", KERNEL, "In a module of the kernel"),
    row(Point, "syscall", "syscall.NAME", refused("needs the kernel; system calls of a process are process(\"p\").syscall"), "A system call of any process"),
    row(Point, "nd_syscall", "nd_syscall.NAME", refused("needs the kernel; system calls of a process are process(\"p\").syscall"), "A system call of any process"),
    row(Point, "perf", "perf.type(t).config(c)", KERNEL, "A hardware counter"),
    row(Point, "procfs", "procfs(\"name\").read", KERNEL, "A file in /proc"),
    row(Point, "netfilter", "netfilter.…", KERNEL, "Packets"),
    row(Point, "netdev", "netdev.…", KERNEL, "Network devices"),
    row(Point, "scheduler", "scheduler.…", KERNEL, "The scheduler"),
    row(Point, "vfs", "vfs.…", KERNEL, "File systems"),
    row(Point, "vm", "vm.…", KERNEL, "Memory management"),
    row(Point, "ioblock", "ioblock.…", KERNEL, "Block devices"),
    row(Point, "ioscheduler", "ioscheduler.…", KERNEL, "Block devices"),
    row(Point, "tcp", "tcp.…", KERNEL, "TCP"),
    row(Point, "udp", "udp.…", KERNEL, "UDP"),
    row(Point, "socket", "socket.…", KERNEL, "Sockets"),
    row(Point, "signal", "signal.…", KERNEL, "Signals"),
    row(Point, "kprocess", "kprocess.…", refused("needs the kernel; use process.begin and process.end"), "Processes"),
    row(Point, "nfs", "nfs.…", KERNEL, "NFS"),
    row(Point, "softirq", "softirq.…", KERNEL, "Interrupts"),
    row(Point, "irq_handler", "irq_handler.…", KERNEL, "Interrupts"),
    row(Point, "workqueue", "workqueue.…", KERNEL, "Work queues"),
    row(Point, "java", "java(\"class\").…", refused("needs a Java agent"), "Java"),
    row(Point, "python2", "python2.module(\"m\").function(\"f\")", refused("needs SystemTap's Python module; use python.function.entry"), "Python functions by name"),
    row(Point, "python3", "python3.module(\"m\").function(\"f\")", refused("needs SystemTap's Python module; use python.function.entry"), "Python functions by name"),
    row(Point, "input", "input.char", refused("the terminal belongs to the traced program"), "A key is pressed"),

    row(Limit, "MAXSTRINGLEN", "-DMAXSTRINGLEN=4096", emulated("4096 by default, not 128"), "The most bytes of a string"),
    row(Limit, "MAXMAPENTRIES", "-DMAXMAPENTRIES=2048", emulated("16777216 by default, not 2048"), "The most entries of an array"),
    row(Limit, "MAXACTION", "-DMAXACTION=1000", emulated("10000000 by default, not 1000"), "The most statements of a handler"),
    row(Limit, "MAXNESTING", "-DMAXNESTING=10", emulated("200 by default, not 10"), "How deep functions call each other"),
    row(Limit, "MAXERRORS", "-DMAXERRORS=0", Supported, "After so many errors the script ends"),
    row(Limit, "MAXACTION_INTERRUPTIBLE", "-DMAXACTION_INTERRUPTIBLE=N", emulated("as MAXACTION"), "The same in handlers of begin and end"),
    row(Limit, "MAXSKIPPED", "-DMAXSKIPPED=100", emulated("has no effect: no probe is skipped"), "The most probes that may be skipped"),
    row(Limit, "MAXTRYLOCK", "-DMAXTRYLOCK=1000", emulated("has no effect: nothing is locked"), "How often a lock is tried"),
    row(Limit, "MINSTACKSPACE", "-DMINSTACKSPACE=1024", emulated("has no effect"), "The least kernel stack"),
    row(Limit, "MAXUPROBES", "-DMAXUPROBES=N", emulated("has no effect: there is no limit"), "The most probes in programs"),
    row(Limit, "STP_MAXMEMORY", "-DSTP_MAXMEMORY=N", emulated("has no effect"), "The most memory of the module"),
    row(Limit, "STP_OVERLOAD_THRESHOLD", "-DSTP_OVERLOAD_THRESHOLD=N", emulated("has no effect: the program waits"), "How much time probes may take"),
    row(Limit, "STP_OVERLOAD_INTERVAL", "-DSTP_OVERLOAD_INTERVAL=N", emulated("has no effect: the program waits"), "In which time"),
    row(Limit, "STP_NO_OVERLOAD", "-DSTP_NO_OVERLOAD", emulated("has no effect: it is always so"), "Probes may take any time"),
    row(Limit, "STP_NO_BUILDID_CHECK", "-DSTP_NO_BUILDID_CHECK", emulated("has no effect"), "Files are not compared by build id"),
    row(Limit, "STAP_SUPPRESS_TIME_LIMITS_ENABLE", "-DSTAP_SUPPRESS_TIME_LIMITS_ENABLE", emulated("has no effect"), "Allows to suppress limits"),
    row(Limit, "TRYLOCKDELAY", "-DTRYLOCKDELAY=N", emulated("has no effect: nothing is locked"), "The time between two tries"),
];
