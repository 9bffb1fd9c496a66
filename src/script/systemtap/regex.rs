//! Regular expressions: SystemTap's are POSIX extended ones (regex(7)), here they become those of the crate `regex`.

use regex::bytes::{Regex, RegexBuilder};

/// The most memory that a compiled expression may take, in bytes.
const MAX_SIZE: usize = 1 << 20;

/// The classes of characters that POSIX knows.
const CLASSES: &[&str] = &[
    "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "xdigit",
];

/// Compiles an expression. It matches bytes.
///
/// # Errors
/// It is no regular expression: why, in a line.
pub fn compile(pattern: &[u8]) -> Result<Regex, String> {
    let text = std::str::from_utf8(pattern).map_err(|_| "it is not UTF-8".to_owned())?;
    RegexBuilder::new(&translate(text)?)
        .unicode(false)
        .dot_matches_new_line(true)
        .size_limit(MAX_SIZE)
        .build()
        .map_err(|error| last_line(&error.to_string()))
}

fn last_line(text: &str) -> String {
    let last = text.lines().last().unwrap_or("").trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The expression in the syntax of the crate. What means the same in both is left as it is.
fn translate(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => {
                let escaped = rest.next().ok_or("it ends in a backslash")?;
                out.push_str(&literal(escaped));
            }
            '[' => set(&mut rest, &mut out)?,
            '(' if rest.as_str().starts_with('?') => return Err("nothing before '?'".to_owned()),
            other => out.push(other),
        }
    }
    Ok(out)
}

/// What stands between brackets: a backslash is a member like any other there.
fn set(rest: &mut std::str::Chars<'_>, out: &mut String) -> Result<(), String> {
    out.push('[');
    if rest.as_str().starts_with('^') {
        rest.next();
        out.push('^');
    }
    let mut first = true;
    loop {
        let text = rest.as_str();
        if let Some(class) = text.strip_prefix("[:") {
            let end = class.find(":]").ok_or("a [: has no :]")?;
            let name = class.get(..end).unwrap_or("");
            if !CLASSES.contains(&name) {
                return Err(format!("unknown character class name '{name}'"));
            }
            out.push_str(&format!("[:{name}:]"));
            *rest = class.get(end + 2..).unwrap_or("").chars();
        } else {
            match rest.next().ok_or("expected ]")? {
                ']' if !first => {
                    out.push(']');
                    return Ok(());
                }
                '-' if !first && !rest.as_str().starts_with(']') => out.push('-'),
                other => out.push_str(&literal(other)),
            }
        }
        first = false;
    }
}

fn literal(character: char) -> String {
    if character.is_ascii_alphanumeric() || !character.is_ascii() {
        character.to_string()
    } else {
        format!("\\x{{{:x}}}", u32::from(character))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_as_posix_has_them() {
        let table = [
            ("^a.c$", "a\nc", true),
            ("a|b+", "xbb", true),
            ("[[:digit:]]+x", "12x", true),
            ("[^[:space:]]", " ", false),
            ("[\\d]", "\\", true),
            ("[\\d]", "5", false),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[^-a]", "-", false),
            ("\\.", "x", false),
            ("\\d", "d", true),
            ("\\d", "5", false),
            ("a{2,3}$", "aa", true),
            ("(ab)*c", "ababc", true),
            ("[&&a]", "&", true),
        ];
        for (pattern, text, expected) in table {
            let regex = compile(pattern.as_bytes()).expect(pattern);
            assert_eq!(
                regex.is_match(text.as_bytes()),
                expected,
                "{pattern} {text:?}"
            );
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for pattern in ["(", "[a", "a\\", "(?:x)", "x{99999}", "[[:nosuch:]]"] {
            assert!(compile(pattern.as_bytes()).is_err(), "{pattern}");
        }
    }
}
