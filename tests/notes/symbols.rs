//! Functions and symbols: `readelf -s` is the judge of real files, a search
//! through every symbol that of overlapping ones.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use ptpytrace::address::FileAddress;
use ptpytrace::elf::{Image, Symbol};

use super::builder::{AUDIT, X86_64, elf};

const FUNCTION: u8 = 2;
const GLOBAL: u8 = 0x10;
const WEAK: u8 = 0x20;

/// A line of `readelf -sW`.
struct Line {
    address: u64,
    size: u64,
    kind: String,
    binding: String,
    section: String,
    name: String,
    dynamic: bool,
}

fn readelf_symbols(path: &Path) -> Vec<Line> {
    let output = Command::new("readelf")
        .args(["-s", "-W"])
        .arg(path)
        .env("LC_ALL", "C")
        .output()
        .expect("readelf (binutils)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut dynamic = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("Symbol table") {
            dynamic = line.contains(".dynsym");
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [number, address, size, kind, binding, _, section, name, ..] = words[..] else {
            continue;
        };
        let Ok(address) = u64::from_str_radix(address, 16) else {
            continue;
        };
        if !number.ends_with(':') {
            continue;
        }
        let hexadecimal = size.strip_prefix("0x");
        lines.push(Line {
            address,
            size: hexadecimal
                .map_or_else(|| size.parse(), |digits| u64::from_str_radix(digits, 16))
                .expect("a size"),
            kind: kind.to_owned(),
            binding: binding.to_owned(),
            section: section.to_owned(),
            name: name.split('@').next().unwrap_or(name).to_owned(),
            dynamic,
        });
    }
    lines
}

#[test]
fn functions_of_real_files_are_those_of_readelf() {
    let (mut inside, mut outside) = (0, 0);
    for path in super::real_files() {
        let image = Image::open(&path).expect("an image");
        let lines = readelf_symbols(&path);
        let functions: Vec<&Line> = lines
            .iter()
            .filter(|line| matches!(line.kind.as_str(), "FUNC" | "IFUNC"))
            .filter(|line| line.section != "UND" && line.size > 0)
            .collect();
        // Every marker, and the first, a middle and the last byte of many functions, and the byte behind each.
        let mut addresses: Vec<u64> = image.notes().iter().map(|note| note.location.0).collect();
        for line in functions.iter().step_by(functions.len() / 200 + 1) {
            let (start, size) = (line.address, line.size);
            addresses.extend([start, start + size / 2, start + size - 1, start + size]);
        }
        for address in addresses {
            let covering =
                |line: &&&Line| (line.address..line.address + line.size).contains(&address);
            let start = functions
                .iter()
                .filter(covering)
                .map(|line| line.address)
                .max();
            let names: Vec<&Line> = functions
                .iter()
                .filter(covering)
                .filter(|line| Some(line.address) == start)
                .copied()
                .collect();
            let found = image.function_at(FileAddress(address));
            let Some(best) = names.iter().map(|line| preference(line)).min() else {
                assert_eq!(found, None, "{} {address:#x}", path.display());
                outside += 1;
                continue;
            };
            let found = found.unwrap_or_else(|| panic!("{} {address:#x}", path.display()));
            assert!(
                names
                    .iter()
                    .any(|line| line.name == found && preference(line) == best),
                "{} {address:#x}: {found}",
                path.display()
            );
            inside += 1;
        }
    }
    assert!(
        inside > 1000 && outside > 50,
        "inside {inside}, outside {outside}"
    );
}

fn preference(line: &Line) -> (u8, usize) {
    let binding = match line.binding.as_str() {
        "GLOBAL" | "UNIQUE" => 0,
        "WEAK" => 1,
        _ => 2,
    };
    (binding, line.name.len())
}

#[test]
fn symbols_of_real_files_are_those_of_readelf() {
    let mut compared = 0;
    for path in super::real_files() {
        let image = Image::open(&path).expect("an image");
        let lines = readelf_symbols(&path);
        let mut places: HashMap<&str, Vec<Symbol>> = HashMap::new();
        let defined = lines.iter().filter(|line| {
            let number = line.section.parse::<u32>().is_ok();
            number && matches!(line.kind.as_str(), "FUNC" | "OBJECT" | "IFUNC")
        });
        for line in defined.clone().filter(|line| line.dynamic) {
            places.entry(&line.name).or_default().push(symbol(line));
        }
        let dynamic: Vec<&str> = places.keys().copied().collect();
        for line in defined
            .filter(|line| !line.dynamic && !dynamic.contains(&line.name.as_str()))
            .take(300)
        {
            places.entry(&line.name).or_default().push(symbol(line));
        }
        for (name, symbols) in places.iter().take(1500) {
            let found = image.symbol(name).unwrap_or_else(|| panic!("{name}"));
            assert!(symbols.contains(&found), "{}: {name}", path.display());
            compared += 1;
        }
        for line in lines
            .iter()
            .filter(|line| line.section == "UND" && line.dynamic)
        {
            if !places.contains_key(line.name.as_str()) {
                assert_eq!(image.symbol(&line.name), None, "{}", line.name);
            }
        }
        assert_eq!(image.symbol("no such symbol"), None);
        assert_eq!(image.symbol(""), None);
    }
    assert!(compared > 5000, "{compared}");
}

fn symbol(line: &Line) -> Symbol {
    Symbol {
        address: FileAddress(line.address),
        size: line.size,
    }
}

