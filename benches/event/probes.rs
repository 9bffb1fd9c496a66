//! The peers that trace the binary's own markers from outside: bpftrace and gdb.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::contestants::{Contestant, DEPTH, DEPTH_DEAR, Stage, words};

/// The name that others are compared with.
pub const COUNT: &str = "bpftrace, count()";

/// Whether a command can be run; as root it is installed if need be.
fn present(command: &str) -> bool {
    let pair = format!("{command}:{command}");
    let installer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/install-missing");
    Command::new(installer)
        .arg(pair)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// bpftrace that only counts.
pub fn bpftrace_count(stage: Stage<'_>) -> anyhow::Result<Contestant> {
    let folder = stage.scratch.join("count");
    std::fs::create_dir_all(&folder)?;
    let clause =
        |marker: &str, notes: &str| format!("usdt:{notes}:python:{marker} {{ @ = count(); }}\n");
    let mut contestant = bpftrace(stage, &folder, COUNT, &clause)?;
    contestant.trace = None;
    Ok(contestant)
}

/// bpftrace that prints a line an event.
pub fn bpftrace_printf(stage: Stage<'_>) -> anyhow::Result<Contestant> {
    let clause = |marker: &str, notes: &str| {
        let arrow = if marker.ends_with("entry") {
            "=>"
        } else {
            "<="
        };
        format!(
            "usdt:{notes}:python:{marker} {{ printf(\"%d %s(%d): {arrow} %s in %s:%d\\n\", \
             elapsed / 1000, comm, tid, str(arg1), str(arg0), arg2); }}\n"
        )
    };
    let name = "bpftrace, printf with two str()";
    bpftrace(stage, stage.scratch, name, &clause)
}

fn bpftrace(
    stage: Stage<'_>,
    folder: &Path,
    name: &str,
    clause: &dyn Fn(&str, &str) -> String,
) -> anyhow::Result<Contestant> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(Contestant::absent(name, "needs root"));
    }
    if !present("bpftrace") {
        return Ok(Contestant::absent(name, "not installed"));
    }
    for (kind, place) in [
        ("tracefs", "/sys/kernel/tracing"),
        ("debugfs", "/sys/kernel/debug"),
    ] {
        // Where it is mounted already this fails, and where it cannot be mounted bpftrace says so.
        let _ = Command::new("mount")
            .args(["-t", kind, kind, place])
            .stderr(Stdio::null())
            .status();
    }
    let trace = folder.join("bpftrace");
    let starter = folder.join("bpftrace.sh");
    let script = folder.join("calls.bt");
    // Its probes hit every process that runs the file: nobody else runs a copy.
    let (wrapper, copy) = stage.python.copy(folder)?;
    let notes = copy.display().to_string();
    let clauses = clause("function__entry", &notes) + &clause("function__return", &notes);
    // Its output is buffered: so many lines that the first of them are written at once.
    let fill = ".".repeat(100);
    let ready = format!("BEGIN {{ unroll(100) {{ printf(\"ready {fill}\\n\"); }} }}\n");
    std::fs::write(&script, ready + &clauses)?;
    std::fs::write(&starter, BPFTRACE)?;
    let mut command = words(&["bash"]);
    let files = [starter, trace.clone(), script, wrapper];
    command.extend(files.map(PathBuf::into_os_string));
    command.extend_from_slice(stage.program.get(1..).unwrap_or_default());
    Ok(Contestant {
        trace: Some(trace),
        ..Contestant::new(name, Vec::new(), &command, DEPTH)
    })
}

/// Starts it before the program, and ends it when it has printed everything. With `-c` it finds the markers of no
/// program that a script starts.
const BPFTRACE: &str = "\
trace=$1 script=$2
shift 2
: >\"$trace\"
BPFTRACE_STRLEN=128 BPFTRACE_PERF_RB_PAGES=4096 bpftrace -o \"$trace\" \"$script\" 2>\"$trace.log\" &
peer=$!
for ((tries = 0; tries < 300; tries++)); do
    grep -q ready \"$trace\" && break
    kill -0 $peer 2>/dev/null || break
    sleep 0.1
done
grep -q ready \"$trace\" || { cat \"$trace.log\" >&2; kill $peer; exit 1; }
\"$@\"
status=$?
# It may not notice the first one.
for ((tries = 0; tries < 50; tries++)); do
    kill -INT $peer 2>/dev/null || break
    sleep 0.1
done
kill -KILL $peer 2>/dev/null
wait $peer
exit $status
";

/// gdb stops, prints and goes on, as its manual shows.
pub fn gdb(stage: Stage<'_>) -> anyhow::Result<Contestant> {
    let name = "gdb, -probe-stap with printf";
    let python = stage.python;
    if python.has_own_loader()? {
        let why = "does not follow a loader that is run as a program";
        return Ok(Contestant::absent(name, why));
    }
    if !present("gdb") {
        return Ok(Contestant::absent(name, "not installed"));
    }
    let commands = stage.scratch.join("commands.gdb");
    let trace = stage.scratch.join("gdb");
    let stop = |marker: &str, arrow: &str| {
        format!(
            "break -probe-stap python:{marker}\ncommands\nsilent\n\
             printf \"{arrow} %s in %s:%d\\n\", $_probe_arg1, $_probe_arg0, $_probe_arg2\ncontinue\nend\n"
        )
    };
    // Not gdb's own environment: it has a Python of its own.
    let environment: String = python
        .environment()?
        .iter()
        .map(|pair| format!("set environment {pair}\n"))
        .collect();
    let text = format!(
        "set pagination off\nset confirm off\nset breakpoint pending on\nset logging file {trace}\n\
         set logging redirect on\nset logging enabled on\nset startup-with-shell off\n{environment}{}{}run\nquit\n",
        stop("function__entry", "=>"),
        stop("function__return", "<="),
        trace = trace.display(),
    );
    std::fs::write(&commands, text)?;
    let mut before = words(&["gdb", "-q", "-nx", "-batch", "-x"]);
    before.extend([
        commands.into_os_string(),
        "--args".into(),
        python.notes.clone().into_os_string(),
    ]);
    let script = stage.program.get(1..).unwrap_or_default();
    Ok(Contestant::new(name, before, script, DEPTH_DEAR))
}
