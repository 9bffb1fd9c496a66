//! Shell globs (glob(7)): `*`, `?`, `[a-z]`, `[!a]`, and `\` before a character that is meant literally.

/// A pattern for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    Any,
    Star,
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// Parses a glob; `None` when a `[` has no `]`.
    pub fn parse(text: &str) -> Option<Glob> {
        pieces(&mut text.chars()).map(|pieces| Glob { pieces })
    }

    /// The glob that matches this name alone.
    pub fn literal(text: &str) -> Glob {
        Glob {
            pieces: text.chars().map(Piece::Char).collect(),
        }
    }

    /// Whether it matches the whole of a name.
    pub fn matches(&self, text: &str) -> bool {
        matches(&self.pieces, text)
    }

    /// Whether it can match but one name.
    pub fn is_literal(&self) -> bool {
        self.pieces.iter().all(|it| matches!(it, Piece::Char(_)))
    }

    /// The only text that it matches, when there is but one.
    pub fn literal_text(&self) -> Option<String> {
        let characters = self.pieces.iter().map(|piece| match piece {
            Piece::Char(character) => Some(*character),
            _ => None,
        });
        characters.collect()
    }

    /// The texts between its stars, where it has nothing but characters and stars: it matches what begins with the first,
    /// ends with the last, and has the others in their order in between. A single one: the only text that it matches.
    /// `None` for any other glob, and where comparing bytes would not do.
    pub fn literal_parts(&self) -> Option<Vec<Vec<u8>>> {
        let parts = self.pieces.split(|piece| *piece == Piece::Star);
        let text = |pieces: &[Piece]| {
            let characters = pieces.iter().map(|piece| match piece {
                // What is no UTF-8 is read as the latter.
                Piece::Char('\0' | char::REPLACEMENT_CHARACTER) => None,
                Piece::Char(character) => Some(*character),
                _ => None,
            });
            characters
                .collect::<Option<String>>()
                .map(String::into_bytes)
        };
        parts.map(text).collect()
    }

    /// Whether it is meant for a path: it has a `/`.
    pub fn names_a_path(&self) -> bool {
        self.pieces.contains(&Piece::Char('/'))
    }
}

fn pieces(text: &mut std::str::Chars<'_>) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    while let Some(character) = text.next() {
        pieces.push(match character {
            '*' => Piece::Star,
            '?' => Piece::Any,
            '[' => set(text)?,
            '\\' => Piece::Char(text.next().unwrap_or('\\')),
            other => Piece::Char(other),
        });
    }
    // Runs of stars are one star.
    pieces.dedup_by(|a, b| *a == Piece::Star && *b == Piece::Star);
    Some(pieces)
}

/// What stands between `[` and `]`; a `]` that comes first is a member, and so is a `-` that comes first or last.
fn set(text: &mut std::str::Chars<'_>) -> Option<Piece> {
    let negated = text.as_str().starts_with(['!', '^']);
    if negated {
        text.next();
    }
    let mut ranges = Vec::new();
    loop {
        let low = match text.next()? {
            ']' if !ranges.is_empty() => return Some(Piece::Set { negated, ranges }),
            '\\' => text.next()?,
            other => other,
        };
        let rest = text.as_str();
        let ranged = rest.starts_with('-') && !rest.starts_with("-]");
        if ranged {
            text.next();
            let high = match text.next()? {
                '\\' => text.next()?,
                other => other,
            };
            ranges.push((low, high));
        } else {
            ranges.push((low, low));
        }
    }
}

impl Piece {
    fn takes(&self, character: char) -> bool {
        match self {
            Piece::Char(own) => *own == character,
            Piece::Any => true,
            Piece::Star => false,
            Piece::Set { negated, ranges } => {
                let within = |(low, high): &(char, char)| (*low..=*high).contains(&character);
                ranges.iter().any(within) != *negated
            }
        }
    }
}

/// Matches by going back to the last star only, which is enough for globs and never exponential.
fn matches(pieces: &[Piece], text: &str) -> bool {
    let (mut rest, mut text) = (pieces, text.chars());
    let mut retry: Option<(&[Piece], std::str::Chars<'_>)> = None;
    loop {
        if let Some((Piece::Star, after)) = rest.split_first() {
            rest = after;
            retry = Some((after, text.clone()));
            continue;
        }
        let mut ahead = text.clone();
        match (rest.split_first(), ahead.next()) {
            (None, None) => return true,
            (Some((piece, after)), Some(character)) if piece.takes(character) => {
                rest = after;
                text = ahead;
            }
            _ => {
                let Some((after_star, mut from)) = retry.take() else {
                    return false;
                };
                if from.next().is_none() {
                    return false;
                }
                rest = after_star;
                text = from.clone();
                retry = Some((after_star, from));
            }
        }
    }
}
