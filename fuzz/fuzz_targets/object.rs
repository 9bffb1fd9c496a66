//! Decodes a Python object from arbitrary memory: pointers lead anywhere, sizes are anything.
#![no_main]

use std::cell::Cell;

use libfuzzer_sys::fuzz_target;
use ptpytrace::cpython::{Layout, Limits, Types, Version, decode};
use ptpytrace_arch::Bytes;

/// Where the memory lies. The first bytes are the types, so that objects can be of them.
const BASE: u64 = 0x1000;

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, bytes) = input;
    let names = ["3.8", "3.11", "3.12", "3.13t", "3.14", "3.15", "3.14t"];
    let name = names[usize::from(choice) % names.len()];
    let version = Version::from_name(&format!("python{name}")).expect("a version");
    let layout = Layout::of(&version).expect("a layout");
    let next = Cell::new(BASE);
    let types = Types::find(&|_: &str| {
        next.set(next.get() + 8);
        Some(next.get())
    });
    let types = types.expect("every symbol is there");
    let memory = Bytes { base: BASE, bytes };
    let limits = Limits {
        depth: 10,
        items: 100,
        string_bytes: 1000,
        total_items: 1000,
        total_bytes: 10_000,
    };
    for address in (BASE..BASE + 256).step_by(8) {
        let value = decode(address, &types, &layout, &memory, &limits);
        let _ = (value.to_string(), value.to_json());
    }
});
