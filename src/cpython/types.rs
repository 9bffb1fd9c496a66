//! The addresses that tell what an object is: those of CPython's exported types and singletons.

use thiserror::Error;

use super::symbols::SymbolSource;

/// Run-time addresses of the built-in types and of the three singletons, in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types {
    /// `PyUnicode_Type`.
    pub unicode: u64,
    /// `PyLong_Type`.
    pub long: u64,
    /// `PyFloat_Type`.
    pub float: u64,
    /// `PyBytes_Type`.
    pub bytes: u64,
    /// `PyTuple_Type`.
    pub tuple: u64,
    /// `PyList_Type`.
    pub list: u64,
    /// `PyDict_Type`.
    pub dict: u64,
    /// `_Py_NoneStruct`.
    pub none: u64,
    /// `_Py_TrueStruct`.
    pub r#true: u64,
    /// `_Py_FalseStruct`.
    pub r#false: u64,
}

/// A symbol that every CPython exports is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this build does not export {0}, so that its objects cannot be told apart")]
pub struct MissingSymbol(pub &'static str);

impl Types {
    /// Looks all of them up, at run-time addresses.
    ///
    /// `symbols` should ask the executable before libpython, as the dynamic linker does: a program that links
    /// libpython and names one of these objects may hold the only copy in use (a copy relocation, see `ld(1)`).
    ///
    /// # Errors
    /// [`MissingSymbol`] names the first that is missing.
    pub fn find(symbols: &dyn SymbolSource) -> Result<Types, MissingSymbol> {
        let find = |name| symbols.symbol(name).ok_or(MissingSymbol(name));
        Ok(Types {
            unicode: find("PyUnicode_Type")?,
            long: find("PyLong_Type")?,
            float: find("PyFloat_Type")?,
            bytes: find("PyBytes_Type")?,
            tuple: find("PyTuple_Type")?,
            list: find("PyList_Type")?,
            dict: find("PyDict_Type")?,
            none: find("_Py_NoneStruct")?,
            r#true: find("_Py_TrueStruct")?,
            r#false: find("_Py_FalseStruct")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_one_is_named() {
        let all = |name: &str| Some(0x1000 + name.len() as u64);
        let types = Types::find(&all).unwrap();
        assert_eq!((types.unicode, types.r#false), (0x100e, 0x100f));
        let without = |name: &str| (name != "PyFloat_Type").then_some(0x1000_u64);
        assert_eq!(Types::find(&without), Err(MissingSymbol("PyFloat_Type")));
    }
}
