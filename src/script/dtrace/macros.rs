//! `$1`, `$$1`, `$target` and their like ("Scripting" in the Dynamic Tracing Guide).

use std::collections::BTreeSet;

use super::Settings;

/// What a macro stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Macro {
    /// A number.
    Int(i64),
    /// The text of an argument.
    Text(String),
    /// The text of an argument, as a string.
    Quoted(String),
    /// The process that is traced.
    Target,
    /// An argument that is not there.
    Missing(usize),
    /// It is none.
    Unknown,
}

/// The meaning of `$name`; `$$1` has the name `$1`. `used` gets the indexes of arguments that are looked at.
pub(super) fn resolve(name: &str, settings: &Settings, used: &mut BTreeSet<usize>) -> Macro {
    let (digits, quoted) = match name.strip_prefix('$') {
        Some(digits) => (digits, true),
        None => (name, false),
    };
    if !digits.is_empty() && digits.chars().all(|it| it.is_ascii_digit()) {
        let Ok(index) = digits.parse::<usize>() else {
            return Macro::Missing(usize::MAX);
        };
        used.insert(index);
        let text = match index.checked_sub(1) {
            None => Some(&settings.script_name),
            Some(index) => settings.arguments.get(index),
        };
        return match text {
            None => Macro::Missing(index),
            Some(text) if quoted => Macro::Quoted(text.clone()),
            Some(text) => Macro::Text(text.clone()),
        };
    }
    let ids = &settings.ids;
    let number = match name {
        "target" => return Macro::Target,
        "pid" => i64::from(settings.pid),
        "ppid" => i64::from(ids.ppid),
        "pgid" => i64::from(ids.pgid),
        "sid" => i64::from(ids.sid),
        "uid" => i64::from(ids.uid),
        "euid" => i64::from(ids.euid),
        "gid" => i64::from(ids.gid),
        "egid" => i64::from(ids.egid),
        _ => return Macro::Unknown,
    };
    Macro::Int(number)
}

/// A probe's description with its macros replaced; `$target` stays.
///
/// # Errors
/// A macro is unknown or missing; the text says which.
pub(super) fn expand(
    text: &str,
    settings: &Settings,
    used: &mut BTreeSet<usize>,
) -> Result<String, String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        let dollars = usize::from(after.starts_with('$'));
        let body = after.get(dollars..).unwrap_or("");
        let numbered = body.starts_with(|it: char| it.is_ascii_digit());
        let end = body
            .find(|it: char| {
                if numbered {
                    !it.is_ascii_digit()
                } else {
                    !it.is_ascii_alphanumeric() && it != '_'
                }
            })
            .unwrap_or(body.len())
            .saturating_add(dollars);
        let name = after.get(..end).unwrap_or("");
        rest = after.get(end..).unwrap_or("");
        match resolve(name, settings, used) {
            Macro::Int(value) => result.push_str(&value.to_string()),
            Macro::Text(text) | Macro::Quoted(text) => result.push_str(&text),
            Macro::Target => result.push_str("$target"),
            Macro::Missing(_) => return Err(format!("macro argument ${name} is not defined")),
            Macro::Unknown => return Err(format!("macro ${name} is not defined")),
        }
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_have_their_macros_replaced() {
        let settings = Settings {
            arguments: vec!["1234".to_owned(), "97".to_owned()],
            pid: 7,
            ..Settings::default()
        };
        let mut used = BTreeSet::new();
        for (text, expected) in [
            ("python$target:::", Ok("python$target:::")),
            ("python$1:::line", Ok("python1234:::line")),
            ("profile-$2hz", Ok("profile-97hz")),
            ("tick-$$2", Ok("tick-97")),
            ("p$pid", Ok("p7")),
            ("p$3", Err("macro argument $3 is not defined")),
            ("p$nosuch", Err("macro $nosuch is not defined")),
            ("p$", Err("macro $ is not defined")),
        ] {
            let result = expand(text, &settings, &mut used);
            let result = result.as_deref().map_err(String::as_str);
            assert_eq!(result, expected, "{text}");
        }
        assert_eq!(used, BTreeSet::from([1, 2, 3]));
    }
}
