//! What SystemTap does before it parses: `%( condition %? then %: otherwise %)`, and macros (`@define`).

use std::collections::HashMap;

use super::settings::Settings;
use super::token::{Token, TokenKind};
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::source::Span;

/// How deep conditionals and macros may lie within each other.
const MAX_DEPTH: usize = 64;

/// The most tokens that may come of it: macros that use each other grow exponentially.
const MAX_TOKENS: usize = 1 << 20;

/// The version of SystemTap whose language this is (`systemtap_v`).
pub const VERSION: &str = "4.8";

/// A macro.
#[derive(Clone, Debug)]
pub struct Macro {
    parameters: Vec<String>,
    body: Vec<Token>,
}

/// Macros by name, without the `@`.
pub type Macros = HashMap<String, Macro>;

/// Resolves conditionals and macros. Macros that the tokens define are added to `macros`.
pub fn preprocess(
    tokens: &[Token],
    settings: &Settings<'_>,
    macros: &mut Macros,
    diagnostics: &mut Diagnostics,
) -> Vec<Token> {
    let mut state = Preprocessor {
        settings,
        macros,
        out: Vec::new(),
    };
    let frame = Frame {
        parameters: HashMap::new(),
        depth: 0,
    };
    if let Err(error) = state.run(tokens, &frame) {
        diagnostics.push(error);
    }
    state.out
}

struct Preprocessor<'a, 's> {
    settings: &'a Settings<'s>,
    macros: &'a mut Macros,
    out: Vec<Token>,
}

/// What the parameters of the macro that is being expanded stand for.
struct Frame {
    parameters: HashMap<String, Vec<Token>>,
    depth: usize,
}

impl Preprocessor<'_, '_> {
    fn run(&mut self, tokens: &[Token], frame: &Frame) -> Result<(), Diagnostic> {
        let mut rest = tokens;
        while let Some((token, after)) = rest.split_first() {
            rest = after;
            if frame.depth > MAX_DEPTH {
                return Err(Diagnostic::error(
                    token.span,
                    "parse error: conditionals or macros lie too deep within each other",
                ));
            }
            match &token.kind {
                TokenKind::Operator("%(") => rest = self.conditional(token.span, rest, frame)?,
                TokenKind::Name(name) if name == "@define" => {
                    rest = self.define(token.span, rest)?;
                }
                TokenKind::Name(name) => {
                    let bare = name.strip_prefix('@').unwrap_or("");
                    if let Some(value) = frame.parameters.get(bare) {
                        self.extend(value, token.span)?;
                    } else if let Some(found) = self.macros.get(bare).cloned() {
                        rest = self.invoke(token.span, &found, rest, frame)?;
                    } else {
                        self.extend(std::slice::from_ref(token), token.span)?;
                    }
                }
                _ => self.extend(std::slice::from_ref(token), token.span)?,
            }
        }
        Ok(())
    }

    fn extend(&mut self, tokens: &[Token], span: Span) -> Result<(), Diagnostic> {
        if self.out.len().saturating_add(tokens.len()) > MAX_TOKENS {
            let message = "parse error: macros make more than a million tokens";
            return Err(Diagnostic::error(span, message));
        }
        self.out.extend_from_slice(tokens);
        Ok(())
    }

    /// The tokens that another list becomes.
    fn expanded(&mut self, tokens: &[Token], frame: &Frame) -> Result<Vec<Token>, Diagnostic> {
        let begin = self.out.len();
        let inner = Frame {
            parameters: frame.parameters.clone(),
            depth: frame.depth + 1,
        };
        self.run(tokens, &inner)?;
        Ok(self.out.split_off(begin))
    }