#[test]
fn the_symbols_that_a_tracer_needs_are_found() {
    for path in super::cached_interpreters() {
        let image = Image::open(&path).expect("an image");
        let version = image.symbol("_PyRuntime").expect("_PyRuntime");
        assert!(image.is_writable(version.address));
        assert!(image.symbol("PyUnicode_Type").is_some());
        assert_eq!(image.symbol("PyUnicode_Typ"), None);
        assert_eq!(image.symbol("yUnicode_Type"), None);
    }
    let linker = Image::open(Path::new("/lib64/ld-linux-x86-64.so.2")).expect("an image");
    assert!(linker.symbol("__tls_get_addr").is_some());
}

#[test]
fn among_aliases_global_then_weak_then_short() {
    for (bits, machine) in [(64, 62), (32, 3)] {
        let elf = elf(bits, false, machine).with_symbols(
            2,
            &[
                ("l", 0x100, 0x20, FUNCTION, 1),
                ("global_long", 0x100, 0x20, GLOBAL | FUNCTION, 1),
                ("global@@V2", 0x100, 0x20, GLOBAL | FUNCTION, 1),
                ("weak", 0x100, 0x20, WEAK | FUNCTION, 1),
                ("w", 0x200, 0x20, WEAK | FUNCTION, 1),
                ("x", 0x200, 0x20, FUNCTION, 1),
                ("object", 0x300, 0x20, GLOBAL | 1, 1),
                ("sizeless", 0x400, 0, GLOBAL | FUNCTION, 1),
                ("imported", 0x500, 0x20, GLOBAL | FUNCTION, 0),
                ("absolute", 0x600, 0x20, GLOBAL | FUNCTION, 0xfff1),
                ("thread", 0x700, 0x20, GLOBAL | 6, 1),
                ("chosen", 0x800, 0x20, FUNCTION | 10, 1),
                ("wraps", u64::MAX - 3, 0x20, GLOBAL | FUNCTION, 1),
            ],
        );
        let image = Image::parse(&elf.build()).expect("an image");
        let at = |address| image.function_at(FileAddress(address));
        assert_eq!(at(0xff), None);
        assert_eq!(at(0x100), Some("global"), "without its version");
        assert_eq!(at(0x11f), Some("global"));
        assert_eq!(at(0x120), None);
        assert_eq!(at(0x210), Some("w"));
        for address in [0x300, 0x400, 0x500, 0x600, 0x700] {
            assert_eq!(at(address), None, "{address:#x}");
        }
        assert_eq!(at(0x81f), Some("chosen"), "STT_GNU_IFUNC");
        let place = |name| {
            image
                .symbol(name)
                .map(|symbol| (symbol.address.0, symbol.size))
        };
        assert_eq!(place("global"), Some((0x100, 0x20)));
        assert_eq!(place("object"), Some((0x300, 0x20)));
        assert_eq!(place("sizeless"), Some((0x400, 0)));
        for name in ["imported", "absolute", "thread", "globa", "global_", "V2"] {
            assert_eq!(place(name), None, "{name}");
        }
    }
}

#[test]
fn dynamic_symbols_come_first() {
    let elf = X86_64
        .with_symbols(
            2,
            &[
                ("both", 0x10, 1, GLOBAL | FUNCTION, 1),
                ("one", 0x20, 1, 1, 1),
            ],
        )
        .with_symbols(11, &[("both", 0x30, 1, GLOBAL | FUNCTION, 1)]);
    let image = Image::parse(&elf.build()).expect("an image");
    let place = |name| image.symbol(name).map(|symbol| symbol.address.0);
    assert_eq!((place("both"), place("one")), (Some(0x30), Some(0x20)));
}

#[test]
fn symbol_tables_that_lie_are_absent() {
    let symbols = [("f", 0x10, 0x10, GLOBAL | FUNCTION, 1)];
    let good = X86_64.with_symbols(2, &symbols);
    let notes = X86_64.marker(&AUDIT);
    for lie in 0..5 {
        let mut elf = good.clone().with_notes(notes.clone());
        match lie {
            0 => elf.sections[0].offset = Some(1 << 50),
            1 => elf.sections[0].size = Some(u64::MAX),
            2 => elf.sections[1].size = Some(1 << 40),
            3 => elf.sections[0].link = 77,
            _ => elf.sections[1].data = vec![b'f'; 2],
        }
        let image = Image::parse(&elf.build()).expect("an image");
        assert_eq!(image.function_at(FileAddress(0x10)), None, "{lie}");
        assert_eq!(image.symbol("f"), None, "{lie}");
        assert_eq!(image.notes().len(), 1, "{lie}");
    }
    let image = Image::parse(&good.build()).expect("an image");
    assert_eq!(image.function_at(FileAddress(0x10)), Some("f"));
}

proptest! {
    #[test]
    fn overlapping_functions_are_found_as_a_search_finds_them(
        functions in proptest::collection::vec((0_u64..60, 0_u64..25, 0_u8..3), 0..40),
    ) {
        let names: Vec<String> = (0..functions.len()).map(|number| format!("f{number:02}")).collect();
        let symbols: Vec<(&str, u64, u64, u8, u16)> = functions
            .iter()
            .zip(&names)
            .map(|((start, size, binding), name)| (name.as_str(), *start, *size, binding << 4 | FUNCTION, 1))
            .collect();
        let bytes = X86_64.with_symbols(2, &symbols).build();
        let image = Image::parse(&bytes).expect("an image");
        for address in 0..90 {
            let best = symbols
                .iter()
                .enumerate()
                .filter(|(_, (_, start, size, _, _))| (*start..start + size).contains(&address))
                .min_by_key(|(number, (_, start, _, info, _))| {
                    let rank = match info >> 4 { 1 => 0, 2 => 1, _ => 2 };
                    (u64::MAX - start, rank, *number)
                })
                .map(|(_, symbol)| symbol.0);
            prop_assert_eq!(image.function_at(FileAddress(address)), best, "at {}", address);
        }
    }
}
