//! Tests that look at, or need, a process of their own: this very test program, started again for
//! one test.

use std::process::Command;

const VARIABLE: &str = "ORDEN_ALONE";

/// Whether this process was started for this test alone. If it was not, runs the test in one that
/// is, and fails if it does; the caller has nothing more to do.
///
/// `module` is the caller's `module_path!()`.
#[track_caller]
pub fn is_alone(module: &str, test: &str) -> bool {
    if std::env::var_os(VARIABLE).is_some() {
        return true;
    }
    let output = command(module, test).env(VARIABLE, "1").output();
    let output = output.expect("this program starts again");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test}, alone: {}\n{said}",
        output.status
    );
    false
}

/// This program again, for one test of `module`, which is a `module_path!()`.
pub fn command(module: &str, test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    // The harness knows tests by their paths without the crate.
    let test = match module.split_once("::") {
        Some((_, module)) => format!("{module}::{test}"),
        None => test.to_owned(),
    };
    command.args(["--exact", &test, "--nocapture"]);
    command
}
