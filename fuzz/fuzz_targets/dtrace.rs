//! Any text as a D program: it is compiled or refused, and its tree can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ptpytrace::script::dtrace::{self, Settings, Spec, Unit};
use ptpytrace::script::source::Sources;

fuzz_target!(|input: &[u8]| {
    let mut sources = Sources::default();
    let Ok(source) = sources.add("t.d", input) else {
        return;
    };
    for bare in [false, true] {
        let (script, _) = dtrace::parse(&sources, source, bare);
        dtrace::dump(&script);
        let settings = Settings {
            arguments: vec!["7".to_owned()],
            destructive: bare,
            ..Settings::default()
        };
        let unit = Unit {
            source,
            spec: Spec::Name,
            bare,
        };
        let (compiled, diagnostics) = dtrace::compile_all(&sources, &[unit], &settings);
        assert_eq!(compiled.is_none(), diagnostics.has_errors());
        diagnostics.render(&sources, false);
    }
});
