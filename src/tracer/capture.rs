//! What is read at a hit: the arguments' numbers, the strings and objects that they point to.
//!
//! Everything by name or by type is settled when a site is armed; at a hit there are only registers and memory.

use std::sync::Arc;

use ptpytrace_arch::{ArgSpec, ArgValue, Registers};

use crate::cpython::{Layout, Limits, Types, decode};
use crate::event::{Arg, Seen, Text};
use crate::process::memory::ProcessMemory;
use crate::process::memory::c_string::StringRead;

/// How one argument is captured.
#[derive(Clone, Debug)]
pub struct ArgCapture {
    /// Where it lies; `None` when its spec could not be understood.
    pub spec: Option<ArgSpec>,
    /// What is read besides.
    pub how: How,
}

/// What is read besides the number.
#[derive(Clone, Debug)]
pub enum How {
    /// Nobody looks at the argument: not even the number is read.
    Skip,
    /// Nothing.
    Number,
    /// The C string that it points to.
    Text,
    /// The Python object that it points to.
    Object(Arc<ObjectReader>),
}

/// What is needed to read the objects of one interpreter.
#[derive(Debug)]
pub struct ObjectReader {
    /// Addresses of the built-in types.
    pub types: Types,
    /// Where the fields are in this version.
    pub layout: Layout,
}

/// Limits of what is read at a hit.
#[derive(Clone, Copy, Debug)]
pub struct CaptureLimits<'a> {
    /// Bytes of a string.
    pub max_string: usize,
    /// Of an object.
    pub objects: &'a Limits,
}

/// Captures all arguments from where their specs say that they lie.
pub fn capture(
    arguments: &[ArgCapture],
    registers: &Registers,
    memory: &ProcessMemory,
    limits: CaptureLimits<'_>,
) -> Vec<Arg> {
    let numbers = arguments.iter();
    let numbers = numbers.map(|argument| number(argument, registers, memory));
    complete(arguments, numbers.collect(), memory, limits)
}

/// Reads what numbers that are known already point to.
pub fn complete(
    arguments: &[ArgCapture],
    mut captured: Vec<Arg>,
    memory: &ProcessMemory,
    limits: CaptureLimits<'_>,
) -> Vec<Arg> {
    read_texts(arguments, &mut captured, memory, limits.max_string);
    for (argument, captured) in arguments.iter().zip(&mut captured) {
        if let (How::Object(reader), Seen::Number) = (&argument.how, &captured.seen) {
            let address = captured.raw.as_u64();
            captured.seen = Seen::Object(decode(
                address,
                &reader.types,
                &reader.layout,
                memory,
                limits.objects,
            ));
        }
    }
    captured
}

/// An argument that is a number.
pub fn plain(raw: ArgValue) -> Arg {
    let seen = Seen::Number;
    Arg { raw, seen }
}

fn number(argument: &ArgCapture, registers: &Registers, memory: &ProcessMemory) -> Arg {
    if matches!(argument.how, How::Skip) {
        return plain(ArgValue::Unsigned(0));
    }
    let value = argument
        .spec
        .as_ref()
        .and_then(|spec| spec.fetch(registers, memory).ok());
    value.map_or(
        Arg {
            raw: ArgValue::Unsigned(0),
            seen: Seen::Unreadable,
        },
        plain,
    )
}

/// Reads the strings in pairs, a system call for two: most markers have at most two.
fn read_texts(
    arguments: &[ArgCapture],
    captured: &mut [Arg],
    memory: &ProcessMemory,
    max_string: usize,
) {
    let mut texts = arguments
        .iter()
        .zip(captured.iter_mut())
        .filter(|(argument, captured)| {
            matches!(argument.how, How::Text) && captured.seen == Seen::Number
        })
        .map(|(_, captured)| captured);
    loop {
        match (texts.next(), texts.next()) {
            (Some(one), Some(other)) => {
                let addresses = [one.raw.as_u64(), other.raw.as_u64()];
                let [first, second] = memory.c_strings(addresses, max_string);
                one.seen = seen(first);
                other.seen = seen(second);
            }
            (Some(one), None) => {
                one.seen = seen(memory.c_string(one.raw.as_u64(), max_string));
                return;
            }
            (None, _) => return,
        }
    }
}

fn seen(read: StringRead) -> Seen {
    match read {
        StringRead::Text { bytes, truncated } => Seen::Text(Text { bytes, truncated }),
        StringRead::Unreadable => Seen::Unreadable,
    }
}
