//! One record, from hostile words to arguments, into buffers that are used again.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ptpytrace_arch::ArgValue;

use super::Record;
use super::rings::Ring;
use crate::event::{Arg, Event, EventKind, ProbeInfo, Seen, Text};
use crate::fastpath::ring::Layout;
use crate::fastpath::ring::record::{
    CUT, Kind, LENGTH_MASK, NUMBERS, SITE, SLOT_MASK, SLOT_SHIFT, Shape, UNREADABLE,
};
use crate::fastpath::ring::words::{load, low_half};

/// A site and the record that is given out for it.
pub(super) struct Template {
    shape: Shape,
    record: Record,
    /// For each string: which one the record holds already, so that the same need not be copied again.
    held: Vec<Option<Held>>,
}

/// The string of a ring's slot: the ring's index, the slot, how often it had been filled.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Held(usize, u32, u64);

/// What is known of a record from its first word.
struct Head {
    /// Where it begins in the file.
    place: u64,
    length: u64,
    site: usize,
    unreadable: u64,
}

impl Template {
    pub(super) fn new(site: u16, shape: Shape, probe: Arc<ProbeInfo>) -> Template {
        let nothing = |understood: &bool| Arg {
            raw: ArgValue::Unsigned(0),
            seen: if *understood {
                Seen::Number
            } else {
                Seen::Unreadable
            },
        };
        Template {
            held: vec![None; shape.texts.len()],
            record: Record {
                site,
                event: Event {
                    time: 0,
                    pid: 0,
                    tid: 0,
                    comm: Arc::from(""),
                    kind: EventKind::Fired {
                        probe,
                        args: shape.understood.iter().map(nothing).collect(),
                    },
                    context: None,
                },
            },
            shape,
        }
    }
}

/// Reads the next record of a ring, whose index is `index`, and goes on behind it; `None` when it makes no sense.
pub(super) fn record<'a>(
    words: &[AtomicU64],
    layout: &Layout,
    index: usize,
    ring: &mut Ring,
    templates: &'a mut [Option<Template>],
) -> Option<&'a mut Record> {
    let place = ring.place(layout);
    let first = load(words, place);
    let length = u64::from(low_half(first));
    let left = ring.left(layout);
    let inside = ring.advance(layout, length);
    if !inside || length > left {
        return None;
    }
    let head = Head {
        place,
        length,
        site: usize::from(field(first, SITE)),
        unreadable: field(first, UNREADABLE).into(),
    };
    let template = templates.get_mut(head.site)?.as_mut()?;
    if length < template.shape.fixed() {
        return None;
    }
    template.numbers(words, &head);
    template.texts(words, &head, (index, ring))?;
    Some(&mut template.record)
}

/// Two bytes of a record's first word.
fn field(first: u64, offset: u64) -> u16 {
    let shifted = first.wrapping_shr(u32::try_from(offset).unwrap_or(0).saturating_mul(8));
    u16::try_from(shifted & 0xffff).unwrap_or(0)
}

impl Template {
    fn numbers(&mut self, words: &[AtomicU64], head: &Head) {
        let places = (head.place.saturating_add(NUMBERS)..).step_by(8);
        let args = self.record.args_mut();
        for ((bit, number), place) in self.shape.numbers.iter().enumerate().zip(places) {
            let Some(arg) = args.get_mut(number.argument) else {
                continue;
            };
            if head.unreadable >> (bit & 63) & 1 == 1 {
                arg.raw = ArgValue::Unsigned(0);
                arg.seen = Seen::Unreadable;
            } else {
                arg.raw = number.value(load(words, place));
                // Nearly always it is one already.
                if !matches!(arg.seen, Seen::Number) {
                    arg.seen = Seen::Number;
                }
            }
        }
    }

    fn texts(&mut self, words: &[AtomicU64], head: &Head, ring: (usize, &mut Ring)) -> Option<()> {
        let (index, ring) = ring;
        let end = head.place.saturating_add(head.length);
        let mut cursor = head.place.saturating_add(self.shape.fixed());
        let descriptors = head.place.saturating_add(self.shape.descriptors());
        let texts = self.shape.texts.iter().zip(&mut self.held);
        let args = self.record.args_mut();
        for ((argument, held), place) in texts.zip((descriptors..).step_by(4)) {
            let word = load(words, place & !7);
            let descriptor = if place & 4 == 0 {
                low_half(word)
            } else {
                low_half(word >> 32)
            };
            let arg = args.get_mut(*argument)?;
            let slot = descriptor >> SLOT_SHIFT & SLOT_MASK;
            let kind = Kind::of(descriptor)?;
            if kind == Kind::Known {
                known(arg, held, (index, slot), ring)?;
                continue;
            }
            *held = None;
            let length = u64::from(descriptor & LENGTH_MASK);
            let bytes = cursor.saturating_add(8);
            let address = load(words, cursor);
            if bytes.saturating_add(length) > end || length > self.shape.limit as u64 {
                return None;
            }
            arg.raw = ArgValue::Unsigned(address);
            if kind == Kind::Unreadable {
                arg.seen = Seen::Unreadable;
                cursor = bytes;
                continue;
            }
            let text = buffer(arg)?;
            copy(words, bytes, length, &mut text.bytes);
            text.truncated = descriptor & CUT != 0;
            if kind == Kind::Remembered {
                let slot = ring.slot(slot)?;
                slot.address = address;
                slot.text.clone_from(&text.bytes);
                slot.filled = slot.filled.wrapping_add(1).max(1);
            }
            cursor = bytes.saturating_add(length).next_multiple_of(8);
        }
        Some(())
    }
}

/// The string of a slot, which is copied only if it is not the one that the argument has already.
fn known(
    arg: &mut Arg,
    held: &mut Option<Held>,
    (index, number): (usize, u32),
    ring: &mut Ring,
) -> Option<()> {
    let slot = ring.slot(number)?;
    let wanted = Held(index, number, slot.filled);
    if *held == Some(wanted) {
        return Some(());
    }
    if slot.filled == 0 {
        return None;
    }
    arg.raw = ArgValue::Unsigned(slot.address);
    let text = buffer(arg)?;
    text.bytes.clone_from(&slot.text);
    text.truncated = false;
    *held = Some(wanted);
    Some(())
}

/// The argument's text, whatever it was before.
fn buffer(arg: &mut Arg) -> Option<&mut Text> {
    if !matches!(arg.seen, Seen::Text(_)) {
        arg.seen = Seen::Text(Text::default());
    }
    match &mut arg.seen {
        Seen::Text(text) => Some(text),
        _ => None,
    }
}

/// Bytes from a place that is a multiple of 8.
fn copy(words: &[AtomicU64], place: u64, length: u64, into: &mut Vec<u8>) {
    into.clear();
    let mut left = usize::try_from(length).unwrap_or(0);
    for at in (place..).step_by(8) {
        if left == 0 {
            return;
        }
        let word = load(words, at).to_le_bytes();
        let wanted = word.get(..left.min(word.len())).unwrap_or_default();
        into.extend_from_slice(wanted);
        left = left.saturating_sub(wanted.len());
    }
}
