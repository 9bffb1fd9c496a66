//! A line for each firing, with the arguments by name: `gc__start generation=2`.

use std::io::{self, Write};

use super::{Consumer, Flow, digits};
use crate::event::{Arg, Event, EventKind, Hold, ProbeInfo, Seen};
use ptpytrace_arch::ArgValue;

/// Prints `MICROSECONDS COMM(TID): MARKER NAME=VALUE …`; the time counts from the first line.
#[derive(Debug, Default)]
pub struct MarkerLines {
    start: Option<u64>,
    line: Vec<u8>,
}

impl Consumer for MarkerLines {
    fn event(&mut self, event: &Event, _: Option<&Hold>, out: &mut dyn Write) -> io::Result<Flow> {
        let EventKind::Fired { probe, args } = &event.kind else {
            return Ok(Flow::Continue);
        };
        let start = *self.start.get_or_insert(event.time);
        let micros = event.time.saturating_sub(start) / 1000;
        let line = &mut self.line;
        line.clear();
        digits::aligned(line, micros, 6);
        line.push(b' ');
        line.extend_from_slice(event.comm.as_bytes());
        line.push(b'(');
        digits::signed(line, event.tid.into());
        line.extend_from_slice(b"): ");
        if probe.provider != "python" {
            write!(line, "{}:", probe.provider)?;
        }
        line.extend_from_slice(probe.name.as_bytes());
        for (index, arg) in args.iter().enumerate() {
            line.push(b' ');
            line.extend_from_slice(name(probe, index).as_bytes());
            line.push(b'=');
            write_value(line, arg)?;
        }
        line.push(b'\n');
        out.write_all(line)?;
        Ok(Flow::Continue)
    }
}

fn name(probe: &ProbeInfo, index: usize) -> &str {
    probe.args.get(index).map_or("?", |arg| arg.name.as_str())
}

fn write_value(line: &mut Vec<u8>, arg: &Arg) -> io::Result<()> {
    match &arg.seen {
        Seen::Number => match arg.raw {
            ArgValue::Signed(value) => digits::signed(line, value),
            ArgValue::Unsigned(value) => digits::unsigned(line, value),
            ArgValue::Float(value) => write!(line, "{value:?}")?,
        },
        Seen::Text(text) => {
            quote(line, &text.bytes)?;
            if text.truncated {
                line.extend_from_slice(b"...");
            }
        }
        Seen::Object(object) => write!(line, "{object}")?,
        Seen::Unreadable => write!(line, "<unreadable:{:#x}>", arg.raw.as_u64())?,
    }
    Ok(())
}

/// In double quotes, on one line whatever it holds: control characters and bytes that are not UTF-8 as in C.
fn quote(line: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    line.push(b'"');
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => line.extend_from_slice(b"\\\""),
                '\\' => line.extend_from_slice(b"\\\\"),
                '\n' => line.extend_from_slice(b"\\n"),
                '\r' => line.extend_from_slice(b"\\r"),
                '\t' => line.extend_from_slice(b"\\t"),
                control if control.is_control() => {
                    for byte in control.encode_utf8(&mut [0; 4]).bytes() {
                        write!(line, "\\x{byte:02x}")?;
                    }
                }
                other => line.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for byte in chunk.invalid() {
            write!(line, "\\x{byte:02x}")?;
        }
    }
    line.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_stay_on_one_line_and_keep_every_byte() {
        let table: [(&[u8], &str); 5] = [
            (b"json", r#""json""#),
            (b"a\"b\\c\n", r#""a\"b\\c\n""#),
            ("n\u{e4}h \u{1f40d}".as_bytes(), "\"n\u{e4}h \u{1f40d}\""),
            (b"\xff\x1b[0m", r#""\xff\x1b[0m""#),
            ("\u{85}".as_bytes(), r#""\xc2\x85""#),
        ];
        for (bytes, expected) in table {
            let mut line = Vec::new();
            quote(&mut line, bytes).unwrap();
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}
