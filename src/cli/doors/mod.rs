//! The names by which this program may be called: as `dtrace` and as `stap` it takes that tool's flags, prints what that
//! tool prints and exits as that tool exits.

pub mod dtrace;
pub mod matched;
pub mod probe_list;
pub mod stap;
pub mod survey;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::job::Manner;

/// Whose ways the name that this program was called by asks for.
pub fn manner(name: Option<&OsStr>) -> Manner {
    match name
        .and_then(|name| Path::new(name).file_name())
        .and_then(OsStr::to_str)
    {
        Some("dtrace") => Manner::Dtrace,
        Some("stap") => Manner::Stap,
        _ => Manner::Own,
    }
}

/// A command as the tools' `-c` takes it, in words.
pub(super) fn words(command: &str) -> Result<Vec<OsString>, String> {
    match shlex::split(command) {
        None => Err(format!(
            "the command has a quote without its end: {command}"
        )),
        Some(words) if words.is_empty() => Err("the command is empty".to_owned()),
        Some(words) => Ok(words.into_iter().map(OsString::from).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_alone_decides() {
        let table = [
            ("dtrace", Manner::Dtrace),
            ("/usr/sbin/dtrace", Manner::Dtrace),
            ("./stap", Manner::Stap),
            ("ptpytrace", Manner::Own),
            ("mystap", Manner::Own),
            ("dtrace/x", Manner::Own),
        ];
        for (name, expected) in table {
            assert_eq!(manner(Some(OsStr::new(name))), expected, "{name}");
        }
        assert_eq!(manner(None), Manner::Own);
    }
}
