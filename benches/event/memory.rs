//! The tracer's memory over a long trace: it must not grow with the number of events.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::contestants::RECORD;
use super::runs;

/// Calls functions for so many seconds.
const PROGRAM: &str = "
import sys, time
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    fib(10)
";
/// So much longer than it is looked at.
const LONGER: f64 = 1.5;

/// When it is looked, in shares of the time.
const LOOKS: [f64; 3] = [0.1, 0.5, 1.0];

/// What is traced, how, and what the table calls it.
const ROWS: [(&str, &[&str], &str); 4] = [
    ("python3.9", &["--engine", "trap"], "traps, text"),
    ("python3.9", &[], "hierarchy as text"),
    (
        "python3.9",
        &["--lang", "dtrace", "-e", RECORD],
        "everything recorded",
    ),
    ("python3.13", &[], "hierarchy as text"),
];

/// Prints the table; each row takes that many minutes.
pub fn print(minutes: f64) -> anyhow::Result<()> {
    println!("\nmemory of the tracer, MiB (VmRSS, and VmHWM at the end), over {minutes} minutes");
    println!(
        "{:32} {:>9} {:>9} {:>9} {:>9}",
        "", "at 10 %", "at 50 %", "at 100 %", "highest"
    );
    for (name, options, what) in ROWS {
        eprintln!("memory: {name}, {what}");
        let sizes = watch(name, options, Duration::from_secs_f64(minutes * 60.0))?;
        print!("{:32}", format!("{name}, {what}"));
        sizes.iter().for_each(|size| print!(" {size:9.1}"));
        println!();
    }
    Ok(())
}

/// A tracer; its program ends by itself.
struct Tracer(Child);

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.0.wait(); // it cannot be waited for twice
    }
}

/// The sizes at [`LOOKS`], and the highest.
fn watch(name: &str, options: &[&str], time: Duration) -> anyhow::Result<Vec<f64>> {
    let python = runs::python(name)?;
    let tracer = Command::new(env!("CARGO_BIN_EXE_ptpytrace"))
        .args(["-q", "-o", "/dev/null"])
        .args(options)
        .arg("--")
        .arg(&python.wrapper)
        .args(["-c", PROGRAM])
        .arg((time.as_secs_f64() + LONGER).to_string())
        .stdin(Stdio::null())
        .spawn()?;
    let mut tracer = Tracer(tracer);
    let start = Instant::now();
    let mut sizes = Vec::new();
    for look in LOOKS {
        std::thread::sleep(time.mul_f64(look).saturating_sub(start.elapsed()));
        ensure!(tracer.0.try_wait()?.is_none(), "ptpytrace has ended");
        sizes.push(size(tracer.0.id(), "VmRSS:")?);
    }
    sizes.push(size(tracer.0.id(), "VmHWM:")?);
    Ok(sizes)
}

/// A size of a process, MiB.
fn size(pid: u32, what: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = number.with_context(|| format!("no {what}"))?.parse()?;
    Ok(kib / 1024.0)
}
