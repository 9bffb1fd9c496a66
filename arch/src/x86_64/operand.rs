//! Operands in AT&T syntax, as GCC and LLVM print them into notes.
//!
//! `$5` and `$sym` are values; `%rax` and `%xmm0` registers; all else is memory:
//! `[%SEGMENT:][DISPLACEMENT][(BASE,INDEX,SCALE)]`, where DISPLACEMENT is a sum of numbers and at most one symbol. A
//! number alone is therefore an address, as in the assembler.

use std::fmt;

use super::registers::{self, FS_BASE, GS_BASE, RIP};
use crate::error::Reason;
use crate::location::{Index, Location, Memory};
use crate::parse::{Cursor, Fault, write_expression};
use crate::registers::Register;

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Location, Fault> {
    if cursor.eat("$") {
        let value = cursor.expression()?;
        return Ok(match value.symbol {
            Some(symbol) => Location::SymbolAddress {
                symbol: symbol.into(),
                addend: value.number,
            },
            None => Location::Constant(value.number),
        });
    }
    let mut memory = Memory::default();
    if cursor.rest().starts_with('%') {
        let start = cursor.position();
        let name = register_name(cursor)?;
        if !cursor.eat(":") {
            return register_operand(name)
                .ok_or_else(|| cursor.fault_since(start, Reason::Register));
        }
        memory.segment = match name {
            "fs" => Some(FS_BASE),
            "gs" => Some(GS_BASE),
            // In 64-bit mode these have base 0.
            "cs" | "ds" | "es" | "ss" => None,
            _ => return Err(cursor.fault_since(start, Reason::AddressRegister)),
        };
    }
    let bare = cursor.rest().starts_with('(');
    if !bare {
        let displacement = cursor.expression()?;
        memory.displacement = displacement.number;
        memory.symbol = displacement.symbol.map(Into::into);
    }
    if cursor.eat("(") {
        registers_of_address(cursor, &mut memory)?;
    }
    Ok(Location::Memory(memory))
}

fn register_name<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Fault> {
    if !cursor.eat("%") {
        return Err(cursor.expected("a register"));
    }
    Ok(cursor.take(|it| it.is_ascii_alphanumeric() || it == '_'))
}

fn register_operand(name: &str) -> Option<Location> {
    let general = registers::by_name(name).map(Location::Register);
    general.or_else(|| registers::vector(name).map(Location::Vector))
}

/// What stands in the parentheses, after the opening one: `BASE`, `BASE,INDEX`, `,INDEX`, each INDEX perhaps with
/// `,SCALE`.
fn registers_of_address(cursor: &mut Cursor<'_>, memory: &mut Memory) -> Result<(), Fault> {
    cursor.spaces();
    if !cursor.rest().starts_with(',') {
        let base = address_register(cursor, memory)?;
        if base == RIP && memory.symbol.is_some() {
            memory.pc_relative = true;
        } else {
            memory.base = Some(base);
        }
        cursor.spaces();
        if base == RIP {
            return close(cursor);
        }
    }
    if cursor.eat(",") {
        memory.index = Some(index(cursor, memory)?);
    }
    close(cursor)
}

fn close(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    cursor.spaces();
    if cursor.eat(")") {
        Ok(())
    } else {
        Err(cursor.expected("`)`"))
    }
}

/// A register that can form an address: one of 64 bits or, like all others of this address, of 32.
fn address_register(cursor: &mut Cursor<'_>, memory: &mut Memory) -> Result<Register, Fault> {
    let start = cursor.position();
    let name = register_name(cursor)?;
    let register = registers::by_name(name);
    let register = register.ok_or_else(|| cursor.fault_since(start, Reason::Register))?;
    let fits = match (memory.base, register.bits()) {
        (None, 32) => true,
        (None, bits) => bits == 64,
        (Some(base), bits) => bits == base.bits(),
    };
    if !fits {
        return Err(cursor.fault_since(start, Reason::AddressRegister));
    }
    memory.address_bits = if register.bits() == 32 { 32 } else { 64 };
    Ok(register)
}

fn index(cursor: &mut Cursor<'_>, memory: &mut Memory) -> Result<Index, Fault> {
    cursor.spaces();
    let start = cursor.position();
    let register = address_register(cursor, memory)?;
    // The encoding has no place for rsp and rip as an index.
    if register == RIP || register.word() == registers::RSP.word() {
        return Err(cursor.fault_since(start, Reason::AddressRegister));
    }
    cursor.spaces();
    let mut scale = 1;
    if cursor.eat(",") {
        cursor.spaces();
        let start = cursor.position();
        scale = match cursor.number()? {
            1 => 1,
            2 => 2,
            4 => 4,
            8 => 8,
            _ => return Err(cursor.fault_since(start, Reason::Scale)),
        };
    }
    Ok(Index {
        register,
        scale,
        sign_extend: false,
    })
}

pub(super) fn write(out: &mut fmt::Formatter<'_>, location: &Location) -> fmt::Result {
    match location {
        Location::Constant(value) => write!(out, "${value}"),
        Location::SymbolAddress { symbol, addend } => {
            out.write_str("$")?;
            write_expression(out, Some(symbol), *addend)
        }
        Location::Register(register) => write_register(out, *register),
        Location::Vector(number) => write!(out, "%xmm{number}"),
        Location::Memory(memory) => write_memory(out, memory),
    }
}

fn write_register(out: &mut fmt::Formatter<'_>, register: Register) -> fmt::Result {
    write!(out, "%{}", registers::name_of(register).unwrap_or("?"))
}

fn write_memory(out: &mut fmt::Formatter<'_>, memory: &Memory) -> fmt::Result {
    match memory.segment {
        Some(FS_BASE) => out.write_str("%fs:")?,
        Some(GS_BASE) => out.write_str("%gs:")?,
        _ => {}
    }
    let in_parentheses = memory.base.is_some() || memory.index.is_some() || memory.pc_relative;
    if memory.symbol.is_some() || memory.displacement != 0 || !in_parentheses {
        write_expression(out, memory.symbol.as_deref(), memory.displacement)?;
    }
    if !in_parentheses {
        return Ok(());
    }
    out.write_str("(")?;
    if memory.pc_relative {
        write_register(out, RIP)?;
    } else if let Some(base) = memory.base {
        write_register(out, base)?;
    }
    if let Some(index) = memory.index {
        out.write_str(",")?;
        write_register(out, index.register)?;
        write!(out, ",{}", index.scale)?;
    }
    out.write_str(")")
}
