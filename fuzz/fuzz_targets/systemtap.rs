//! Any text as a SystemTap script: it is a program or an error, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ptpytrace::script::source::Sources;
use ptpytrace::script::systemtap::{self, NoPrograms, Settings};

fuzz_target!(|input: (&[u8], &str)| {
    let (text, argument) = input;
    let mut sources = Sources::default();
    let Ok(id) = sources.add("fuzz.stp", text) else {
        return;
    };
    let mut settings = Settings::new(&NoPrograms);
    settings.arguments = vec![argument.to_owned()];
    let (file, _) = systemtap::parse(&sources, id, &settings);
    systemtap::dump(&file);
    let (program, diagnostics) = systemtap::compile(&mut sources, id, &settings);
    assert_eq!(program.is_some(), !diagnostics.has_errors());
    diagnostics.render(&sources, false);
});
