//! The columns that DTrace prints around a handler's output.

use std::io::Write;

use super::machine::{Machine, Run};
use super::names::Names;
use crate::script::ir::Row;

/// Whether a probe is the entry or return of something, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Entry,
    Return,
    Neither,
}

/// `entry` and what ends in `-entry` is an entry, likewise returns; `carpentry` is none.
fn flow(name: &[u8]) -> Flow {
    let is = |word: &[u8]| {
        let before = name.strip_suffix(word);
        before.is_some_and(|before| before.is_empty() || before.ends_with(b"-"))
    };
    if is(b"entry") {
        Flow::Entry
    } else if is(b"return") {
        Flow::Return
    } else {
        Flow::Neither
    }
}

/// Begins a row; the header comes before the first.
pub fn begin(run: &mut Run<'_>, row: Row) {
    if row == Row::None {
        return;
    }
    let cpu = match run.event {
        Some(event) => event.context.as_deref().map_or(0, |it| it.cpu),
        None => 0,
    };
    let (names, tid) = (*run.names, run.tid);
    let m = &mut *run.m;
    header(m, row);
    m.handler_out = m.out.len();
    let mut text = std::mem::take(&mut m.out);
    // Writing to memory does not fail.
    match row {
        Row::Flow => {
            let name = flow_name(m, &names, tid);
            let _ = write!(text, "{cpu:3} ");
            padded(&mut text, &name, 41, false);
        }
        _ => {
            let _ = write!(text, "{cpu:3} {:6} ", names.id);
            padded(&mut text, &full_name(m, &names), 32, true);
        }
    }
    text.push(b' ');
    m.out = text;
    m.row_out = m.out.len();
}

/// Ends a row.
pub fn end(run: &mut Run<'_>, row: Row) {
    if row != Row::None {
        run.m.out.push(b'\n');
    }
}

fn header(m: &mut Machine, row: Row) {
    if m.row_header {
        return;
    }
    m.row_header = true;
    // Writing to memory does not fail.
    let _ = match row {
        Row::Flow => writeln!(m.out, "{:>3} {:<41}", "CPU", "FUNCTION"),
        _ => writeln!(m.out, "{:>3} {:>6} {:>32}", "CPU", "ID", "FUNCTION:NAME"),
    };
}

/// `FUNCTION:NAME`
fn full_name(m: &Machine, names: &Names) -> Vec<u8> {
    let function = m.interner.bytes(names.function);
    [function, b":", m.interner.bytes(names.name)].concat()
}

/// The name with its arrow, indented by how deep the thread is.
fn flow_name(m: &mut Machine, names: &Names, tid: i32) -> Vec<u8> {
    let flow = match m.indented {
        true => Flow::Neither,
        false => flow(m.interner.bytes(names.name)),
    };
    m.indented |= flow != Flow::Neither;
    let system_call = m.interner.bytes(names.provider) == b"syscall";
    let thread = m.threads.of(tid);
    if flow == Flow::Return {
        thread.indent = thread.indent.saturating_sub(2);
    }
    // A recursion that never returns must not fill memory.
    let mut text = vec![b' '; thread.indent.min(4096)];
    if flow == Flow::Entry {
        thread.indent = thread.indent.saturating_add(2);
    }
    text.extend_from_slice(match (flow, system_call) {
        (Flow::Entry, false) => b" -> ",
        (Flow::Entry, true) => b" => ",
        (Flow::Return, false) => b" <- ",
        (Flow::Return, true) => b" <= ",
        (Flow::Neither, _) => b" | ",
    });
    match flow {
        Flow::Neither => text.extend_from_slice(&full_name(m, names)),
        _ => text.extend_from_slice(m.interner.bytes(names.function)),
    }
    text
}

fn padded(out: &mut Vec<u8>, text: &[u8], width: usize, right: bool) {
    let padding = width.saturating_sub(text.len());
    if right {
        out.resize(out.len().saturating_add(padding), b' ');
    }
    out.extend_from_slice(text);
    if !right {
        out.resize(out.len().saturating_add(padding), b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the comment in DTrace's dt_consume.c has it.
    #[test]
    fn carpentry_is_no_entry() {
        assert_eq!(flow(b"entry"), Flow::Entry);
        assert_eq!(flow(b"function-entry"), Flow::Entry);
        assert_eq!(flow(b"function-return"), Flow::Return);
        for name in ["carpentry", "gentry", "Coventry", "entry-x", "line"] {
            assert_eq!(flow(name.as_bytes()), Flow::Neither, "{name}");
        }
    }
}
