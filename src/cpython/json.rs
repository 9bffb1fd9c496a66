//! Values as JSON, for the machine-readable output.

use serde_json::{Value, json};

use super::text::Text;
use super::value::PyValue;

impl PyValue {
    /// The value as JSON.
    ///
    /// `None`, booleans, strings and numbers become their JSON counterparts and tuples and lists arrays. What JSON
    /// has no form for: an integer beyond 64 bits is a string of its decimal digits; `inf`, `-inf` and `nan` are
    /// these strings; a lone surrogate in a string is written out as `\udcff`, six characters; bytes are
    /// `{"bytes": "HEX"}`, with `"cut": true` when more follow; another type is `{"type": "NAME"}`; what was cut
    /// (also the end of a string) is `"..."`; what could not be read is `{"unreadable": "0xADDRESS"}`.
    pub fn to_json(&self) -> Value {
        match self {
            PyValue::None => Value::Null,
            PyValue::Bool(value) => json!(value),
            PyValue::Int(value) => match (value.as_i64(), value.as_u64()) {
                (Some(value), _) => json!(value),
                (None, Some(value)) => json!(value),
                (None, None) => json!(value.to_string()),
            },
            PyValue::Float(value) if value.is_finite() => json!(value),
            PyValue::Float(_) => json!(self.to_string()),
            PyValue::Str(text) => json!(string(text)),
            PyValue::Bytes(bytes, false) => json!({ "bytes": hex(bytes) }),
            PyValue::Bytes(bytes, true) => json!({ "bytes": hex(bytes), "cut": true }),
            PyValue::Tuple(items) | PyValue::List(items) => {
                Value::Array(items.iter().map(PyValue::to_json).collect())
            }
            PyValue::Other { type_name } => json!({ "type": type_name }),
            PyValue::Cut(_) => json!("..."),
            PyValue::Unreadable { address } => json!({ "unreadable": format!("{address:#x}") }),
        }
    }
}

fn string(text: &Text) -> String {
    let mut out = if text.has_surrogates() {
        text.code_points()
            .map(|point| match char::from_u32(point) {
                Some(character) => character.to_string(),
                None => format!("\\u{point:04x}"),
            })
            .collect()
    } else {
        text.as_str().to_owned()
    };
    if text.is_cut() {
        out.push_str("...");
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::{Cut, Integer};

    #[test]
    fn each_kind() {
        let int = |negative, digits: &[u32]| PyValue::Int(Integer::from_digits(negative, digits));
        let text =
            |points: &[u32], cut| PyValue::Str(Text::from_code_points(points.iter().copied(), cut));
        for (value, expected) in [
            (PyValue::None, "null"),
            (PyValue::Bool(false), "false"),
            (int(true, &[7]), "-7"),
            (int(false, &[0, 0, 8]), "9223372036854775808"),
            (int(false, &[0, 0, 16]), "\"18446744073709551616\""),
            (int(true, &[1, 0, 8]), "\"-9223372036854775809\""),
            (PyValue::Float(1.0), "1.0"),
            (PyValue::Float(f64::NEG_INFINITY), "\"-inf\""),
            (PyValue::Float(f64::NAN), "\"nan\""),
            (text(&[0x22, 0xe9, 0x1f40d], false), "\"\\\"é🐍\""),
            (text(&[0x61, 0xdcff], true), "\"a\\\\udcff...\""),
            (PyValue::Bytes(vec![0, 0xff], false), "{\"bytes\":\"00ff\"}"),
            (
                PyValue::Bytes(vec![0x61], true),
                "{\"bytes\":\"61\",\"cut\":true}",
            ),
            (
                PyValue::Tuple(vec![PyValue::None, PyValue::List(vec![])]),
                "[null,[]]",
            ),
            (
                PyValue::Other {
                    type_name: "dict".into(),
                },
                "{\"type\":\"dict\"}",
            ),
            (PyValue::Cut(Cut::Rest), "\"...\""),
            (
                PyValue::Unreadable { address: 0xfff0 },
                "{\"unreadable\":\"0xfff0\"}",
            ),
        ] {
            assert_eq!(value.to_json().to_string(), expected);
        }
    }
}
