//! Types that are found out little by little.

use crate::script::source::Span;

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// A number.
    Long,
    /// A string.
    Str,
    /// Statistics.
    Stats,
}

impl Ty {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Ty::Long => "long",
            Ty::Str => "string",
            Ty::Stats => "stats",
        }
    }
}

/// Something that has a type, known or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(usize);

#[derive(Clone, Copy, Debug)]
struct Entry {
    parent: usize,
    ty: Option<(Ty, Span)>,
}

/// Two types that should be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The one that was there.
    pub was: Ty,
    /// Where it came from.
    pub first: Span,
    /// The other.
    pub is: Ty,
    /// Where that came from.
    pub second: Span,
}

/// All slots. Those that must be of one type are one.
#[derive(Debug, Default)]
pub struct Slots {
    all: Vec<Entry>,
}

impl Slots {
    /// A slot of no type yet.
    pub fn fresh(&mut self) -> Slot {
        let parent = self.all.len();
        self.all.push(Entry { parent, ty: None });
        Slot(parent)
    }

    /// A slot of a type.
    pub fn of(&mut self, ty: Ty, span: Span) -> Slot {
        let parent = self.all.len();
        self.all.push(Entry {
            parent,
            ty: Some((ty, span)),
        });
        Slot(parent)
    }

    fn root(&mut self, slot: Slot) -> usize {
        let mut at = slot.0;
        while let Some(entry) = self.all.get(at).copied() {
            if entry.parent == at {
                break;
            }
            // Halves the way for the next time.
            let above = self
                .all
                .get(entry.parent)
                .map_or(entry.parent, |it| it.parent);
            if let Some(entry) = self.all.get_mut(at) {
                entry.parent = above;
            }
            at = above;
        }
        at
    }

    /// The type, when it is known.
    pub fn ty(&mut self, slot: Slot) -> Option<Ty> {
        let root = self.root(slot);
        self.all.get(root).and_then(|it| it.ty).map(|(ty, _)| ty)
    }

    /// Makes two slots one.
    ///
    /// # Errors
    /// Both types are known and are not the same.
    pub fn unify(&mut self, left: Slot, right: Slot) -> Result<(), Mismatch> {
        let (left, right) = (self.root(left), self.root(right));
        if left == right {
            return Ok(());
        }
        let types = (
            self.all.get(left).and_then(|it| it.ty),
            self.all.get(right).and_then(|it| it.ty),
        );
        if let (Some((was, first)), Some((is, second))) = types
            && was != is
        {
            return Err(Mismatch {
                was,
                first,
                is,
                second,
            });
        }
        if let Some(entry) = self.all.get_mut(right) {
            entry.parent = left;
        }
        if let Some(entry) = self.all.get_mut(left) {
            entry.ty = types.0.or(types.1);
        }
        Ok(())
    }

    /// Says of which type a slot is.
    ///
    /// # Errors
    /// It is of another.
    pub fn set(&mut self, slot: Slot, ty: Ty, span: Span) -> Result<(), Mismatch> {
        let other = self.of(ty, span);
        self.unify(slot, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_spread_over_what_is_one() {
        let mut slots = Slots::default();
        let here = Span::default();
        let (a, b, c) = (slots.fresh(), slots.fresh(), slots.fresh());
        assert_eq!(slots.unify(a, b), Ok(()));
        assert_eq!(slots.unify(b, c), Ok(()));
        assert_eq!(slots.ty(a), None);
        assert_eq!(slots.set(c, Ty::Long, here), Ok(()));
        assert_eq!((slots.ty(a), slots.ty(b)), (Some(Ty::Long), Some(Ty::Long)));
        let wrong = Mismatch {
            was: Ty::Long,
            first: here,
            is: Ty::Str,
            second: here,
        };
        assert_eq!(slots.set(a, Ty::Str, here), Err(wrong));
    }
}
