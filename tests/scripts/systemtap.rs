//! SystemTap scripts: their trees, what is said of wrong ones, and what they print.

use std::path::{Path, PathBuf};

use ptpytrace::script::diagnostic::Diagnostics;
use ptpytrace::script::source::{SourceId, Sources};
use ptpytrace::script::systemtap::{self, Mark, NoPrograms, Programs, Settings};

use super::engine;
use super::golden::{self, Case};

/// A machine with one program, which has one mark.
struct OnePython;

impl Programs for OnePython {
    fn resolve(&self, name: &str, _library: bool) -> Option<PathBuf> {
        (name == "python").then(|| "/usr/bin/python3".into())
    }

    fn glob(&self, _pattern: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn marks(&self, _path: &Path) -> Result<Vec<Mark>, String> {
        let mark = |name: &str| Mark {
            provider: "python".to_owned(),
            name: name.to_owned(),
            arguments: 3,
        };
        Ok(vec![mark("line"), mark("function__entry")])
    }

    fn libraries(&self, _program: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    fn process(&self, _pid: i32) -> Option<PathBuf> {
        None
    }
}

fn read(case: &Case) -> (Sources, SourceId) {
    let mut sources = Sources::default();
    let name = case.path.file_name().unwrap_or_default().to_string_lossy();
    let id = sources.add(&name, &case.text).expect("a short script");
    (sources, id)
}

#[test]
fn right_scripts_have_these_trees() {
    golden::each("systemtap/ok", "stp", |case| {
        let (sources, id) = read(case);
        let (file, diagnostics) = systemtap::parse(&sources, id, &Settings::new(&NoPrograms));
        let place = case.path.display();
        assert_eq!(diagnostics, Diagnostics::default(), "{place}");
        vec![("tree", systemtap::dump(&file))]
    });
}

#[test]
fn what_is_wrong_is_told_in_one_go() {
    golden::each("systemtap/err", "stp", |case| {
        let (mut sources, id) = read(case);
        let (program, diagnostics) =
            systemtap::compile(&mut sources, id, &Settings::new(&OnePython));
        assert!(program.is_none(), "{}", case.path.display());
        vec![("err", diagnostics.render(&sources, false))]
    });
}

/// The outputs were written by hand: from stap(1), the manual pages of the functions, and the formats of the runtime's
/// histograms. What goes to standard error is behind what is printed.
#[test]
fn scripts_print_what_stap_prints() {
    golden::each("systemtap/run", "stp", |case| {
        let (mut sources, id) = read(case);
        let (program, diagnostics) =
            systemtap::compile(&mut sources, id, &Settings::new(&OnePython));
        let program = program.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)));
        let (out, said) = engine::run(program, &case.events);
        vec![("out", out + &said)]
    });
}
