//! One record, from hostile words to arguments, into buffers that are used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ptpytrace_arch::ArgValue;

use super::Record;
use super::rings::Ring;
use crate::event::{Arg, Event, EventKind, ProbeInfo, Seen, Text};
use crate::fastpath::ring::Layout;
use crate::fastpath::ring::record::{
    CUT, Kind, LENGTH_MASK, NUMBERS, Number, SITE, SLOT_MASK, SLOT_SHIFT, Shape, UNREADABLE,
};
use crate::fastpath::ring::words::low_half;

/// What is known of the sites of a process.
#[derive(Default)]
pub(super) struct Templates {
    /// By the sites' numbers.
    all: Vec<Option<Template>>,
    /// How often a slot of any ring was filled.
    fillings: u64,
}

/// A site and the record that is given out for it.
struct Template {
    numbers: Box<[Number]>,
    texts: Box<[Wanted]>,
    /// The most bytes of a string.
    limit: usize,
    /// Where the strings' descriptors begin, in words.
    descriptors: usize,
    /// Where that begins which follows only for some strings, in words.
    fixed: usize,
    record: Record,
}

/// A string of a site.
struct Wanted {
    /// The argument's index.
    argument: usize,
    /// The filling of a slot that the record holds already, so that the same need not be copied again; 0: none.
    held: u64,
}

impl Templates {
    /// Makes a site known.
    pub(super) fn add(&mut self, site: u16, shape: Shape, probe: Arc<ProbeInfo>) {
        let index = usize::from(site);
        if self.all.len() <= index {
            self.all.resize_with(index.saturating_add(1), || None);
        }
        if let Some(template) = self.all.get_mut(index) {
            *template = Some(Template::new(site, shape, probe));
        }
    }

    /// Reads the next record of a ring, and goes on behind it; `None` when it makes no sense. `rest` is the ring's memory
    /// from there on.
    // Without calls an event costs a fifth less.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        rest: &[AtomicU64],
        layout: &Layout,
        ring: &mut Ring,
    ) -> Option<&mut Record> {
        let first = rest.first().map_or(0, |it| it.load(Ordering::Acquire));
        let length = u64::from(low_half(first));
        if !ring.advance(layout, length) {
            return None;
        }
        let whole = rest.get(..in_words(length))?;
        let template = self.all.get_mut(usize::from(field(first, SITE)))?;
        let template = template.as_mut()?;
        let (fixed, follows) = whole.split_at_checked(template.fixed)?;
        let (numbers, descriptors) = fixed.split_at_checked(template.descriptors)?;
        let args = template.record.args_mut();
        let numbers = numbers.get(in_words(NUMBERS)..)?;
        take_numbers(&template.numbers, numbers, field(first, UNREADABLE), args);
        let mut texts = Texts {
            follows,
            limit: template.limit,
            fillings: &mut self.fillings,
            ring,
        };
        for (number, wanted) in template.texts.iter_mut().enumerate() {
            let descriptor = half(descriptors, number)?;
            if !texts.held(descriptor, wanted.held) {
                texts.take(descriptor, args.get_mut(wanted.argument)?, &mut wanted.held)?;
            }
        }
        Some(&mut template.record)
    }
}

impl Template {
    fn new(site: u16, shape: Shape, probe: Arc<ProbeInfo>) -> Template {
        let nothing = |understood: &bool| Arg {
            raw: ArgValue::Unsigned(0),
            seen: if *understood {
                Seen::Number
            } else {
                Seen::Unreadable
            },
        };
        let wanted = |argument: &usize| Wanted {
            argument: *argument,
            held: 0,
        };
        Template {
            descriptors: in_words(shape.descriptors()),
            fixed: in_words(shape.fixed()),
            texts: shape.texts.iter().map(wanted).collect(),
            limit: shape.limit,
            numbers: shape.numbers.into(),
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
        }
    }
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
    // Halves alternate: shifting costs less than deciding.
    Some(low_half(word >> (number % 2 * 32)))
}

/// From the beginning of a record.
#[inline(always)]
fn take_numbers(numbers: &[Number], words: &[AtomicU64], unreadable: u16, args: &mut [Arg]) {
    for (bit, (number, word)) in numbers.iter().zip(words).enumerate() {
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
    follows: &'a [AtomicU64],
    /// The most bytes of one.
    limit: usize,
    fillings: &'a mut u64,
    ring: &'a mut Ring,
}

impl Texts<'_> {
    /// Whether it is that of a slot, and the one that the record has already.
    #[inline]
    fn held(&self, descriptor: u32, held: u64) -> bool {
        Kind::of(descriptor) == Some(Kind::Known)
            && held != 0
            && self.ring.filling(number(descriptor)) == held
    }

    /// The next one; `None` when it makes no sense.
    fn take(&mut self, descriptor: u32, arg: &mut Arg, held: &mut u64) -> Option<()> {
        match Kind::of(descriptor)? {
            Kind::Known => self.known(descriptor, arg, held),
            other => {
                *held = 0;
                self.follows(descriptor, other, arg)
            }
        }
    }

    /// The string of a slot.
    fn known(&mut self, descriptor: u32, arg: &mut Arg, held: &mut u64) -> Option<()> {
        let slot = self.ring.slot(number(descriptor))?;
        if slot.filled == 0 {
            return None;
        }
        arg.raw = ArgValue::Unsigned(slot.address);
        let text = buffer(arg)?;
        text.bytes.clone_from(&slot.text);
        text.truncated = false;
        *held = slot.filled;
        Some(())
    }

    /// One of which more follows than its descriptor.
    fn follows(&mut self, descriptor: u32, kind: Kind, arg: &mut Arg) -> Option<()> {
        let (address, behind) = self.follows.split_first()?;
        let address = address.load(Ordering::Acquire);
        arg.raw = ArgValue::Unsigned(address);
        if kind == Kind::Unreadable {
            arg.seen = Seen::Unreadable;
            self.follows = behind;
            return Some(());
        }
        let length = usize::try_from(descriptor & LENGTH_MASK).ok()?;
        if length > self.limit {
            return None;
        }
        let (bytes, behind) = behind.split_at_checked(length.div_ceil(8))?;
        self.follows = behind;
        let text = buffer(arg)?;
        text.bytes.clear();
        for word in bytes {
            let word = word.load(Ordering::Acquire).to_le_bytes();
            text.bytes.extend_from_slice(&word);
        }
        text.bytes.truncate(length);
        text.truncated = descriptor & CUT != 0;
        if kind == Kind::Remembered {
            let slot = self.ring.slot(number(descriptor))?;
            slot.address = address;
            slot.text.clone_from(&text.bytes);
            *self.fillings = self.fillings.saturating_add(1);
            slot.filled = *self.fillings;
        }
        Some(())
    }
}

/// The slot's number.
fn number(descriptor: u32) -> u32 {
    descriptor >> SLOT_SHIFT & SLOT_MASK
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
