//! Functions and actions ("Actions and Subroutines", "Aggregations", "Speculative Tracing" in the Dynamic Tracing
//! Guide).

use super::Parameter::{Int, Str};
use super::{Kind, Meaning, Parameter, Row, Special, Status, Summary};
use crate::script::builtin::{IntFunction, StrFunction};
use crate::script::builtins as run;
use crate::script::dtrace::types::{INT, INT64, IntType, UINT, UINT64, USHORT};

const KERNEL: &str = "it needs the kernel";
const STRUCTURES: &str = "there is no memory to copy to: D's scratch space is not emulated";
const FILES: &str = "output goes to one place; `-o FILE` says where";

const fn row(kind: Kind, name: &'static str, doc: &'static str, special: Special) -> Row {
    Row {
        name,
        kind,
        status: Status::Supported,
        doc,
        meaning: Meaning::Special(special),
    }
}

const fn function(name: &'static str, special: Special, doc: &'static str) -> Row {
    row(Kind::Function, name, doc, special)
}

const fn action(name: &'static str, special: Special, doc: &'static str) -> Row {
    row(Kind::Action, name, doc, special)
}

const fn emulated(row: Row, how: &'static str) -> Row {
    Row {
        status: Status::Emulated(how),
        ..row
    }
}

const fn text(
    name: &'static str,
    function: &'static StrFunction,
    parameters: &'static [Parameter],
    required: usize,
    doc: &'static str,
) -> Row {
    Row {
        name,
        kind: Kind::Function,
        status: Status::Supported,
        doc,
        meaning: Meaning::StrCall(function, parameters, required),
    }
}

const fn number(
    name: &'static str,
    function: &'static IntFunction,
    parameters: &'static [Parameter],
    required: usize,
    ty: IntType,
    doc: &'static str,
) -> Row {
    Row {
        name,
        kind: Kind::Function,
        status: Status::Supported,
        doc,
        meaning: Meaning::IntCall(function, parameters, required, ty),
    }
}

const fn refused(kind: Kind, name: &'static str, doc: &'static str, reason: &'static str) -> Row {
    Row {
        name,
        kind,
        status: Status::Refused(reason),
        doc,
        meaning: Meaning::None,
    }
}

const fn no_function(name: &'static str, doc: &'static str, reason: &'static str) -> Row {
    refused(Kind::Function, name, doc, reason)
}

const fn no_action(name: &'static str, doc: &'static str, reason: &'static str) -> Row {
    refused(Kind::Action, name, doc, reason)
}

const SYMBOL: &str = "the address in hexadecimal: symbols are not looked up";

