//! Options ("Options and Tunables" in the Dynamic Tracing Guide).

use super::{Kind, Meaning, Row, Setting, Status};

const NO_BUFFERS: &str = "accepted; there are no buffers that could overflow, nothing is dropped";
const NO_RATE: &str = "accepted; output appears at once";
const NO_MEANING: &str = "accepted; it means nothing here";

const fn row(name: &'static str, setting: Setting, doc: &'static str) -> Row {
    Row {
        name,
        kind: Kind::Option,
        status: Status::Supported,
        doc,
        meaning: Meaning::Option(setting),
    }
}

const fn ignored(
    name: &'static str,
    setting: Setting,
    how: &'static str,
    doc: &'static str,
) -> Row {
    Row {
        status: Status::Emulated(how),
        ..row(name, setting, doc)
    }
}

const fn refused(name: &'static str, doc: &'static str, reason: &'static str) -> Row {
    Row {
        name,
        kind: Kind::Option,
        status: Status::Refused(reason),
        doc,
        meaning: Meaning::None,
    }
}

const SORTING: &str = "aggregations are printed by ascending value";

pub(super) const ROWS: &[Row] = &[
    row(
        "defaultargs",
        Setting::DefaultArguments,
        "missing macro arguments are 0 or \"\"",
    ),
    row(
        "destructive",
        Setting::Destructive,
        "system(), raise(), stop() and chill() are allowed",
    ),
    row(
        "flowindent",
        Setting::Flow,
        "output is indented by entry and return",
    ),
    row(
        "jstackframes",
        Setting::PythonFrames,
        "how many frames jstack() shows, 50",
    ),
    row(
        "quiet",
        Setting::Quiet,
        "only what the program prints is printed",
    ),
    row(
        "strsize",
        Setting::StringSize,
        "the size of a string with its NUL, bytes, 256",
    ),
    row(
        "ustackframes",
        Setting::NativeFrames,
        "how many frames ustack() shows, 100",
    ),
    row(
        "zdefs",
        Setting::Unmatched,
        "probes that do not exist are no error",
    ),
    ignored(
        "aggrate",
        Setting::Number,
        NO_RATE,
        "how often aggregations are read",
    ),
    ignored(
        "aggsize",
        Setting::Size,
        NO_BUFFERS,
        "the size of the aggregation buffer",
    ),
    ignored(
        "bufpolicy",
        Setting::Ignored,
        NO_BUFFERS,
        "what happens when a buffer is full",
    ),
    ignored(
        "bufresize",
        Setting::Ignored,
        NO_BUFFERS,
        "how buffers are made smaller",
    ),
    ignored(
        "bufsize",
        Setting::Size,
        NO_BUFFERS,
        "the size of the principal buffer",
    ),
    ignored(
        "cleanrate",
        Setting::Number,
        NO_RATE,
        "how often speculations are cleaned",
    ),
    ignored(
        "cpp",
        Setting::Ignored,
        NO_MEANING,
        "the preprocessor is run; `-C` does that",
    ),
    ignored(
        "cppargs",
        Setting::Ignored,
        NO_MEANING,
        "the preprocessor's arguments",
    ),
    ignored("cpppath", Setting::Ignored, NO_MEANING, "the preprocessor"),
    ignored(
        "dynvarsize",
        Setting::Size,
        NO_BUFFERS,
        "the space of associative arrays",
    ),
    ignored(
        "evaltime",
        Setting::Ignored,
        NO_MEANING,
        "when a command's probes are looked up",
    ),
    ignored(
        "jstackstrsize",
        Setting::Size,
        NO_BUFFERS,
        "the space of a stack's names",
    ),
    ignored(
        "lockmem",
        Setting::Ignored,
        NO_MEANING,
        "how much memory may be locked",
    ),
    ignored(
        "maxframes",
        Setting::Number,
        NO_MEANING,
        "the most frames of a stack",
    ),
    ignored(
        "nspec",
        Setting::Number,
        NO_BUFFERS,
        "how many speculations there may be",
    ),
    ignored(
        "nolibs",
        Setting::Ignored,
        NO_MEANING,
        "D libraries are not read",
    ),
    ignored(
        "pgmax",
        Setting::Number,
        NO_MEANING,
        "how many processes are kept in view",
    ),
    ignored(
        "preallocate",
        Setting::Size,
        NO_BUFFERS,
        "memory that is set aside",
    ),
    ignored(
        "specsize",
        Setting::Size,
        NO_BUFFERS,
        "the size of a speculation",
    ),
    ignored(
        "stackframes",
        Setting::Number,
        NO_MEANING,
        "how many frames stack() shows",
    ),
    ignored(
        "stackindent",
        Setting::Number,
        NO_MEANING,
        "how far stacks are indented",
    ),
    ignored(
        "statusrate",
        Setting::Number,
        NO_RATE,
        "how often the kernel is asked",
    ),
    ignored(
        "stdc",
        Setting::Ignored,
        NO_MEANING,
        "the preprocessor's dialect",
    ),
    ignored(
        "switchrate",
        Setting::Number,
        NO_RATE,
        "how often buffers are read",
    ),
    ignored(
        "syslibdir",
        Setting::Ignored,
        NO_MEANING,
        "where D libraries are",
    ),
    ignored(
        "libdir",
        Setting::Ignored,
        NO_MEANING,
        "where more D libraries are",
    ),
    ignored(
        "temporal",
        Setting::Ignored,
        NO_MEANING,
        "output is sorted by time, which it always is",
    ),
    ignored(
        "verbose",
        Setting::Ignored,
        NO_MEANING,
        "the compiled program is shown",
    ),
    ignored("version", Setting::Ignored, NO_MEANING, "the version of D"),
    refused("aggsortkey", "aggregations are sorted by key", SORTING),
    refused("aggsortkeypos", "by which key", SORTING),
    refused("aggsortpos", "by which aggregation", SORTING),
    refused("aggsortrev", "the largest first", SORTING),
    refused(
        "aggpercpu",
        "aggregations by CPU",
        "one tracer sees all CPUs",
    ),
    refused(
        "cpu",
        "only on one CPU",
        "ptrace traces processes, not CPUs",
    ),
    refused(
        "grabanon",
        "takes over an anonymous tracing",
        "it needs the kernel",
    ),
    refused(
        "rawbytes",
        "memory is always dumped raw",
        "memory dumps are not supported",
    ),
    refused(
        "quietresize",
        "no message when buffers are made smaller",
        "there are no such buffers",
    ),
    refused(
        "noresolve",
        "user symbols are not looked up",
        "it is not supported",
    ),
];
