//! `orden-client --resume`: an input that is repeated until all of it is ordered, once.

use super::pipe::everything;
use super::program::{End, Program};
use super::stage::Stage;

/// Runs an input through the client.
fn import(stage: &Stage, flags: &[&str], input: &str) -> End {
    let arguments = [&["--name", "imp", "--resume"][..], flags].concat();
    let mut client = Program::start(&stage.address, &arguments);
    client.tell(input);
    client.end()
}

fn texts(stage: &Stage) -> Vec<String> {
    let from_imp = |said: &(_, String, String)| said.1 == "imp";
    let said = everything(stage).into_iter().filter(from_imp);
    said.map(|said| said.2).collect()
}

#[track_caller]
fn says(end: &End, words: &str) {
    assert!(end.complaint.contains(words), "{words:?} is not in {end:?}");
}

#[test]
fn a_session_has_to_be_there_or_to_be_wanted() {
    let stage = Stage::new();
    let lines = "1\n2\n3\n";
    // However often it is tried, nothing becomes of it.
    for _ in 0..2 {
        let end = import(&stage, &[], lines);
        assert_eq!(end.code, Some(3), "{end:?}");
        says(&end, "does not know this name");
        says(
            &end,
            "hint: for the first run of an input, add --new-session",
        );
    }
    assert_eq!(import(&stage, &["--new-session"], lines).code, Some(0));
    assert_eq!(import(&stage, &[], lines).code, Some(0));
    // The session ends, and with it the knowledge of what is ordered.
    let leaving = ["--name", "imp", "--on-exit", "leave"];
    Program::start(&stage.address, &leaving).finish();
    assert_eq!(import(&stage, &[], lines).code, Some(3));
    assert_eq!(texts(&stage), ["1", "2", "3"]);
}

#[test]
fn the_last_line_says_what_has_become_of_the_input() {
    let stage = Stage::new();
    let end = import(&stage, &["--new-session"], "1\n2\n");
    says(&end, "2 lines: 0 were there, 2 sent, last order number 2");
    let end = import(&stage, &[], "1\n2\n3\n");
    says(&end, "3 lines: 2 were there, 1 sent, last order number 3");
    let end = import(&stage, &[], "1\n");
    says(
        &end,
        "1 line: 1 were there, 0 sent, last order number 1; earlier runs had 2 lines more",
    );
}

#[test]
fn an_input_that_has_changed_is_told_with_its_line() {
    let stage = Stage::new();
    import(&stage, &["--new-session"], "1\n2\n3\n");
    let end = import(&stage, &[], "1\nzwei\n3\n");
    assert_eq!(end.code, Some(2), "{end:?}");
    says(&end, "line 2 differs from what imp published before");
    // Without the flag the session's own sequence goes on.
    let mut imp = Program::start(&stage.address, &["--name", "imp"]);
    imp.tell("1\n");
    imp.finish();
    assert_eq!(texts(&stage), ["1", "2", "3", "1"]);
}
