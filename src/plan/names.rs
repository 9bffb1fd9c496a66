//! Which functions are wanted, by the names of their files and their own.

use super::{Capture, Plan, Point, Request, Test, Texts};
use crate::probe::glob::Glob;

/// The markers with a file, a function and a line as their arguments.
pub const OF_FUNCTIONS: [&str; 3] = ["function__entry", "function__return", "line"];

/// The arguments of those that are names.
const NAMES: u64 = 0b11;

/// Globs, each for a function's name, or for its file's, with or without the folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// At least one of them matches; without any, all functions are wanted.
    pub only: Vec<Glob>,
    /// None of them matches.
    pub skip: Vec<Glob>,
}

impl Names {
    /// Whether a function is wanted.
    pub fn want(&self, file: &[u8], function: &[u8]) -> bool {
        let (file, function) = (
            String::from_utf8_lossy(file),
            String::from_utf8_lossy(function),
        );
        let base = file.rsplit('/').next().unwrap_or(&file);
        let means =
            |glob: &Glob| glob.matches(&function) || glob.matches(&file) || glob.matches(base);
        (self.only.is_empty() || self.only.iter().any(means)) && !self.skip.iter().any(means)
    }

    /// Whether everything is wanted.
    pub fn is_empty(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty()
    }
}

impl Plan {
    /// Asks for these functions only, wherever a marker of a function is asked for. Other markers are as they were.
    pub fn restrict(&mut self, names: &Names) {
        if names.is_empty() {
            return;
        }
        for request in &mut self.requests {
            let concerned = |marker| match &request.point {
                Point::Marker(point) => point.may_match("python", marker),
                _ => false,
            };
            if OF_FUNCTIONS.into_iter().any(concerned) {
                add(request, names);
            }
        }
    }
}

fn add(request: &mut Request, names: &Names) {
    let own = request.test.take();
    let all = own.into_iter().chain([Test::Names(names.clone())]);
    request.test = Some(Test::All(all.collect()));
    request.capture.join(&Capture {
        numbers: NAMES,
        texts: Texts {
            arguments: NAMES,
            limit: request.capture.texts.limit.max(LONGEST),
        },
        ..Capture::default()
    });
}

/// So many bytes of a path count at least (PATH_MAX).
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str], skip: &[&str]) -> Names {
        let globs = |texts: &[&str]| texts.iter().map(|it| Glob::parse(it).unwrap()).collect();
        Names {
            only: globs(only),
            skip: globs(skip),
        }
    }

    #[test]
    fn a_glob_is_for_a_function_or_a_file() {
        let (file, function) = (
            b"/usr/lib/python3.13/json/decoder.py".as_slice(),
            b"scan".as_slice(),
        );
        let table: [(&[&str], &[&str], bool); 9] = [
            (&[], &[], true),
            (&["scan"], &[], true),
            (&["decoder.py"], &[], true),
            (&["*/json/*"], &[], true),
            (&["json"], &[], false),
            (&["x", "s*"], &[], true),
            (&[], &["*.py"], false),
            (&["scan"], &["*/json/*"], false),
            (&[], &["other"], true),
        ];
        for (only, skip, expected) in table {
            assert_eq!(
                names(only, skip).want(file, function),
                expected,
                "{only:?} {skip:?}"
            );
        }
        assert!(!names(&["a"], &[]).want(b"", b"\xff"));
    }
}
