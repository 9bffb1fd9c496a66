//! Names on the `PATH` that someone who typed a wrong one may have meant.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::{executable, folders};

/// How many names are proposed.
const MAX_NAMES: usize = 3;

/// How many entries of folders are looked at.
const MAX_ENTRIES: usize = 20_000;

/// Up to three programs on `search` whose names are close to `name`: with a version behind it (`python3` for
/// `python`), or one slip away.
pub(super) fn similar(name: &OsStr, search: &OsStr, folder: &Path) -> Vec<String> {
    let Some(name) = name.to_str() else {
        return Vec::new();
    };
    let mut found = BTreeSet::new();
    let entries = folders(search)
        .filter_map(|place| fs::read_dir(folder.join(place)).ok())
        .flatten()
        .filter_map(Result::ok);
    for entry in entries.take(MAX_ENTRIES) {
        let candidate = entry.file_name();
        let Some(candidate) = candidate.to_str() else {
            continue;
        };
        let close = is_version_of(candidate, name) || is_one_slip_from(candidate, name);
        if close && executable(&entry.path()).is_ok() {
            found.insert((candidate.len(), candidate.to_string()));
        }
    }
    found
        .into_iter()
        .take(MAX_NAMES)
        .map(|(_, name)| name)
        .collect()
}

/// `python3.11` of `python` and of `python3`.
fn is_version_of(candidate: &str, name: &str) -> bool {
    let version = candidate.strip_prefix(name).unwrap_or("");
    !version.is_empty() && version.chars().all(|it| it.is_ascii_digit() || it == '.')
}

/// Whether one letter more, less, other, or two neighbours exchanged make the one the other.
fn is_one_slip_from(candidate: &str, name: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) =
        (candidate.chars().collect(), name.chars().collect());
    // In shorter names a slip makes too many others.
    if one.len().min(other.len()) < 4 {
        return false;
    }
    let same = one
        .iter()
        .zip(&other)
        .take_while(|(left, right)| left == right)
        .count();
    let rest = |letters: &[char], from: usize| {
        letters
            .get(same.saturating_add(from)..)
            .unwrap_or(&[])
            .to_vec()
    };
    let swapped = |letters: &[char]| match rest(letters, 0).as_slice() {
        [first, second, tail @ ..] => [&[*second, *first], tail].concat(),
        short => short.to_vec(),
    };
    match one.len().cmp(&other.len()) {
        std::cmp::Ordering::Greater => rest(&one, 1) == rest(&other, 0),
        std::cmp::Ordering::Less => rest(&one, 0) == rest(&other, 1),
        std::cmp::Ordering::Equal => {
            one != other && (rest(&one, 1) == rest(&other, 1) || swapped(&one) == rest(&other, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_or_one_slip_is_close() {
        for (candidate, name, close) in [
            ("python3", "python", true),
            ("python3.11", "python", true),
            ("python3.11", "python3", true),
            ("python3-config", "python", false),
            ("python", "python", false),
            ("python3", "pyton3", true),
            ("pyton3", "python3", true),
            ("pyhton3", "python3", true),
            ("bython3", "python3", true),
            ("python", "python3", true),
            ("pyth", "python3", false),
            ("nohtyp", "python", false),
            ("ls", "lz", false),
            ("gzip", "bzip", true),
            ("", "", false),
        ] {
            let found = is_version_of(candidate, name) || is_one_slip_from(candidate, name);
            assert_eq!(found, close, "{candidate} {name}");
        }
    }
}
