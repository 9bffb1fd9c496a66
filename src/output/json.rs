//! One JSON object a line for each firing.

use std::io::{self, Write};

use ptpytrace_arch::ArgValue;

use crate::event::{Arg, Event, EventKind, Hold, Seen};
use crate::report::{Consumer, Flow, digits};

/// Prints `{"ts":…,"pid":…,"tid":…,"comm":…,"provider":…,"probe":…,"args":{…}}`; `ts` is CLOCK_MONOTONIC in ns,
/// bytes that are not UTF-8 become U+FFFD. What could not be read is `null`.
#[derive(Debug, Default)]
pub struct JsonLines {
    line: Vec<u8>,
}

impl Consumer for JsonLines {
    fn event(&mut self, event: &Event, _: Option<&Hold>, out: &mut dyn Write) -> io::Result<Flow> {
        let EventKind::Fired { probe, args } = &event.kind else {
            return Ok(Flow::Continue);
        };
        let line = &mut self.line;
        line.clear();
        line.extend_from_slice(b"{\"ts\":");
        digits::unsigned(line, event.time);
        line.extend_from_slice(b",\"pid\":");
        digits::signed(line, event.pid.into());
        line.extend_from_slice(b",\"tid\":");
        digits::signed(line, event.tid.into());
        line.extend_from_slice(b",\"comm\":");
        string(line, &event.comm)?;
        line.extend_from_slice(b",\"provider\":");
        string(line, &probe.provider)?;
        line.extend_from_slice(b",\"probe\":");
        string(line, &probe.name)?;
        line.extend_from_slice(b",\"args\":{");
        for (index, (arg, info)) in args.iter().zip(&probe.args).enumerate() {
            if index > 0 {
                line.push(b',');
            }
            string(line, &info.name)?;
            line.push(b':');
            value(line, arg)?;
        }
        line.extend_from_slice(b"}}\n");
        out.write_all(line)?;
        Ok(Flow::Continue)
    }
}

fn string(line: &mut Vec<u8>, text: &str) -> io::Result<()> {
    Ok(serde_json::to_writer(line, text)?)
}

fn value(line: &mut Vec<u8>, arg: &Arg) -> io::Result<()> {
    match &arg.seen {
        Seen::Number => match arg.raw {
            ArgValue::Signed(value) => {
                digits::signed(line, value);
                Ok(())
            }
            ArgValue::Unsigned(value) => {
                digits::unsigned(line, value);
                Ok(())
            }
            ArgValue::Float(value) if value.is_finite() => Ok(serde_json::to_writer(line, &value)?),
            ArgValue::Float(value) => string(line, &value.to_string()),
        },
        Seen::Text(text) => string(line, &text.lossy()),
        Seen::Object(object) => Ok(serde_json::to_writer(line, &object.to_json())?),
        Seen::Unreadable => line.write_all(b"null"),
    }
}
