//! The Python package against the real broker: tests/python, by pytest.

use std::process::Command;

use orden_kit::{deadline, root};

#[test]
fn the_python_package() {
    deadline::set();
    // It makes its own environment in target/ and says what is missing.
    let mut pytest = Command::new(root().join(".ci/python"));
    pytest
        .args(["tests", "-p", "no:cacheprovider"])
        .env("ORDEN_BROKER", env!("CARGO_BIN_EXE_orden-broker"));
    let output = pytest.output().expect("bash is there");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaints}");
    assert!(said.contains(" passed"), "no test has run:\n{said}");
}