    fn conditional<'t>(
        &mut self,
        start: Span,
        tokens: &'t [Token],
        frame: &Frame,
    ) -> Result<&'t [Token], Diagnostic> {
        let (condition, end, rest) = until(tokens, &["%?"], start)?;
        let (then, end, rest) = until(rest, &["%:", "%)"], end.span)?;
        let (otherwise, rest) = if end.kind == TokenKind::Operator("%:") {
            let (otherwise, _, rest) = until(rest, &["%)"], end.span)?;
            (otherwise, rest)
        } else {
            (&[] as &[Token], rest)
        };
        let condition = self.expanded(condition, frame)?;
        let mut parser = Condition {
            tokens: &condition,
            settings: self.settings,
            start,
        };
        let holds = parser.any()?;
        if let Some(token) = parser.tokens.first() {
            let message = "parse error: expected '%?' in a preprocessor conditional";
            return Err(Diagnostic::error(token.span, message));
        }
        let inner = Frame {
            parameters: frame.parameters.clone(),
            depth: frame.depth + 1,
        };
        self.run(if holds { then } else { otherwise }, &inner)?;
        Ok(rest)
    }

    fn define<'t>(&mut self, start: Span, tokens: &'t [Token]) -> Result<&'t [Token], Diagnostic> {
        let wrong = |span, expected: &str| {
            Diagnostic::error(span, format!("parse error: expected {expected}"))
                .hint("a macro is written @define NAME(PARAMETER, …) %( BODY %)")
        };
        let (name, mut rest) = match tokens.split_first() {
            Some((
                Token {
                    kind: TokenKind::Name(name),
                    ..
                },
                rest,
            )) => (name.clone(), rest),
            Some((token, _)) => return Err(wrong(token.span, "identifier")),
            None => return Err(wrong(start, "identifier")),
        };
        let mut parameters = Vec::new();
        if let Some((
            Token {
                kind: TokenKind::Operator("("),
                span,
            },
            after,
        )) = rest.split_first()
        {
            let (list, _, after) = until_closed(after, *span)?;
            rest = after;
            for piece in list {
                match piece {
                    [
                        Token {
                            kind: TokenKind::Name(name),
                            ..
                        },
                    ] => parameters.push(name.clone()),
                    [] if parameters.is_empty() => {}
                    _ => return Err(wrong(*span, "identifiers")),
                }
            }
        }
        match rest.split_first() {
            Some((
                Token {
                    kind: TokenKind::Operator("%("),
                    span,
                },
                after,
            )) => {
                let (body, _, after) = until(after, &["%)"], *span)?;
                let body = body.to_vec();
                self.macros.insert(name, Macro { parameters, body });
                Ok(after)
            }
            Some((token, _)) => Err(wrong(token.span, "'%('")),
            None => Err(wrong(start, "'%('")),
        }
    }

    fn invoke<'t>(
        &mut self,
        span: Span,
        found: &Macro,
        tokens: &'t [Token],
        frame: &Frame,
    ) -> Result<&'t [Token], Diagnostic> {
        let mut inner = Frame {
            parameters: HashMap::new(),
            depth: frame.depth + 1,
        };
        let mut rest = tokens;
        if !found.parameters.is_empty() {
            let Some((
                Token {
                    kind: TokenKind::Operator("("),
                    ..
                },
                after,
            )) = tokens.split_first()
            else {
                return Err(Diagnostic::error(
                    span,
                    "parse error: expected '(' in invocation of macro",
                ));
            };
            let (given, _, after) = until_closed(after, span)?;
            if given.len() != found.parameters.len() {
                let message = format!(
                    "parse error: macro takes {} arguments, {} are given",
                    found.parameters.len(),
                    given.len()
                );
                return Err(Diagnostic::error(span, message));
            }
            for (name, tokens) in found.parameters.iter().zip(given) {
                let value = self.expanded(tokens, frame)?;
                inner.parameters.insert(name.clone(), value);
            }
            rest = after;
        }
        self.run(&found.body, &inner)?;
        Ok(rest)
    }
}

/// The tokens before the first of these operators that belongs to this conditional, that operator, and the rest.
fn until<'t>(
    tokens: &'t [Token],
    ends: &[&str],
    start: Span,
) -> Result<(&'t [Token], &'t Token, &'t [Token]), Diagnostic> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        let TokenKind::Operator(operator) = &token.kind else {
            continue;
        };
        if depth == 0 && ends.contains(operator) {
            let before = tokens.get(..at).unwrap_or(&[]);
            let after = tokens.get(at + 1..).unwrap_or(&[]);
            return Ok((before, token, after));
        }
        match *operator {
            "%(" => depth += 1,
            "%)" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    let message = "parse error: incomplete conditional or macro at end of file";
    Err(Diagnostic::error(start, message).hint(format!("it needs a {}", ends.join(" or "))))
}

/// A list in brackets.
type List<'t> = (Vec<&'t [Token]>, &'t Token, &'t [Token]);

