//! Operands in the syntax of the Arm assembler, as GCC (`[sp, 28]`) and LLVM (`[sp, #28]`) print them into notes.
//!
//! A number or symbol alone is a value; a name is a register; memory stands in brackets: `[BASE]`, `[BASE, NUMBER]`,
//! `[BASE, INDEX]`, `[BASE, INDEX, EXTEND AMOUNT]`, `[BASE, :lo12:SYMBOL]`. Forms that change the base register
//! (`[x0, 8]!`, `[x0], 8`) cannot be in a note and are refused.

use std::fmt;

use super::registers;
use crate::error::Reason;
use crate::location::{Index, Location, Memory};
use crate::parse::{Cursor, Fault, write_expression};
use crate::registers::Register;

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Location, Fault> {
    if cursor.eat("[") {
        return memory(cursor).map(Location::Memory);
    }
    let start = cursor.position();
    if !cursor.eat("#") {
        let mut ahead = cursor.lookahead();
        if let Some(found) = register_operand(word(&mut ahead))
            && ahead.rest().is_empty()
        {
            *cursor = ahead;
            return Ok(found);
        }
    }
    let value = cursor.expression()?;
    Ok(match value.symbol {
        // `x31`, `v0.d`, `sp+8`
        Some(symbol) if registers::is_reserved(symbol) => {
            return Err(cursor.fault_since(start, Reason::Register));
        }
        Some(symbol) => Location::SymbolAddress {
            symbol: symbol.into(),
            addend: value.number,
        },
        None => Location::Constant(value.number),
    })
}

fn word<'a>(cursor: &mut Cursor<'a>) -> &'a str {
    cursor.take(|it| it.is_ascii_alphanumeric())
}

fn register_operand(name: &str) -> Option<Location> {
    if registers::is_zero(name) {
        return Some(Location::Constant(0));
    }
    let general = registers::by_name(name).map(Location::Register);
    general.or_else(|| registers::vector(name).map(Location::Vector))
}

/// What stands in the brackets, after the opening one.
fn memory(cursor: &mut Cursor<'_>) -> Result<Memory, Fault> {
    cursor.spaces();
    let start = cursor.position();
    let base = registers::by_name(word(cursor));
    let base = base.ok_or_else(|| cursor.fault_since(start, Reason::Register))?;
    if base.bits() != 64 || base == registers::PC {
        return Err(cursor.fault_since(start, Reason::AddressRegister));
    }
    let mut memory = Memory {
        base: Some(base),
        ..Memory::default()
    };
    cursor.spaces();
    if cursor.eat(",") {
        offset(cursor, &mut memory)?;
        cursor.spaces();
    }
    if cursor.eat("]") {
        Ok(memory)
    } else {
        Err(cursor.expected("`]`"))
    }
}

/// What is added to the base: a number, the low bits of a symbol, or a register.
fn offset(cursor: &mut Cursor<'_>, memory: &mut Memory) -> Result<(), Fault> {
    cursor.spaces();
    let sharp = cursor.eat("#");
    let low12 = cursor.eat(":lo12:");
    if !sharp
        && !low12
        && cursor
            .rest()
            .starts_with(|it: char| it.is_ascii_alphabetic())
    {
        memory.index = index(cursor)?;
        return Ok(());
    }
    let start = cursor.position();
    let value = cursor.expression()?;
    if value.symbol.is_some() != low12 {
        let what = if low12 { "a symbol" } else { "a number" };
        return Err(cursor.fault_since(start, Reason::Expected(what)));
    }
    memory.displacement = value.number;
    memory.symbol = value.symbol.map(Into::into);
    memory.low12 = low12;
    Ok(())
}

