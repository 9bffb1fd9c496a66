//! `print`, `printf` and their relatives, which are part of the language.

use super::super::ast::{Expr, Print};
use super::{Parsed, Parser};

impl Parser {
    /// The call of a function of that name; `None` when it is none of these.
    pub(super) fn print(&mut self, name: &str) -> Parsed<Option<Print>> {
        let (to_string, rest) = match name.strip_prefix("sprint") {
            Some(rest) => (true, rest),
            None => match name.strip_prefix("print") {
                Some(rest) => (false, rest),
                None => return Ok(None),
            },
        };
        let (newline, with_format, with_delimiter) = match rest {
            "" => (false, false, false),
            "ln" => (true, false, false),
            "f" => (false, true, false),
            "d" => (false, false, true),
            "dln" => (true, false, true),
            _ => return Ok(None),
        };
        self.expect_operator("(")?;
        let format = if with_format {
            Some(self.expect_text()?)
        } else {
            None
        };
        let delimiter = if with_delimiter {
            Some(self.expect_text()?.0)
        } else {
            None
        };
        let arguments = self.printed(
            with_format || with_delimiter,
            with_format || newline && !with_delimiter,
        )?;
        Ok(Some(Print {
            name: name.to_owned(),
            to_string,
            newline,
            format,
            delimiter,
            arguments,
        }))
    }

    /// The arguments up to the closing parenthesis.
    fn printed(&mut self, behind_comma: bool, may_be_none: bool) -> Parsed<Vec<Expr>> {
        let mut arguments = Vec::new();
        if may_be_none && self.takes_operator(")") {
            return Ok(arguments);
        }
        if behind_comma {
            self.expect_operator(",")?;
        }
        loop {
            arguments.push(self.expression()?);
            if self.takes_operator(")") {
                return Ok(arguments);
            }
            if !self.takes_operator(",") {
                return Err(self.expected("',' or ')'"));
            }
        }
    }
}