pub(super) static ROWS: &[Row] = &[
    text(
        "basename",
        &run::BASENAME,
        &[Str],
        1,
        "what follows the last `/` of a path",
    ),
    text(
        "cleanpath",
        &run::CLEANPATH,
        &[Str],
        1,
        "a path without `.`, `..` and doubled `/`",
    ),
    function(
        "copyin",
        Special::Copyin,
        "memory of the process, to be looked at through a pointer",
    ),
    function(
        "copyinstr",
        Special::Copyinstr,
        "a string in the memory of the process",
    ),
    text(
        "dirname",
        &run::DIRNAME,
        &[Str],
        1,
        "what precedes the last `/` of a path",
    ),
    number(
        "index",
        &run::INDEX,
        &[Str, Str, Int],
        2,
        INT,
        "where a string is in another, or -1",
    ),
    function("lltostr", Special::Lltostr, "an integer as a string"),
    number("rand", &run::RAND, &[], 0, INT, "a pseudo-random number"),
    number(
        "rindex",
        &run::RINDEX,
        &[Str, Str, Int],
        2,
        INT,
        "where a string is last in another, or -1",
    ),
    function(
        "speculation",
        Special::Speculation,
        "the number of a new speculative buffer",
    ),
    text(
        "strchr",
        &run::STRCHR,
        &[Str, Int],
        2,
        "a string from the first place of a character",
    ),
    function(
        "strjoin",
        Special::Strjoin,
        "two strings, one behind the other",
    ),
    number(
        "strlen",
        &run::STRLEN,
        &[Str],
        1,
        UINT64,
        "the length of a string, bytes",
    ),
    text(
        "strrchr",
        &run::STRRCHR,
        &[Str, Int],
        2,
        "a string from the last place of a character",
    ),
    text(
        "strstr",
        &run::STRSTR,
        &[Str, Str],
        2,
        "a string from the first place of another",
    ),
    text(
        "strtok",
        &run::STRTOK,
        &[Str, Str],
        2,
        "the next word of a string",
    ),
    number(
        "strtoll",
        &run::STRTOLL,
        &[Str, Int],
        1,
        INT64,
        "the integer that a string begins with",
    ),
    text(
        "substr",
        &run::SUBSTR,
        &[Str, Int, Int],
        2,
        "a part of a string",
    ),
    text(
        "tolower",
        &run::TOLOWER,
        &[Str],
        1,
        "a string in lower case",
    ),
    text(
        "toupper",
        &run::TOUPPER,
        &[Str],
        1,
        "a string in upper case",
    ),
    emulated(
        function("func", Special::Symbol, "the function of an address"),
        SYMBOL,
    ),
    emulated(
        function("uaddr", Special::Symbol, "an address as a symbol"),
        SYMBOL,
    ),
    emulated(
        function(
            "usym",
            Special::Symbol,
            "the function of an address of the process",
        ),
        SYMBOL,
    ),
    emulated(
        function(
            "jstack",
            Special::JStack,
            "the call stack with the frames of the language",
        ),
        "the Python call stack, from the function markers seen since tracing began",
    ),
    emulated(
        function("ustack", Special::UStack, "the call stack"),
        "the Python call stack, as jstack() shows it: native frames are not unwound",
    ),
    number(
        "htonl",
        &run::HTONL,
        &[Int],
        1,
        UINT,
        "32 bits in network order",
    ),
    number(
        "htonll",
        &run::HTONLL,
        &[Int],
        1,
        UINT64,
        "64 bits in network order",
    ),
    number(
        "htons",
        &run::HTONS,
        &[Int],
        1,
        USHORT,
        "16 bits in network order",
    ),
    number(
        "ntohl",
        &run::HTONL,
        &[Int],
        1,
        UINT,
        "32 bits in host order",
    ),
    number(
        "ntohll",
        &run::HTONLL,
        &[Int],
        1,
        UINT64,
        "64 bits in host order",
    ),
    number(
        "ntohs",
        &run::HTONS,
        &[Int],
        1,
        USHORT,
        "16 bits in host order",
    ),
    text(
        "inet_ntoa",
        &run::INET_NTOA,
        &[Int],
        1,
        "the IPv4 address at an address, as a string",
    ),
    no_function("alloca", "scratch memory", STRUCTURES),
    no_function("bcopy", "copies scratch memory", STRUCTURES),
    no_function(
        "copyinto",
        "memory of the process, into scratch memory",
        STRUCTURES,
    ),
    no_function("curpsinfo", "the process's state", KERNEL),
    no_function("d_path", "the path of a kernel's file", KERNEL),
    no_function("ddi_pathname", "the path of a device", KERNEL),
    no_function("getmajor", "the major number of a device", KERNEL),
    no_function("getminor", "the minor number of a device", KERNEL),
    no_function(
        "inet_ntoa6",
        "an IPv6 address as a string",
        "network addresses are not supported",
    ),
    no_function(
        "inet_ntop",
        "a network address as a string",
        "network addresses are not supported",
    ),
    no_function(
        "link_ntop",
        "a link address as a string",
        "network addresses are not supported",
    ),
    no_function("mod", "the kernel module of an address", KERNEL),
    no_function("msgdsize", "the size of a kernel message", KERNEL),
    no_function("msgsize", "the size of a kernel message", KERNEL),
    no_function("mutex_owned", "whether a kernel lock is held", KERNEL),
    no_function("mutex_owner", "who holds a kernel lock", KERNEL),
    no_function("mutex_type_adaptive", "the kind of a kernel lock", KERNEL),
    no_function("mutex_type_spin", "the kind of a kernel lock", KERNEL),
    no_function(
        "progenyof",
        "whether a process descends from another",
        "the kernel's process tree is not captured",
    ),
    no_function("rw_iswriter", "who holds a kernel lock", KERNEL),
    no_function("rw_read_held", "who holds a kernel lock", KERNEL),
    no_function("rw_write_held", "who holds a kernel lock", KERNEL),
    no_function(
        "stack",
        "the kernel's call stack",
        "kernel stacks need the kernel; ustack() and jstack() are there",
    ),
    no_function("sym", "a kernel symbol", KERNEL),
    no_function(
        "umod",
        "the file of an address of the process",
        "addresses are not looked up; a probe has probemod",
    ),
    no_function(
        "xlate",
        "a structure in another form",
        "structures are not supported",
    ),
    Row {
        name: "chill",
        kind: Kind::Action,
        status: Status::Emulated("half a second at most"),
        doc: "holds the process for so many ns (destructive)",
        meaning: Meaning::Act(&run::CHILL, &[Int]),
    },
    action(
        "clear",
        Special::Clear,
        "sets the values of an aggregation to 0",
    ),
    action("commit", Special::Commit, "prints a speculative buffer"),
    action("denormalize", Special::Denormalize, "undoes normalize()"),
    action("discard", Special::Discard, "forgets a speculative buffer"),
    action("exit", Special::Exit, "ends tracing"),
    action(
        "normalize",
        Special::Normalize,
        "shows an aggregation's values divided by a number",
    ),
    action("printa", Special::Printa, "prints aggregations"),
    action("printf", Special::Printf, "prints as printf(3) does"),
    Row {
        name: "raise",
        kind: Kind::Action,
        status: Status::Supported,
        doc: "sends the process a signal (destructive)",
        meaning: Meaning::Act(&run::RAISE, &[Int]),
    },
    emulated(
        action("setopt", Special::Setopt, "sets an option while tracing"),
        "those that mean nothing here; `#pragma D option` sets the others",
    ),
    action(
        "speculate",
        Special::Speculate,
        "sends the rest of the clause's output to a buffer",
    ),
    Row {
        name: "stop",
        kind: Kind::Action,
        status: Status::Supported,
        doc: "stops the process (destructive)",
        meaning: Meaning::Act(&run::STOP, &[]),
    },
    action("system", Special::System, "runs a command (destructive)"),
    action("trace", Special::Trace, "prints a value"),
    action(
        "trunc",
        Special::Trunc,
        "keeps only the largest or smallest values of an aggregation",
    ),
    no_action("breakpoint", "stops in the kernel's debugger", KERNEL),
    no_action(
        "copyout",
        "writes memory of the process",
        "the memory of the process is never changed for a script",
    ),
    no_action(
        "copyoutstr",
        "writes a string into the process",
        "the memory of the process is never changed for a script",
    ),
    no_action("freopen", "sends output to another file", FILES),
    no_action("ftruncate", "empties the output file", FILES),
    no_action("panic", "crashes the kernel", KERNEL),
    no_action(
        "print",
        "prints a value with its type",
        "it needs debug information; printf() and trace() are there",
    ),
    no_action("pcap", "writes network packets", KERNEL),
    no_action(
        "tracemem",
        "prints memory",
        "memory dumps are not supported; printf() prints what copyin() reads",
    ),
];

const fn aggregating(name: &'static str, summary: Summary, doc: &'static str) -> Row {
    Row {
        name,
        kind: Kind::Aggregating,
        status: Status::Supported,
        doc,
        meaning: Meaning::Summary(summary),
    }
}

pub(super) const AGGREGATING: &[Row] = &[
    aggregating("count", Summary::Count, "how many"),
    aggregating("sum", Summary::Sum, "the sum"),
    aggregating("min", Summary::Min, "the smallest value"),
    aggregating("max", Summary::Max, "the largest value"),
    aggregating("avg", Summary::Average, "the average"),
    aggregating("stddev", Summary::Deviation, "the standard deviation"),
    aggregating("quantize", Summary::Log, "how often, by powers of two"),
    aggregating("lquantize", Summary::Linear, "how often, by equal steps"),
    aggregating(
        "llquantize",
        Summary::LogLinear,
        "how often, by equal steps within each order of magnitude",
    ),
];
