//! Which language a script is in, when no flag says it.

use anyhow::bail;

use super::{Language, Loaded};

/// The language of a script that does not say it by a flag: by the name's ending, by its `#!` line, else by how it
/// begins.
///
/// # Errors
/// It cannot be told.
pub fn language_of(loaded: &Loaded) -> anyhow::Result<Language> {
    let text = String::from_utf8_lossy(&loaded.text);
    if loaded.name.ends_with(".d") {
        return Ok(Language::Dtrace);
    }
    if loaded.name.ends_with(".stp") {
        return Ok(Language::Systemtap);
    }
    if loaded.name.ends_with(".bt") {
        bail!(
            "{}: bpftrace's language is not supported yet; D and SystemTap scripts are",
            loaded.name
        );
    }
    if let Some(line) = interpreter_line(&text) {
        if line.contains("dtrace") {
            return Ok(Language::Dtrace);
        }
        if line.contains("stap") {
            return Ok(Language::Systemtap);
        }
    }
    match first_word(&text) {
        "probe" | "global" | "function" | "private" => Ok(Language::Systemtap),
        "BEGIN" | "END" | "ERROR" | "inline" | "self" | "this" => Ok(Language::Dtrace),
        word if text.contains("#pragma D") || is_described(&text, word) => Ok(Language::Dtrace),
        word if word.starts_with("tick-") || word.starts_with("profile-") => Ok(Language::Dtrace),
        _ => bail!(
            "{}: whether this is D or SystemTap cannot be told; say it with --lang",
            loaded.name
        ),
    }
}

/// Whether a text begins with a probe description of D's: `provider:…` or `provider*:…`.
fn is_described(text: &str, word: &str) -> bool {
    let rest = text.find(word).and_then(|at| text.get(at..)).unwrap_or("");
    let end = rest.find(|it: char| !(it.is_alphanumeric() || "_-*?[]$".contains(it)));
    rest.get(end.unwrap_or(rest.len())..)
        .is_some_and(|it| it.starts_with(':'))
}

/// What stands behind `#!` in the first line.
pub fn interpreter_line(text: &str) -> Option<&str> {
    text.strip_prefix("#!")?.lines().next().map(str::trim)
}

/// The first word that is not in a comment or a line of the preprocessor.
fn first_word(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("/*") {
            match comment.split_once("*/") {
                Some((_, behind)) => rest = behind,
                None => return "",
            }
        } else if rest.starts_with("//") || rest.starts_with('#') {
            match rest.split_once('\n') {
                Some((_, behind)) => rest = behind,
                None => return "",
            }
        } else {
            break;
        }
    }
    let end = rest.find(|it: char| !(it.is_alphanumeric() || matches!(it, '_' | '-')));
    rest.get(..end.unwrap_or(rest.len())).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_shows_in_name_first_line_or_text() {
        let table = [
            ("x.d", "", Some(Language::Dtrace)),
            ("x.stp", "", Some(Language::Systemtap)),
            ("x", "#!/usr/sbin/dtrace -Zs\n", Some(Language::Dtrace)),
            ("x", "#!/usr/bin/env stap\n", Some(Language::Systemtap)),
            ("-", "/* D */ BEGIN { exit(0); }", Some(Language::Dtrace)),
            (
                "-",
                "python*:::line { trace(arg2); }",
                Some(Language::Dtrace),
            ),
            ("-", "tick-1s { exit(0); }", Some(Language::Dtrace)),
            ("-", "# x\n// y\nprobe begin { }", Some(Language::Systemtap)),
            ("-", "global a", Some(Language::Systemtap)),
            ("x.bt", "BEGIN { }", None),
            ("-", "fbt::foo:entry", Some(Language::Dtrace)),
            ("-", "*:::gc-start", Some(Language::Dtrace)),
            ("-", "hello", None),
            ("-", "/* never closed", None),
            ("-", "", None),
        ];
        for (name, text, expected) in table {
            let loaded = Loaded {
                name: name.to_owned(),
                text: text.as_bytes().to_vec(),
            };
            assert_eq!(language_of(&loaded).ok(), expected, "{name}: {text}");
        }
    }
}
