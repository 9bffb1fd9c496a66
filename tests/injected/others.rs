//! `gc__*`, `import__find__load__*` and `audit` in builds without any markers, held against the same oracles as the
//! binary's own.

use crate::oracle::{audit, collections, imports};

use super::interpreters::{FREE_THREADED, of_pyenv};

/// The interpreters that have audit events, by which the oracle marks its window.
fn names() -> impl Iterator<Item = &'static str> {
    of_pyenv(8)
        .into_iter()
        .map(|python| -> &'static str { String::leak(format!("pyenv3.{}", python.minor)) })
        .chain([FREE_THREADED])
}

#[test]
fn collections() {
    for name in names() {
        collections::check(name, false, "gc_program", 12);
        collections::check(name, false, "del_method", 2);
    }
}

#[test]
fn imports() {
    names().for_each(|name| imports::check(name, false));
}

#[test]
fn audit() {
    for name in names() {
        audit::check(name, false, "audit_program", 150);
        for program in ["imports", "fork_no_exec", "subprocess_run"] {
            audit::check(name, false, program, 4);
        }
    }
}
