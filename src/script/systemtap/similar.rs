//! Names that may have been meant.

/// The longest names that are compared, in characters: it takes the product of the lengths.
const MAX_LENGTH: usize = 64;

/// The names that are most like another, at most `most`, the best first.
pub fn similar<'n>(name: &str, among: impl Iterator<Item = &'n str>, most: usize) -> Vec<&'n str> {
    let mut ranked: Vec<(usize, &str)> = among
        .filter(|it| *it != name)
        .map(|it| (distance(name, it), it))
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().map(|(_, it)| it).take(most).collect()
}

/// ` (similar: a, b)`, or nothing.
pub fn hint(what: &str, names: &[&str]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(" ({what}: {})", names.join(", "))
}

/// How many characters have to be inserted, removed or replaced.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(MAX_LENGTH).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, own) in left.chars().take(MAX_LENGTH).enumerate() {
        let mut corner = above;
        let mut before = above + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(&right) {
            let replaced = corner + usize::from(own != *other);
            corner = *cell;
            *cell = replaced.min(corner + 1).min(before + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        let table = [
            ("", "", 0),
            ("a", "", 1),
            ("kitten", "sitting", 3),
            ("begni", "begin", 2),
            ("abc", "abc", 0),
        ];
        for (left, right, expected) in table {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn the_nearest_come_first() {
        let names = ["end", "begin", "never"];
        assert_eq!(similar("begni", names.into_iter(), 2), ["begin", "end"]);
    }
}