/// An index register and how it is extended and shifted; `None` for the zero register.
fn index(cursor: &mut Cursor<'_>) -> Result<Option<Index>, Fault> {
    let start = cursor.position();
    let name = word(cursor);
    let zero = registers::is_zero(name);
    let register = match name {
        "xzr" => registers::by_name("x0"),
        "wzr" => registers::by_name("w0"),
        _ => registers::by_name(name),
    };
    let register = register.ok_or_else(|| cursor.fault_since(start, Reason::Register))?;
    if register.word() >= registers::SP.word() {
        return Err(cursor.fault_since(start, Reason::AddressRegister));
    }
    cursor.spaces();
    let (sign_extend, scale) = if cursor.eat(",") {
        cursor.spaces();
        extension(cursor, register)?
    } else if register.bits() == 64 {
        (false, 1)
    } else {
        return Err(cursor.expected("`, uxtw` or `, sxtw`"));
    };
    let index = Index {
        register,
        scale,
        sign_extend,
    };
    Ok((!zero).then_some(index))
}

/// `lsl 3`, `sxtx 3`, `uxtw`, `sxtw 2`: whether the sign is extended, and the factor.
fn extension(cursor: &mut Cursor<'_>, register: Register) -> Result<(bool, u8), Fault> {
    let start = cursor.position();
    let sign_extend = match (word(cursor), register.bits()) {
        ("lsl", 64) | ("uxtw", 32) => false,
        // Nothing is left to extend in 64 bits.
        ("sxtx", 64) => false,
        ("sxtw", 32) => true,
        (_, 64) => return Err(cursor.fault_since(start, Reason::Expected("`lsl` or `sxtx`"))),
        _ => return Err(cursor.fault_since(start, Reason::Expected("`uxtw` or `sxtw`"))),
    };
    cursor.spaces();
    if cursor.rest().starts_with(']') {
        return Ok((sign_extend, 1));
    }
    cursor.eat("#");
    let start = cursor.position();
    let amount = cursor.number()?;
    let scale = match amount {
        0 => 1,
        1 => 2,
        2 => 4,
        3 => 8,
        4 => 16,
        _ => return Err(cursor.fault_since(start, Reason::Scale)),
    };
    Ok((sign_extend, scale))
}

pub(super) fn write(out: &mut fmt::Formatter<'_>, location: &Location) -> fmt::Result {
    match location {
        Location::Constant(value) => write!(out, "{value}"),
        Location::SymbolAddress { symbol, addend } => write_expression(out, Some(symbol), *addend),
        Location::Register(register) => write_register(out, *register),
        Location::Vector(number) => write!(out, "v{number}"),
        Location::Memory(memory) => write_memory(out, memory),
    }
}

fn write_register(out: &mut fmt::Formatter<'_>, register: Register) -> fmt::Result {
    let letter = if register.bits() == 32 { "w" } else { "x" };
    match register.word() {
        32 => out.write_str("pc"),
        31 if letter == "w" => out.write_str("wsp"),
        31 => out.write_str("sp"),
        number => write!(out, "{letter}{number}"),
    }
}

fn write_memory(out: &mut fmt::Formatter<'_>, memory: &Memory) -> fmt::Result {
    out.write_str("[")?;
    match memory.base {
        Some(base) => write_register(out, base)?,
        None => out.write_str("xzr")?,
    }
    if let Some(index) = memory.index {
        out.write_str(", ")?;
        write_register(out, index.register)?;
        let extension = match (index.register.bits(), index.sign_extend) {
            (32, false) => ", uxtw",
            (32, true) => ", sxtw",
            _ if index.scale > 1 => ", lsl",
            _ => "",
        };
        out.write_str(extension)?;
        if index.scale > 1 {
            write!(out, " {}", index.scale.trailing_zeros())?;
        }
    }
    if let Some(symbol) = &memory.symbol {
        out.write_str(", :lo12:")?;
        write_expression(out, Some(symbol), memory.displacement)?;
    } else if memory.displacement != 0 {
        write!(out, ", {}", memory.displacement)?;
    }
    out.write_str("]")
}