/// The pieces between the commas up to the closing parenthesis, that, and the rest.
fn until_closed(tokens: &[Token], start: Span) -> Result<List<'_>, Diagnostic> {
    let (mut depth, mut from, mut pieces) = (0_usize, 0_usize, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let TokenKind::Operator(operator) = &token.kind else {
            continue;
        };
        match *operator {
            "," | ")" if depth == 0 => {
                pieces.push(tokens.get(from..at).unwrap_or(&[]));
                from = at + 1;
                if *operator == ")" {
                    return Ok((pieces, token, tokens.get(from..).unwrap_or(&[])));
                }
            }
            "(" | "[" | "{" | "%(" => depth += 1,
            ")" | "]" | "}" | "%)" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Err(Diagnostic::error(start, "parse error: expected ')' or ','"))
}

/// The condition of a conditional.
struct Condition<'a, 's> {
    tokens: &'a [Token],
    settings: &'a Settings<'s>,
    start: Span,
}

impl Condition<'_, '_> {
    fn next(&mut self) -> Result<Token, Diagnostic> {
        match self.tokens.split_first() {
            Some((token, rest)) => {
                self.tokens = rest;
                Ok(token.clone())
            }
            None => Err(Diagnostic::error(
                self.start,
                "parse error: incomplete condition in a preprocessor conditional",
            )),
        }
    }

    fn takes(&mut self, operator: &str) -> bool {
        match self.tokens.split_first() {
            Some((token, rest)) if matches!(token.kind, TokenKind::Operator(it) if it == operator) =>
            {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }

    fn any(&mut self) -> Result<bool, Diagnostic> {
        let mut holds = self.all()?;
        while self.takes("||") {
            holds |= self.all()?;
        }
        Ok(holds)
    }

    fn all(&mut self) -> Result<bool, Diagnostic> {
        let mut holds = self.comparison()?;
        while self.takes("&&") {
            holds &= self.comparison()?;
        }
        Ok(holds)
    }

    fn comparison(&mut self) -> Result<bool, Diagnostic> {
        let left = self.next()?;
        let operator = self.next()?;
        let right = self.next()?;
        let TokenKind::Operator(name) = operator.kind else {
            return Err(Diagnostic::error(
                operator.span,
                "parse error: expected comparison operator",
            ));
        };
        let ordering = self.compare(&left, &right)?;
        Ok(match (name, ordering) {
            ("==", Ordered::By(it)) => it.is_eq(),
            ("!=", Ordered::By(it)) => it.is_ne(),
            ("<", Ordered::By(it)) => it.is_lt(),
            ("<=", Ordered::By(it)) => it.is_le(),
            (">", Ordered::By(it)) => it.is_gt(),
            (">=", Ordered::By(it)) => it.is_ge(),
            ("==", Ordered::Is(it)) => it,
            ("!=", Ordered::Is(it)) => !it,
            _ => {
                let message = "parse error: expected comparison operator";
                return Err(Diagnostic::error(operator.span, message));
            }
        })
    }

    fn compare(&self, left: &Token, right: &Token) -> Result<Ordered, Diagnostic> {
        use TokenKind::{Name, Number, Text};
        let pattern = |value: &str| match &right.kind {
            Text(text) => Ok(String::from_utf8_lossy(text).split('|').any(|it| {
                crate::probe::glob::Glob::parse(it).is_some_and(|glob| glob.matches(value))
            })),
            _ => Err(Diagnostic::error(
                right.span,
                "parse error: expected string literal",
            )),
        };
        match (&left.kind, &right.kind) {
            (Number(a), Number(b)) => Ok(Ordered::By(a.cmp(b))),
            (Text(a), Text(b)) => Ok(Ordered::By(a.cmp(b))),
            (Name(name), Text(text))
                if matches!(name.as_str(), "systemtap_v" | "kernel_v" | "kernel_vr") =>
            {
                let own = if name == "systemtap_v" {
                    VERSION
                } else {
                    self.settings.kernel.as_str()
                };
                let wanted = String::from_utf8_lossy(text);
                if wanted.contains(['*', '?', '[']) {
                    return Ok(Ordered::Is(pattern(own)?));
                }
                Ok(Ordered::By(versions(own, &wanted)))
            }
            (Name(name), Number(wanted)) if name == "guru_mode" => {
                Ok(Ordered::By(i64::from(self.settings.guru).cmp(wanted)))
            }
            (Name(name), _) => {
                let value = match name.as_str() {
                    "arch" => std::env::consts::ARCH,
                    // Scripts are written for the defaults of stap.
                    "systemtap_privilege" => "stapdev",
                    "runtime" => "kernel",
                    it if it.starts_with("CONFIG_") => "",
                    _ => {
                        let message = "parse error: expected 'arch' or 'kernel_v' or 'kernel_vr' or 'CONFIG_...' or comparison between strings or integers";
                        return Err(Diagnostic::error(left.span, message));
                    }
                };
                Ok(Ordered::Is(pattern(value)?))
            }
            (TokenKind::MissingArgument(_), _) => Err(Diagnostic::error(
                left.span,
                "parse error: command line argument out of range",
            )),
            _ => Err(Diagnostic::error(
                right.span,
                "parse error: expected a literal of the same type",
            )),
        }
    }
}

/// What comes of a comparison: an order, or a match of patterns.
enum Ordered {
    By(std::cmp::Ordering),
    Is(bool),
}

/// Compares versions: numbers within them as numbers.
fn versions(left: &str, right: &str) -> std::cmp::Ordering {
    let parts = |text: &str| -> Vec<u64> {
        text.split(|it: char| !it.is_ascii_digit())
            .filter(|it| !it.is_empty())
            .map(|it| it.parse().unwrap_or(u64::MAX))
            .collect()
    };
    parts(left).cmp(&parts(right))
}
