//! Reads arbitrary bytes as the files of /proc that are parsed: maps, status, stat.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ptpytrace::process::maps;
use ptpytrace::process::stat::Stat;
use ptpytrace::process::status::Status;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mappings) = maps::parse(bytes) {
        for mapping in mappings {
            let _ = (mapping.length(), mapping.file());
        }
    }
    let _ = Status::parse(bytes);
    let _ = Stat::parse(bytes);
});
