//! binutils' disassembly and table of frames as judges: no branch may lead where a diversion moves boundaries.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use ptpytrace::address::FileAddress;

use super::interpreters::{Surveyed, all};

/// The lines that a program prints.
fn lines(program: &str, arguments: &[&str], file: &Path, mut visit: impl FnMut(&str)) {
    let mut child = Command::new(program)
        .args(arguments)
        .arg(file)
        .env("LC_ALL", "C")
        .stdout(Stdio::piped())
        .spawn()
        .expect(program);
    let mut reader = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    while reader.read_line(&mut line).expect("text") > 0 {
        visit(line.trim_end());
        line.clear();
    }
    assert!(child.wait().expect(program).success());
}

/// Address, mnemonic and operands of a line such as `  42daa2:\tnop` or `  42dab0:\tjne    42daa3 <main+0x3>`.
fn instruction(line: &str) -> Option<(u64, &str, &str)> {
    let (address, text) = line.trim_start().split_once(":\t")?;
    let address = u64::from_str_radix(address, 16).ok()?;
    let (mnemonic, operands) = text.split_once(' ').unwrap_or((text, ""));
    Some((address, mnemonic, operands.trim_start()))
}

/// Where a direct branch goes: its operand is a bare hexadecimal number.
fn target(operands: &str) -> Option<u64> {
    let mut words = operands.split_ascii_whitespace();
    // Branch hints and prefixes come before the number.
    let number = words.find(|word| !matches!(*word, "jmp" | "call"))?;
    u64::from_str_radix(number.split(',').next()?, 16).ok()
}

fn is_branch(mnemonic: &str, operands: &str) -> bool {
    let name = |it: &str| {
        it.starts_with('j') || it.starts_with("call") || it.starts_with("loop") || it == "xbegin"
    };
    let first = operands.split_ascii_whitespace().next().unwrap_or("");
    name(mnemonic)
        || (matches!(
            mnemonic,
            "bnd" | "notrack" | "repz" | "repnz" | "data16" | "cs" | "ds"
        ) && name(first))
}

/// The sites of a file by the addresses behind them that a jump or a retarget takes.
fn windows(file: &Surveyed) -> HashMap<u64, u64> {
    let sites = file.sites.iter().map(|(_, facts)| facts);
    sites
        .flat_map(|facts| {
            let taken = if facts.bytes.get(1) == Some(&0xe9) {
                6
            } else {
                5
            };
            (1..taken).map(|offset| (facts.address + offset, facts.address))
        })
        .collect()
}

#[test]
fn no_branch_leads_behind_a_site() {
    for file in all() {
        let windows = windows(&file);
        let mut nops = 0;
        let mut branches = 0;
        lines(
            "objdump",
            &["-d", "--no-show-raw-insn"],
            &file.path,
            |line| {
                let Some((address, mnemonic, operands)) = instruction(line) else {
                    return;
                };
                nops += usize::from(
                    mnemonic == "nop" && file.sites.iter().any(|(_, it)| it.address == address),
                );
                if !is_branch(mnemonic, operands) {
                    return;
                }
                let Some(target) = target(operands) else {
                    return;
                };
                branches += 1;
                let site = windows.get(&target);
                assert_eq!(site, None, "{}: {line}", file.path.display());
            },
        );
        assert_eq!(nops, file.sites.len(), "every site begins an instruction");
        assert!(branches > 100_000, "{branches} branches were read");
    }
}

#[test]
fn frames_are_those_of_readelf() {
    for file in all() {
        let frames = file.image.frames().expect("frames");
        let mut found = 0;
        lines(
            "readelf",
            &["--debug-dump=frames", "-W"],
            &file.path,
            |line| {
                let Some((_, range)) = line
                    .split_once(" FDE ")
                    .and_then(|(_, it)| it.split_once("pc="))
                else {
                    return;
                };
                let (start, end) = range.trim().split_once("..").expect("a range");
                let number = |text: &str| u64::from_str_radix(text, 16).expect("a number");
                let (start, end) = (number(start), number(end));
                let frame = frames.at(FileAddress(start)).expect("a frame");
                assert_eq!((frame.start.0, frame.end.0), (start, end));
                found += 1;
            },
        );
        assert_eq!(found, frames.all().len());
    }
}
