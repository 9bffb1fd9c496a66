//! Escape sequences for terminals (`ansi.stp` of SystemTap's tapset).

use crate::script::builtin::{Action, Needs};
use crate::script::vm::Call;

macro_rules! sequences {
    ($($(#[$doc:meta])* $row:ident $name:literal: $bytes:literal;)*) => {$(
        $(#[$doc])*
        pub static $row: Action = Action {
            name: $name,
            needs: Needs::NONE,
            run: |call| {
                call.print($bytes);
                Ok(())
            },
        };
    )*};
}

sequences! {
    /// `ansi_clear_screen()`
    ANSI_CLEAR_SCREEN "ansi_clear_screen": b"\x1b[1;1H\x1b[J";
    /// `ansi_reset_color()`
    ANSI_RESET_COLOR "ansi_reset_color": b"\x1b[0;0m";
    /// `ansi_new_line()`
    ANSI_NEW_LINE "ansi_new_line": b"\n";
    /// `ansi_cursor_save()`
    ANSI_CURSOR_SAVE "ansi_cursor_save": b"\x1b[s";
    /// `ansi_cursor_restore()`
    ANSI_CURSOR_RESTORE "ansi_cursor_restore": b"\x1b[u";
    /// `ansi_cursor_hide()`
    ANSI_CURSOR_HIDE "ansi_cursor_hide": b"\x1b[>5I";
    /// `ansi_cursor_show()`
    ANSI_CURSOR_SHOW "ansi_cursor_show": b"\x1b[>5h";
}

/// `ansi_set_color(foreground[, background[, attribute]])`
pub static ANSI_SET_COLOR: Action = Action {
    name: "ansi_set_color",
    needs: Needs::NONE,
    run: |call| {
        let (foreground, background, attribute) = (call.int(0), call.int(1), call.int(2));
        let text = match (call.len(), attribute) {
            (..2, _) => format!("\x1b[{foreground}m"),
            (_, 0) => format!("\x1b[{background};{foreground}m"),
            _ => format!("\x1b[{background};{foreground};{attribute}m"),
        };
        print(call, &text)
    },
};

/// `ansi_cursor_move(x, y)`
pub static ANSI_CURSOR_MOVE: Action = Action {
    name: "ansi_cursor_move",
    needs: Needs::NONE,
    run: |call| {
        let text = format!("\x1b[{};{}H", call.int(1), call.int(0));
        print(call, &text)
    },
};

fn print(call: &mut Call<'_>, text: &str) -> Result<(), crate::script::ir::Fault> {
    call.print(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::trial::Trial;
    use super::super::trial::Value::Int;
    use super::*;

    #[test]
    fn sequences_are_those_of_the_tapset() {
        let mut trial = Trial::default();
        let mut print = |action: &Action, arguments: &[_]| {
            trial.out.clear();
            assert_eq!(trial.act(action, arguments), Ok(()));
            String::from_utf8(trial.out.clone()).expect("ASCII")
        };
        assert_eq!(print(&ANSI_CLEAR_SCREEN, &[]), "\x1b[1;1H\x1b[J");
        assert_eq!(print(&ANSI_RESET_COLOR, &[]), "\x1b[0;0m");
        assert_eq!(print(&ANSI_SET_COLOR, &[Int(31)]), "\x1b[31m");
        assert_eq!(print(&ANSI_SET_COLOR, &[Int(31), Int(40)]), "\x1b[40;31m");
        assert_eq!(
            print(&ANSI_SET_COLOR, &[Int(31), Int(40), Int(0)]),
            "\x1b[40;31m"
        );
        assert_eq!(
            print(&ANSI_SET_COLOR, &[Int(31), Int(40), Int(1)]),
            "\x1b[40;31;1m"
        );
        assert_eq!(print(&ANSI_CURSOR_MOVE, &[Int(3), Int(-7)]), "\x1b[-7;3H");
    }
}
