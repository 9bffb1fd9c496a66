//! What notes do not say: the names and types of the arguments of the markers
//! that CPython documents (`Include/pydtrace.d`, "Instrumenting CPython with
//! DTrace and SystemTap"). One row adds a marker.

use std::borrow::Cow;

/// The type of a marker's argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgType {
    /// The address of a NUL-terminated string.
    CString,
    /// A C `int`.
    Int,
    /// A C `long`.
    Long,
    /// The address of a Python object.
    Object,
    /// An integer of the size and sign that the argument's spec states.
    Integer,
}

impl ArgType {
    /// The type as C writes it.
    pub fn c_name(self) -> &'static str {
        match self {
            ArgType::CString => "char *",
            ArgType::Int => "int",
            ArgType::Long => "long",
            ArgType::Object => "PyObject *",
            ArgType::Integer => "integer",
        }
    }
}

/// An argument of a known marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name in the documentation.
    pub name: &'static str,
    /// Its type.
    pub kind: ArgType,
}

/// A marker whose arguments have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownMarker {
    /// The provider, as the note has it.
    pub provider: &'static str,
    /// The name, as the note has it.
    pub name: &'static str,
    /// Its arguments in order.
    pub arguments: &'static [Argument],
}

const fn arg(name: &'static str, kind: ArgType) -> Argument {
    Argument { name, kind }
}

const fn python(name: &'static str, arguments: &'static [Argument]) -> KnownMarker {
    KnownMarker {
        provider: "python",
        name,
        arguments,
    }
}

const CODE_PLACE: &[Argument] = &[
    arg("filename", ArgType::CString),
    arg("funcname", ArgType::CString),
    arg("lineno", ArgType::Int),
];

/// The known markers.
pub const KNOWN_MARKERS: &[KnownMarker] = &[
    python("function__entry", CODE_PLACE),
    python("function__return", CODE_PLACE),
    python("line", CODE_PLACE),
    python("gc__start", &[arg("generation", ArgType::Int)]),
    python("gc__done", &[arg("collected", ArgType::Long)]),
    python(
        "import__find__load__start",
        &[arg("modulename", ArgType::CString)],
    ),
    python(
        "import__find__load__done",
        &[
            arg("modulename", ArgType::CString),
            arg("found", ArgType::Int),
        ],
    ),
    python(
        "audit",
        &[arg("event", ArgType::CString), arg("args", ArgType::Object)],
    ),
];

/// The known marker of this provider and name (written with `__`, as the note has it).
pub fn known(provider: &str, name: &str) -> Option<&'static KnownMarker> {
    KNOWN_MARKERS
        .iter()
        .find(|marker| marker.provider == provider && marker.name == name)
}

/// The names and types of the first `count` arguments of a marker: those that are known, then `arg0`, `arg1`, ... by
/// position, which are plain integers.
pub fn argument_names(
    provider: &str,
    name: &str,
    count: usize,
) -> Vec<(Cow<'static, str>, ArgType)> {
    let known = known(provider, name).map_or(&[][..], |marker| marker.arguments);
    (0..count)
        .map(|index| match known.get(index) {
            Some(argument) => (Cow::Borrowed(argument.name), argument.kind),
            None => (Cow::Owned(format!("arg{index}")), ArgType::Integer),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(name: &str, count: usize) -> String {
        let names = argument_names("python", name, count);
        let texts: Vec<String> = names
            .iter()
            .map(|(name, kind)| format!("{} {name}", kind.c_name()))
            .collect();
        texts.join(", ")
    }

    #[test]
    fn names_and_types_are_the_documented_ones() {
        let code = "char * filename, char * funcname, int lineno";
        assert_eq!(described("function__entry", 3), code);
        assert_eq!(described("function__return", 3), code);
        assert_eq!(described("line", 3), code);
        assert_eq!(described("gc__start", 1), "int generation");
        assert_eq!(described("gc__done", 1), "long collected");
        assert_eq!(
            described("import__find__load__start", 1),
            "char * modulename"
        );
        assert_eq!(
            described("import__find__load__done", 2),
            "char * modulename, int found"
        );
        assert_eq!(described("audit", 2), "char * event, PyObject * args");
    }

    #[test]
    fn unknown_arguments_are_numbered_integers() {
        assert_eq!(
            described("cfunction__entry", 2),
            "integer arg0, integer arg1"
        );
        assert_eq!(described("gc__start", 2), "int generation, integer arg1");
        assert_eq!(described("function__entry", 1), "char * filename");
        assert_eq!(argument_names("ruby", "line", 1)[0].0, "arg0");
    }
}
