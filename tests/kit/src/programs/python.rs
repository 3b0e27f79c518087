//! Python peers in tests: an interpreter with pyzmq, made once in target/, and programs it runs.
//!
//! `cargo test` has to be enough on a machine with Python 3: what is missing is said in words,
//! and nothing is skipped.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::Program;
use crate::root;

const PYZMQ: &str = "27.3.0";
const PIP: [&str; 6] = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--no-input",
    "--disable-pip-version-check",
];

/// The interpreter: that of a virtual environment in target/, with pyzmq.
pub fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let test = std::env::current_exe().expect("it runs");
        let target = test.ancestors().nth(3).expect("it lies in target/");
        let environment = target.join("peers-venv");
        let python = environment.join("bin/python");
        // Test programs run side by side, and each may be the first.
        let lock = File::create(environment.with_extension("lock")).expect("target/ is writable");
        lock.lock().expect("a file in target/ can be locked");
        if !has_pyzmq(&python) {
            make(&environment, &python);
        }
        python
    })
}

/// The interpreter, with a package that only some tests need; `module` is what it is imported as.
pub fn with(module: &str, package: &str) -> &'static Path {
    let python = interpreter();
    let lock = File::create(python.with_extension("lock")).expect("target/ is writable");
    lock.lock().expect("a file in target/ can be locked");
    let import = format!("import {module}");
    let has = || {
        Command::new(python)
            .args(["-c", &import])
            .output()
            .is_ok_and(|end| end.status.success())
    };
    if !has() {
        let hint = "pip could not install a package: is there a network, or a mirror?";
        run(Command::new(python).args(PIP).arg(package), hint);
        assert!(has(), "{package} was installed and cannot be imported");
    }
    python
}

/// A program of a package, installed beside the interpreter.
pub fn script(name: &str, package: &str) -> PathBuf {
    let python = interpreter();
    let installed = python.with_file_name(name);
    let lock = File::create(python.with_extension("lock")).expect("target/ is writable");
    lock.lock().expect("a file in target/ can be locked");
    if !installed.exists() {
        let hint = "pip could not install a package: is there a network, or a mirror?";
        run(Command::new(python).args(PIP).arg(package), hint);
    }
    installed
}

fn has_pyzmq(python: &Path) -> bool {
    let version = "import zmq; print(zmq.__version__)";
    let output = Command::new(python).args(["-c", version]).output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == PYZMQ.as_bytes())
}

fn make(environment: &Path, python: &Path) {
    let venv = [OsStr::new("-m"), "venv".as_ref(), "--clear".as_ref()];
    let hint = "install Python 3 with its venv module (Debian: apt install python3-venv)";
    run(Command::new("python3").args(venv).arg(environment), hint);
    let package = format!("pyzmq=={PYZMQ}");
    let hint =
        "pip could not install pyzmq: is there a network, or a mirror in pip's configuration?";
    run(Command::new(python).args(PIP).arg(package), hint);
    assert!(
        has_pyzmq(python),
        "pyzmq {PYZMQ} was installed and cannot be imported"
    );
}

fn run(command: &mut Command, hint: &str) {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{hint}\n{command:?}: {error}"),
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success(),
        "{hint}\n{command:?}: {}\n{said}",
        output.status
    );
}

/// Starts tests/peers/`file`.
pub fn start(file: &str, arguments: &[&str]) -> Program {
    start_with(file, arguments, &[])
}

/// The same, with this in its environment.
pub fn start_with(file: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> Program {
    let script = root().join("tests/peers");
    let mut command = Command::new(interpreter());
    command
        .arg(script.join(file))
        .args(arguments)
        .envs(environment.iter().copied())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Program::start(file, &mut command)
}
