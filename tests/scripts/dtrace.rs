//! D programs: their trees, what is said of wrong ones, and what they print.

use ptpytrace::script::diagnostic::Diagnostics;
use ptpytrace::script::dtrace::{self, Settings};
use ptpytrace::script::source::{SourceId, Sources};

use super::engine;
use super::golden::{self, Case};

fn read(case: &Case) -> (Sources, SourceId) {
    let mut sources = Sources::default();
    let name = case.path.file_name().unwrap_or_default().to_string_lossy();
    let id = sources.add(&name, &case.text).expect("a short script");
    (sources, id)
}

#[test]
fn right_programs_have_these_trees() {
    golden::each("dtrace/ok", "d", |case| {
        let (sources, id) = read(case);
        let (script, diagnostics) = dtrace::parse(&sources, id, false);
        assert_eq!(
            diagnostics,
            Diagnostics::default(),
            "{}",
            case.path.display()
        );
        vec![("tree", dtrace::dump(&script))]
    });
}

#[test]
fn what_is_wrong_is_told_in_one_go() {
    golden::each("dtrace/err", "d", |case| {
        let (sources, id) = read(case);
        let (compiled, diagnostics) = dtrace::compile(&sources, id, &Settings::default());
        assert!(compiled.is_none(), "{}", case.path.display());
        vec![("err", diagnostics.render(&sources, false))]
    });
}

/// The outputs were written by hand from the formats in the Dynamic Tracing Guide.
#[test]
fn programs_print_what_dtrace_prints() {
    golden::each("dtrace/run", "d", |case| {
        let (sources, id) = read(case);
        let (compiled, diagnostics) = dtrace::compile(&sources, id, &Settings::default());
        let compiled =
            compiled.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)));
        vec![("out", engine::run(compiled.program, &case.events).0)]
    });
}
