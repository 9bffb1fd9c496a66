//! Who is measured: how each is started, and what it writes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use super::runs::Python;

/// Calls of `fib(N)` that the cheap ones trace, and the dear ones.
const DEPTH: u32 = 20;
const DEPTH_DEAR: u32 = 12;
/// And those that need no trap.
const DEPTH_CHEAP: u32 = 27;

/// What a recording is measured with: two strings and a number of each event are looked at and forgotten.
const RECORD: &str = "python*:::function-entry, python*:::function-return
    { this->file = copyinstr(arg0); this->name = copyinstr(arg1); this->line = arg2; @ = count(); }";
/// A predicate that is never true.
const NEVER: &str = "python*:::function-entry, python*:::function-return
    /copyinstr(arg1) == \"nobody\"/ { @ = count(); }";
/// Counting alone.
const COUNT: &str = "python*:::function-entry, python*:::function-return { @ = count(); }";

/// Somebody to be measured.
#[derive(Debug)]
pub struct Contestant {
    /// What the table calls it.
    pub name: String,
    /// How it is started; `fib`'s argument is appended. `None`: it is not on this machine.
    pub command: Option<Vec<OsString>>,
    /// Why not.
    pub missing: String,
    /// The argument of `fib`.
    pub depth: u32,
    /// Where the trace is written, a line an event.
    pub trace: Option<PathBuf>,
}

/// All of them.
pub fn all(python: &Python, scratch: &Path) -> anyhow::Result<Vec<Contestant>> {
    let script = scratch.join("fib.py");
    std::fs::write(&script, python.program)?;
    let program = [
        python.wrapper.clone().into_os_string(),
        script.into_os_string(),
    ];
    let mut all = vec![plain("untraced", words(&["taskset", "-c", "0"]), &program)];
    all.extend(baselines(python, &program)?);
    all.extend(without_traps(&program, scratch));
    all.push(profile(&program));
    all.push(bpftrace_count(python, &program, scratch)?);
    all.extend(ptpytraces(&program, scratch));
    all.push(bpftrace_printf(python, &program, scratch)?);
    all.push(gdb(python, &program, scratch)?);
    Ok(all)
}

fn words(list: &[&str]) -> Vec<OsString> {
    list.iter().map(OsString::from).collect()
}

fn plain(name: &str, before: Vec<OsString>, program: &[OsString]) -> Contestant {
    Contestant {
        name: name.to_owned(),
        command: Some([&before, program].concat()),
        missing: String::new(),
        depth: DEPTH,
        trace: None,
    }
}

fn baselines(python: &Python, program: &[OsString]) -> anyhow::Result<Vec<Contestant>> {
    let own = std::env::current_exe().context("the name of this program")?;
    let with = |cpu: &str, name: &str| {
        let mut before = vec![own.clone().into_os_string()];
        before.extend(words(&["--baseline", "0", cpu]));
        before.push(python.notes.clone().into_os_string());
        plain(name, before, program)
    };
    let one = with("0", "baseline, one CPU");
    let mut two = with("1", "baseline, another CPU");
    two.depth = DEPTH_DEAR + 4;
    if std::thread::available_parallelism()?.get() < 2 {
        two.command = None;
        two.missing = "this machine has one CPU".to_owned();
    }
    Ok(vec![one, two])
}

/// ptpytrace with sites that are diverted.
fn without_traps(program: &[OsString], scratch: &Path) -> Vec<Contestant> {
    let with = |name: &str, flags: &[&str]| {
        let mut before = words(&[env!("CARGO_BIN_EXE_ptpytrace"), "--engine", "jump", "-q"]);
        before.extend(words(flags));
        let trace = scratch.join("recorded");
        before.extend(["-o".into(), trace.clone().into_os_string(), "--".into()]);
        let mut contestant = plain(&format!("ptpytrace, no trap, {name}"), before, program);
        contestant.depth = DEPTH_CHEAP;
        (contestant, trace)
    };
    let script = |text| ["--lang", "dtrace", "-e", text];
    let (mut text, trace) = with("text", &[]);
    text.trace = Some(trace);
    vec![
        with("predicate false", &script(NEVER)).0,
        with("counted", &script(COUNT)).0,
        with("two strings and a line", &script(RECORD)).0,
        text,
    ]
}

