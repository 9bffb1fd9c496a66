//! One record, from hostile words to arguments, into buffers that are used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Where the strings' descriptors begin, in words.
    descriptors: usize,
    /// Where that begins which follows only for some strings, in words.
    fixed: usize,
    record: Record,
    /// For each string: which one the record holds already, so that the same need not be copied again.
    held: Vec<Option<Held>>,
}

/// The string of a ring's slot: the ring's index, the slot, how often it had been filled.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Held(usize, u32, u64);

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
            descriptors: in_words(shape.descriptors()),
            fixed: in_words(shape.fixed()),
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
#[inline]
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
    let whole = words.get(in_words(place)..)?.get(..in_words(length))?;
    let template = templates.get_mut(usize::from(field(first, SITE)))?;
    let template = template.as_mut()?;
    let (fixed, rest) = whole.split_at_checked(template.fixed)?;
    let (numbers, descriptors) = fixed.split_at_checked(template.descriptors)?;
    let args = template.record.args_mut();
    take_numbers(&template.shape, numbers, field(first, UNREADABLE), args);
    let mut texts = Texts {
        rest,
        limit: template.shape.limit,
        index,
        ring,
    };
    let wanted = template.shape.texts.iter().zip(&mut template.held);
    for (number, (argument, held)) in wanted.enumerate() {
        let descriptor = half(descriptors, number)?;
        texts.take(descriptor, args.get_mut(*argument)?, held)?;
    }
    Some(&mut template.record)
}

/// A number of bytes, in words.
fn in_words(bytes: u64) -> usize {
    usize::try_from(bytes / 8).unwrap_or(usize::MAX)
}

/// Two bytes of a record's first word.
fn field(first: u64, offset: u64) -> u16 {
    let shifted = first.wrapping_shr(u32::try_from(offset).unwrap_or(0).saturating_mul(8));
    u16::try_from(shifted & 0xffff).unwrap_or(0)
}

/// One of the halves of words.
fn half(words: &[AtomicU64], number: usize) -> Option<u32> {
    let word = words.get(number / 2)?.load(Ordering::Acquire);
    Some(match number % 2 {
        0 => low_half(word),
        _ => low_half(word >> 32),
    })
}

/// From the beginning of a record.
fn take_numbers(shape: &Shape, words: &[AtomicU64], unreadable: u16, args: &mut [Arg]) {
    let values = words.iter().skip(in_words(NUMBERS));
    for (bit, (number, word)) in shape.numbers.iter().zip(values).enumerate() {
        let Some(arg) = args.get_mut(number.argument) else {
            continue;
        };
        if unreadable >> (bit & 15) & 1 == 1 {
            arg.raw = ArgValue::Unsigned(0);
            arg.seen = Seen::Unreadable;
        } else {
            arg.raw = number.value(word.load(Ordering::Acquire));
            // Nearly always it is one already.
            if !matches!(arg.seen, Seen::Number) {
                arg.seen = Seen::Number;
            }
        }
    }
}

/// The strings of a record.
struct Texts<'a> {
    /// What follows for those that are not only named.
    rest: &'a [AtomicU64],
    /// The most bytes of one.
    limit: usize,
    /// The ring's index.
    index: usize,
    ring: &'a mut Ring,
}

impl Texts<'_> {
    /// The next one; `None` when it makes no sense.
    #[inline]
    fn take(&mut self, descriptor: u32, arg: &mut Arg, held: &mut Option<Held>) -> Option<()> {
        match Kind::of(descriptor)? {
            Kind::Known => self.known(descriptor, arg, held),
            other => {
                *held = None;
                self.follows(descriptor, other, arg)
            }
        }
    }

    /// The string of a slot, which is copied only if it is not the one that the argument has already.
    #[inline]
    fn known(&mut self, descriptor: u32, arg: &mut Arg, held: &mut Option<Held>) -> Option<()> {
        let number = descriptor >> SLOT_SHIFT & SLOT_MASK;
        let slot = self.ring.slot(number)?;
        let wanted = Held(self.index, number, slot.filled);
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

    /// One of which more follows than its descriptor.
    fn follows(&mut self, descriptor: u32, kind: Kind, arg: &mut Arg) -> Option<()> {
        let (address, behind) = self.rest.split_first()?;
        let address = address.load(Ordering::Acquire);
        arg.raw = ArgValue::Unsigned(address);
        if kind == Kind::Unreadable {
            arg.seen = Seen::Unreadable;
            self.rest = behind;
            return Some(());
        }
        let length = usize::try_from(descriptor & LENGTH_MASK).ok()?;
        if length > self.limit {
            return None;
        }
        let (bytes, behind) = behind.split_at_checked(length.div_ceil(8))?;
        self.rest = behind;
        let text = buffer(arg)?;
        text.bytes.clear();
        for word in bytes {
            let word = word.load(Ordering::Acquire).to_le_bytes();
            text.bytes.extend_from_slice(&word);
        }
        text.bytes.truncate(length);
        text.truncated = descriptor & CUT != 0;
        if kind == Kind::Remembered {
            let slot = self.ring.slot(descriptor >> SLOT_SHIFT & SLOT_MASK)?;
            slot.address = address;
            slot.text.clone_from(&text.bytes);
            slot.filled = slot.filled.wrapping_add(1).max(1);
        }
        Some(())
    }
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
