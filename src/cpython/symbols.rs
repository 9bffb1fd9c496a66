//! What the names of a build's exported symbols tell about its version, when nothing says it outright.

/// Where symbols are looked up: the dynamic symbols of one ELF file, at the addresses in that file or in a process.
pub trait SymbolSource {
    /// The address of a symbol that this image defines, or `None`. Symbols that it only refers to do not count.
    fn symbol(&self, name: &str) -> Option<u64>;
}

impl<F: Fn(&str) -> Option<u64>> SymbolSource for F {
    fn symbol(&self, name: &str) -> Option<u64> {
        self(name)
    }
}

/// One row a version, the newest first: the first row with a symbol that is there names the version.
///
/// Each symbol is a function of the documented C API, marked there as added in that version ("What's New", "C API
/// Changes"), and one that no earlier version exported. From 3.11 on `Py_Version` is exported and these rows are only
/// needed for a build that hides it.
const ADDED: &[(u8, u8, &str)] = &[
    (3, 15, "PyBytesWriter_Create"),
    (3, 14, "PyUnicodeWriter_Create"),
    (3, 13, "PyDict_GetItemRef"),
    (3, 12, "PyErr_GetRaisedException"),
    (3, 11, "PyErr_GetHandledException"),
    (3, 10, "PyIter_Send"),
    (3, 9, "PyFrame_GetCode"),
    (3, 8, "PySys_AddAuditHook"),
    (3, 7, "PyThread_tss_create"),
    (3, 6, "PyOS_FSPath"),
    (2, 7, "PyInt_FromLong"),
];

/// The major and minor version that the symbols' names tell.
pub(super) fn version_by_additions(symbols: &dyn SymbolSource) -> Option<(u8, u8)> {
    ADDED
        .iter()
        .find(|(_, _, name)| symbols.symbol(name).is_some())
        .map(|(major, minor, _)| (*major, *minor))
}

/// Exported only by builds with `--disable-gil` (3.13 and later): drops a reference owned by another thread.
const FREE_THREADED: &str = "_Py_DecRefShared";
/// Exported only by builds with `--with-pydebug`: reports a negative reference count.
const DEBUG: &str = "_Py_NegativeRefcount";
/// Exported only by builds with `--with-trace-refs` (before 3.8 by every debug build): lists all objects.
const TRACE_REFS: &str = "_Py_PrintReferences";

/// The kind of build that the symbols tell: free-threaded, debug, with traced references.
pub(super) fn kind_of_build(symbols: &dyn SymbolSource) -> (bool, bool, bool) {
    let has = |name| symbols.symbol(name).is_some();
    (has(FREE_THREADED), has(DEBUG), has(TRACE_REFS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_symbol_decides() {
        let only = |names: &'static [&'static str]| {
            move |name: &str| names.contains(&name).then_some(0x1000_u64)
        };
        let some = only(&["PyOS_FSPath", "PyThread_tss_create", "PySys_AddAuditHook"]);
        assert_eq!(version_by_additions(&some), Some((3, 8)));
        assert_eq!(
            version_by_additions(&only(&["PyInt_FromLong"])),
            Some((2, 7))
        );
        assert_eq!(version_by_additions(&only(&["malloc"])), None);
        assert_eq!(
            kind_of_build(&only(&["_Py_DecRefShared", "_Py_NegativeRefcount"])),
            (true, true, false)
        );
    }

    #[test]
    fn rows_go_from_newest_to_oldest() {
        assert!(ADDED.windows(2).all(|pair| match pair {
            [newer, older] => (newer.0, newer.1) > (older.0, older.1),
            _ => false,
        }));
    }
}