/// The profiler of the standard library.
fn profile(program: &[OsString]) -> Contestant {
    let (wrapper, script) = program.split_at(1);
    let mut before = wrapper.to_vec();
    before.extend(words(&["-m", "cProfile", "-o", "/dev/null"]));
    let mut contestant = plain("cProfile", before, script);
    contestant.depth = DEPTH_CHEAP;
    contestant
}

fn ptpytraces(program: &[OsString], scratch: &Path) -> Vec<Contestant> {
    let mut all = Vec::new();
    let trace = scratch.join("ptpytrace");
    for (place, before) in [
        ("one CPU", words(&["taskset", "-c", "0"])),
        ("its own placement", Vec::new()),
    ] {
        for format in ["text", "json"] {
            let mut before = before.clone();
            before.extend(words(&[
                env!("CARGO_BIN_EXE_ptpytrace"),
                "--engine",
                "trap",
                "-f",
                format,
                "-o",
            ]));
            before.extend([trace.clone().into_os_string(), OsString::from("--")]);
            let mut contestant = plain(
                &format!("ptpytrace, traps, {format}, {place}"),
                before,
                program,
            );
            contestant.trace = Some(trace.clone());
            all.push(contestant);
        }
    }
    all
}

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

fn absent(name: &str, why: &str) -> Contestant {
    Contestant {
        name: name.to_owned(),
        command: None,
        missing: why.to_owned(),
        depth: DEPTH,
        trace: None,
    }
}

/// bpftrace that only counts.
fn bpftrace_count(
    python: &Python,
    program: &[OsString],
    scratch: &Path,
) -> anyhow::Result<Contestant> {
    let folder = scratch.join("count");
    std::fs::create_dir_all(&folder)?;
    let clause =
        |marker: &str, notes: &str| format!("usdt:{notes}:python:{marker} {{ @ = count(); }}\n");
    let mut contestant = bpftrace(python, program, &folder, "bpftrace, count()", &clause)?;
    contestant.trace = None;
    Ok(contestant)
}

fn bpftrace_printf(
    python: &Python,
    program: &[OsString],
    scratch: &Path,
) -> anyhow::Result<Contestant> {
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
    bpftrace(
        python,
        program,
        scratch,
        "bpftrace, printf with two str()",
        &clause,
    )
}

fn bpftrace(
    python: &Python,
    program: &[OsString],
    scratch: &Path,
    name: &str,
    clause: &dyn Fn(&str, &str) -> String,
) -> anyhow::Result<Contestant> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(absent(name, "needs root"));
    }
    if !present("bpftrace") {
        return Ok(absent(name, "not installed"));
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
    let trace = scratch.join("bpftrace");
    let starter = scratch.join("bpftrace.sh");
    let script = scratch.join("calls.bt");
    // Its probes hit every process that runs the file: nobody else runs a copy.
    let copy = scratch.join("python");
    std::fs::copy(&python.notes, &copy)?;
    let notes = copy.display();
    let notes = notes.to_string();
    let clauses = clause("function__entry", &notes) + &clause("function__return", &notes);
    // Its output is buffered: so many lines that the first of them are written at once.
    let fill = ".".repeat(100);
    let ready = format!("BEGIN {{ unroll(100) {{ printf(\"ready {fill}\\n\"); }} }}\n");
    std::fs::write(&script, ready + &clauses)?;
    std::fs::write(&starter, BPFTRACE)?;
    let mut command = words(&["bash"]);
    command.extend([starter, trace.clone(), script].map(PathBuf::into_os_string));
    command.push("env".into());
    command.extend(python.environment()?.into_iter().map(OsString::from));
    command.push(copy.clone().into_os_string());
    command.extend_from_slice(program.get(1..).unwrap_or_default());
    Ok(Contestant {
        command: Some(command),
        trace: Some(trace),
        ..absent(name, "")
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
kill -INT $peer
wait $peer
exit $status
";

/// gdb stops, prints and goes on, as its manual shows.
fn gdb(python: &Python, program: &[OsString], scratch: &Path) -> anyhow::Result<Contestant> {
    let name = "gdb, -probe-stap with printf";
    if !present("gdb") {
        return Ok(absent(name, "not installed"));
    }
    let commands = scratch.join("commands.gdb");
    let trace = scratch.join("gdb");
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
    let mut contestant = plain(name, before, program.get(1..).unwrap_or_default());
    contestant.depth = DEPTH_DEAR;
    Ok(contestant)
}
