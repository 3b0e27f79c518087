//! Scripts of a machine: blocks of commands, `----`, and what then happens.

pub mod participant;
pub mod sequencer;

use expect_test::expect_file;

use crate::root;

/// What runs a script's commands.
pub trait Scene {
    /// Does what a line says.
    fn run(&mut self, line: &str);
    /// What has happened since this was asked last, a line each.
    fn take_said(&mut self) -> String;
}

/// Runs a script and compares what happens with what it says.
pub fn check(folder: &str, name: &str, scene: &mut impl Scene) {
    let path = root().join(folder).join(format!("{name}.txt"));
    let script = std::fs::read_to_string(&path).unwrap();
    let mut actual = String::new();
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        actual += line;
        actual += "\n";
        if line == "----" {
            actual += &scene.take_said();
            actual += "\n";
            lines.by_ref().find(|line| line.is_empty());
        } else if !line.is_empty() && !line.starts_with('#') {
            scene.run(line);
        }
    }
    let unseen = scene.take_said();
    assert!(
        unseen.is_empty(),
        "put `----` behind the last command: {unseen}"
    );
    expect_file![path].assert_eq(&(actual.trim_end().to_owned() + "\n"));
}

/// Every script in a folder has its test.
pub fn all_are_listed(folder: &str, tests: &[&str]) {
    let mut found: Vec<_> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut listed: Vec<_> = tests.iter().map(|name| format!("{name}.txt")).collect();
    found.sort();
    listed.sort();
    assert_eq!(found, listed);
}

/// A test for each script of a folder, and one for those that have none.
#[macro_export]
macro_rules! scripts {
    ($folder:literal, $check:path: $($name:ident)*) => {
        $(#[test]
        fn $name() {
            $check($folder, stringify!($name));
        })*

        #[test]
        fn no_script_is_forgotten() {
            $crate::scripts::all_are_listed($folder, &[$(stringify!($name)),*]);
        }
    };
}
