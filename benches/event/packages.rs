//! Peers that come as packages of Python: the wheel that fits an interpreter, fetched once with this machine's pip into
//! the cache of the tests' interpreters. Nothing is installed on the machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::runs::{Python, cache};

/// The oldest C libraries that wheels are built for.
const PLATFORMS: [&str; 3] = ["manylinux2014", "manylinux_2_17", "manylinux_2_28"];

/// Where the package lies, to be put into `sys.path`; or why it cannot be had.
pub fn folder(python: &Python, name: &str) -> Result<PathBuf, String> {
    let parent = cache().join("peers").join(&python.name);
    let folder = parent.join(name);
    if folder.exists() {
        return Ok(folder);
    }
    std::fs::create_dir_all(&parent)
        .map_err(|error| format!("cannot create {}: {error}", parent.display()))?;
    let unfinished = tempfile::tempdir_in(&parent);
    let unfinished =
        unfinished.map_err(|error| format!("cannot write to {}: {error}", parent.display()))?;
    fetch(python, name, unfinished.path())?;
    std::fs::rename(unfinished.path(), &folder)
        .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    Ok(folder)
}

/// pip is run by the interpreter itself, which knows best what fits; where that cannot run pip, it is told what fits.
fn fetch(python: &Python, name: &str, folder: &Path) -> Result<(), String> {
    let mut own = pip();
    own.arg("--python").arg(&python.wrapper);
    if install(own, &[], name, folder).is_ok() {
        return Ok(());
    }
    let version = python
        .name
        .trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let abi = format!("cp{}", version.replace('.', ""));
    let release = version.trim_end_matches('t');
    let mut options = vec!["--python-version", release, "--implementation", "cp"];
    options.extend(["--abi", &abi, "--abi", "abi3", "--abi", "none"]);
    let platforms = PLATFORMS.map(|it| format!("{it}_{}", std::env::consts::ARCH));
    options.extend(platforms.iter().flat_map(|it| ["--platform", it]));
    install(pip(), &options, name, folder)
}

fn pip() -> Command {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]);
    pip
}

fn install(mut pip: Command, options: &[&str], name: &str, folder: &Path) -> Result<(), String> {
    pip.args(["install", "-q", "--only-binary=:all:"]);
    pip.args(options).arg("--target").arg(folder).arg(name);
    let output = pip.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("needs python3 with pip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("ERROR: "));
    Err(match reason {
        Some(reason) if !reason.contains("://") => reason.to_owned(),
        _ => format!("pip could not fetch {name}"),
    })
}
