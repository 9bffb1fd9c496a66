//! The peers that live in the interpreter: the standard library's profiler, and those that come as packages.

use std::ffi::OsString;

use super::contestants::{Contestant, DEPTH_CHEAP, Stage, words};
use super::{packages, probes};

/// The names that others are compared with.
pub const CPROFILE: &str = "cProfile";
pub const VIZTRACER: &str = "viztracer";
pub const TRACE0: &str = "trace0";

/// Records all calls in its memory, which has room for those of [`DEPTH_CHEAP`], and saves nothing.
const WITH_VIZTRACER: &str = "
import sys, time
sys.path.insert(0, sys.argv[1])
from viztracer import VizTracer
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
tracer = VizTracer(tracer_entries=1000000, verbose=0)
tracer.start()
start = time.perf_counter()
fib(int(sys.argv[-1]))
end = time.perf_counter()
tracer.stop()
sys.stderr.write('elapsed %.9f\\n' % (end - start))
";

/// Writes all calls into a file, in its default format.
const WITH_TRACE0: &str = "
import sys, time
sys.path.insert(0, sys.argv[1])
from trace0 import Tracer
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
with Tracer(sys.argv[2]):
    start = time.perf_counter()
    fib(int(sys.argv[-1]))
    end = time.perf_counter()
sys.stderr.write('elapsed %.9f\\n' % (end - start))
";

/// Of an interpreter that has the function markers.
pub fn of_native_markers(stage: Stage<'_>) -> anyhow::Result<Vec<Contestant>> {
    Ok(vec![
        profile(stage),
        packaged(stage, VIZTRACER, WITH_VIZTRACER)?,
        probes::bpftrace_count(stage)?,
        probes::bpftrace_printf(stage)?,
    ])
}

/// Of one that has not.
pub fn of_injected_markers(stage: Stage<'_>) -> anyhow::Result<Vec<Contestant>> {
    Ok(vec![
        packaged(stage, TRACE0, WITH_TRACE0)?,
        packaged(stage, VIZTRACER, WITH_VIZTRACER)?,
        profile(stage),
    ])
}

/// The profiler of the standard library, which only adds up.
fn profile(stage: Stage<'_>) -> Contestant {
    let (wrapper, script) = stage.program.split_at(1);
    let mut before = wrapper.to_vec();
    before.extend(words(&["-m", "cProfile", "-o", "/dev/null"]));
    Contestant::new(CPROFILE, before, script, DEPTH_CHEAP)
}

/// A package, with the workload that uses it.
fn packaged(stage: Stage<'_>, name: &str, program: &str) -> anyhow::Result<Contestant> {
    let folder = match packages::folder(stage.python, name) {
        Ok(folder) => folder,
        Err(why) => return Ok(Contestant::absent(name, &why)),
    };
    let script = stage.scratch.join(format!("{name}.py"));
    std::fs::write(&script, program)?;
    let output = stage.scratch.join(name);
    let wrapper = stage.python.wrapper.clone();
    let program = [wrapper, script, folder, output].map(OsString::from);
    Ok(Contestant::new(name, Vec::new(), &program, DEPTH_CHEAP))
}
