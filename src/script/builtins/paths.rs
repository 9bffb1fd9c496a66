//! D's functions for path names. They look at the text alone, never at a file system.

use crate::script::builtin::{Needs, StrFunction};

/// `basename(path)`: the last component, without slashes behind it; of "" it is ".", of slashes "/".
pub static BASENAME: StrFunction = StrFunction {
    name: "basename",
    needs: Needs::NONE,
    run: |call| {
        let path = call.bytes(0);
        call.give(match without_slashes(path) {
            _ if path.is_empty() => b".",
            [] => b"/",
            path => path.rsplit(|it| *it == b'/').next().unwrap_or(path),
        });
        Ok(())
    },
};

/// `dirname(path)`: all before the last component; "." when there is nothing before it, "/" when only slashes are.
pub static DIRNAME: StrFunction = StrFunction {
    name: "dirname",
    needs: Needs::NONE,
    run: |call| {
        let path = call.bytes(0);
        let trimmed = without_slashes(path);
        let last = trimmed.iter().rposition(|it| *it == b'/');
        call.give(match last {
            _ if path.is_empty() => b".",
            _ if trimmed.is_empty() => b"/",
            None => b".",
            Some(last) => match without_slashes(path.get(..last).unwrap_or_default()) {
                [] => b"/",
                path => path,
            },
        });
        Ok(())
    },
};

/// `cleanpath(path)`: without `//`, `/./` and `/x/../`.
pub static CLEANPATH: StrFunction = StrFunction {
    name: "cleanpath",
    needs: Needs::NONE,
    run: |call| {
        let path = call.bytes(0);
        if path.len() > 1 {
            clean(call.result, path);
        } else {
            call.give(path);
        }
        Ok(())
    },
};

/// Without the slashes at the end.
fn without_slashes(path: &[u8]) -> &[u8] {
    let length = path.iter().rposition(|it| *it != b'/');
    path.get(..length.map_or(0, |last| last.saturating_add(1)))
        .unwrap_or_default()
}

/// Adds a cleaned path, which is what is behind the beginning of `out`.
fn clean(out: &mut Vec<u8>, path: &[u8]) {
    let absolute = path.starts_with(b"/");
    let begin = out.len();
    if absolute {
        out.push(b'/');
    }
    let root = out.len();
    // How far `out` goes that no `..` can take away.
    let mut fixed = root;
    for component in path.split(|it| *it == b'/') {
        let up = component == b"..";
        if component.is_empty() || component == b"." || up && absolute && out.len() == root {
            continue;
        }
        if up && out.len() > fixed {
            let last = out.iter().skip(fixed).rposition(|it| *it == b'/');
            out.truncate(last.map_or(fixed, |last| last.saturating_add(fixed)));
            continue;
        }
        if out.len() > root {
            out.push(b'/');
        }
        out.extend_from_slice(component);
        if up {
            fixed = out.len();
        }
    }
    if out.len() == begin {
        out.push(b'.');
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{Value::Str, check_str};
    use super::*;

    /// By basename(1p) and the text of the guide.
    #[test]
    fn basename_is_the_last_component() {
        check_str(
            &BASENAME,
            &[
                (&[Str(b"")], b"."),
                (&[Str(b"/")], b"/"),
                (&[Str(b"///")], b"/"),
                (&[Str(b"a")], b"a"),
                (&[Str(b"/a")], b"a"),
                (&[Str(b"/usr/lib/python3.9/os.py")], b"os.py"),
                (&[Str(b"/usr/lib//")], b"lib"),
                (&[Str(b"a/b/\xff")], b"\xff"),
                (&[Str(b".")], b"."),
                (&[Str(b"..")], b".."),
            ],
        );
    }

    /// By dirname(1p).
    #[test]
    fn dirname_is_what_is_before_it() {
        check_str(
            &DIRNAME,
            &[
                (&[Str(b"")], b"."),
                (&[Str(b"/")], b"/"),
                (&[Str(b"//")], b"/"),
                (&[Str(b"a")], b"."),
                (&[Str(b"a/")], b"."),
                (&[Str(b"/a")], b"/"),
                (&[Str(b"//a")], b"/"),
                (&[Str(b"/a/b")], b"/a"),
                (&[Str(b"/a//b//")], b"/a"),
                (&[Str(b"a/b")], b"a"),
            ],
        );
    }

    /// Worked out by hand from what the guide says is taken away.
    #[test]
    fn cleanpath_takes_detours_away() {
        check_str(
            &CLEANPATH,
            &[
                (&[Str(b"")], b""),
                (&[Str(b".")], b"."),
                (&[Str(b"/")], b"/"),
                (&[Str(b"//")], b"/"),
                (&[Str(b"./")], b"."),
                (&[Str(b"..")], b".."),
                (&[Str(b"/foo/../bar")], b"/bar"),
                (&[Str(b"/foo//bar/./baz")], b"/foo/bar/baz"),
                (&[Str(b"/../a")], b"/a"),
                (&[Str(b"/a/..")], b"/"),
                (&[Str(b"a/..")], b"."),
                (&[Str(b"a/../..")], b".."),
                (&[Str(b"../a/../../b/")], b"../../b"),
                (&[Str(b"a/b/../c")], b"a/c"),
                (&[Str(b"/a/b/../../../c")], b"/c"),
                (&[Str(b"...")], b"..."),
            ],
        );
    }
}
