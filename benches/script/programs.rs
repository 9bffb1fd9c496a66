//! The programs that are measured, as they are written in their languages.

use std::path::{Path, PathBuf};

use ptpytrace::plan::Point;
use ptpytrace::probe::pattern::dashed;
use ptpytrace::script::ir::{Program, Trigger};
use ptpytrace::script::source::Sources;
use ptpytrace::script::systemtap::{Mark, Programs};
use ptpytrace::script::{dtrace, systemtap};

use super::events::MARKERS;

/// A program, and what an event of it may cost.
pub struct Contestant {
    /// What it is.
    pub name: &'static str,
    /// What an event may cost.
    pub aim: &'static str,
    /// Its language and text.
    text: Text,
}

enum Text {
    D(&'static str),
    SystemTap(&'static str),
}

/// A program, and what belongs together in it.
pub struct Compiled {
    /// It.
    pub program: Program,
    /// For each request its handler.
    pub routes: Vec<usize>,
    /// For each marker the requests that it answers.
    pub requests: [Vec<usize>; MARKERS.len()],
}

/// All of them.
pub fn all() -> Vec<Contestant> {
    vec![
        Contestant {
            name: "nothing (making the events)",
            aim: "",
            text: Text::D("python*:::function-* /0/ { } END { printf(\"end\\n\"); }"),
        },
        Contestant {
            name: "two strings and a line",
            aim: "",
            text: Text::D(
                "python*:::function-* { this->file = copyinstr(arg0); this->name = copyinstr(arg1);
                    this->line = arg2; @ = count(); }",
            ),
        },
        Contestant {
            name: "@[copyinstr(arg1)] = count()",
            aim: "< 60",
            text: Text::D("python*:::function-* { @[copyinstr(arg1)] = count(); }"),
        },
        Contestant {
            name: "top 20 (SystemTap)",
            aim: "< 100",
            text: Text::SystemTap(include_str!("top.stp")),
        },
        Contestant {
            name: "hierarchy with thread_indent",
            aim: "< 150",
            text: Text::SystemTap(include_str!("../../examples/show-call-hierarchy.stp")),
        },
        Contestant {
            name: "call_stack.d",
            aim: "",
            text: Text::D(include_str!("../../examples/call_stack.d")),
        },
    ]
}

impl Contestant {
    /// Compiles it.
    pub fn compile(&self) -> anyhow::Result<Compiled> {
        let mut sources = Sources::default();
        let (program, diagnostics) = match self.text {
            Text::D(text) => {
                let id = sources.add("script.d", text.as_bytes())?;
                let settings = dtrace::Settings {
                    quiet: true,
                    ..dtrace::Settings::default()
                };
                let (compiled, diagnostics) = dtrace::compile(&sources, id, &settings);
                (compiled.map(|it| it.program), diagnostics)
            }
            Text::SystemTap(text) => {
                let id = sources.add("script.stp", text.as_bytes())?;
                let settings = systemtap::Settings::new(&Python);
                systemtap::compile(&mut sources, id, &settings)
            }
        };
        let wrong = || anyhow::anyhow!(diagnostics.render(&sources, false));
        Ok(Compiled::of(program.ok_or_else(wrong)?))
    }
}

impl Compiled {
    fn of(program: Program) -> Compiled {
        let mut routes = Vec::new();
        let mut requests = MARKERS.map(|_| Vec::new());
        for (index, handler) in program.handlers.iter().enumerate() {
            for trigger in &handler.triggers {
                let Trigger::Traced(traced) = trigger else {
                    continue;
                };
                let Point::Marker(marker) = &traced.point else {
                    continue;
                };
                for (name, requests) in MARKERS.iter().zip(&mut requests) {
                    if marker.name.matches(&dashed(name)) {
                        requests.push(routes.len());
                    }
                }
                routes.push(index);
            }
        }
        Compiled {
            program,
            routes,
            requests,
        }
    }
}

/// There is a Python, and it has the markers.
struct Python;

impl Programs for Python {
    fn resolve(&self, name: &str, _library: bool) -> Option<PathBuf> {
        Some(Path::new("/usr/bin").join(name))
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
        Ok(MARKERS.iter().map(|name| mark(name)).collect())
    }

    fn libraries(&self, _program: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    fn process(&self, _pid: i32) -> Option<PathBuf> {
        None
    }
}
