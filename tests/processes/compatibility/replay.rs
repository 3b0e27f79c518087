//! Logs and sessions that earlier versions have left, under the broker of today.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use orden::store::segment::field;
use orden_kit::PATIENCE;
use orden_kit::dealer::Dealer;
use orden_kit::programs::broker::{self, Broker};
use tempfile::TempDir;

use super::session::{Once, Session, Step, heard};
use super::{is_updated, kept};

const LOG: &str = "This breaks a promise of docs/promises.md: every later broker reads the log that \
    an earlier one has written";
const WIRE: &str = "This breaks a promise of docs/promises.md: every broker of this major version \
    answers a peer with these bytes";
/// What comes until so much later belongs to an answer, where it is not known how long that is.
const SILENCE: Duration = Duration::from_millis(500);
/// An answer that has not come by then, among what is sent again, does not come.
const FRAMES_MAX: usize = 500;

/// The versions that have left something.
fn versions() -> Vec<String> {
    let entries = fs::read_dir(kept("")).expect("a directory in the repository");
    let entries = entries.map(|entry| entry.expect("an entry").path());
    let names = entries.filter(|path| path.join("closed").is_dir());
    let name = |path: PathBuf| {
        path.file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    names.map(name).collect()
}

/// A log as its broker left it. In the repository its files lack the zeros that they end with.
fn unpacked(log: &Path) -> TempDir {
    let data = TempDir::new().expect("a directory for temporary files");
    for entry in fs::read_dir(log).expect("a recorded log") {
        let from = entry.expect("an entry").path();
        let to = data.path().join(from.file_name().expect("a name"));
        let bytes = fs::read(&from).expect("a segment");
        let filled = bytes[field::FILLED].try_into().expect("eight bytes");
        fs::write(&to, &bytes).expect("a copy");
        let file = OpenOptions::new().write(true).open(&to).expect("a copy");
        file.set_len(u64::from_be_bytes(filled)).expect("room");
    }
    data
}

fn dump(data: &Path) -> Vec<String> {
    let mut command = broker::command();
    command.args(["log", "dump", "--format", "json"]).arg(data);
    broker::run(&mut command).lines
}

#[test]
fn logs_are_read() {
    for version in versions() {
        for log in ["closed", "killed"] {
            let data = unpacked(&kept(&version).join(log));
            let what = format!("{version}/{log}\n{LOG}");
            let mut check = broker::command();
            let end = broker::run(check.args(["log", "check"]).arg(data.path()));
            assert!(end.success(), "{what}\n{}", end.complaint);
            let path = data.path().to_str().expect("text");
            let running = Broker::start(&["--data", path]);
            running.program().complaint(0, "members known");
            drop(running);
            let text = dump(data.path()).join("\n") + "\n";
            let list = kept(&version).join(format!("{log}.messages"));
            if is_updated(&version) {
                fs::write(&list, &text).expect("the repository can be written");
            }
            let expected = fs::read_to_string(&list).expect("a list of the messages");
            assert_eq!(text, expected, "{what}");
        }
    }
}

#[test]
fn sessions_are_answered_as_ever() {
    for version in versions() {
        let entries = fs::read_dir(kept(&version)).expect("a directory in the repository");
        let files = entries.map(|entry| entry.expect("an entry").path());
        let mut played = 0;
        for file in files.filter(|file| file.extension().is_some_and(|end| end == "session")) {
            play(&version, &file);
            played += 1;
        }
        assert!(played > 0, "{version} has no session");
    }
}

/// Plays a session on a copy of the log; or records the answers.
fn play(version: &str, file: &Path) {
    let text = fs::read_to_string(file).expect("a session");
    let mut session = Session::parse(&text);
    let data = unpacked(&kept(version).join("closed"));
    let old_end = dump(data.path()).len() as u64;
    let broker = Broker::start(&["--data", data.path().to_str().expect("text")]);
    let peer = Dealer::connect(broker.endpoint(), &session.peer);
    let mut once = Once::default();
    let mut listen = |expected: Option<&[String]>| {
        let patience = expected.map_or(SILENCE, |_| PATIENCE);
        let mut came = Vec::new();
        for _ in 0..FRAMES_MAX {
            let is_complete = expected.is_some_and(|expected| came.len() >= expected.len());
            let frames = (!is_complete)
                .then(|| peer.receive_within(patience))
                .flatten();
            let Some(frames) = frames else { break };
            let frame = frames.last().expect("a frame");
            came.extend(once.take(heard(frame, old_end)));
        }
        came
    };
    let updated = is_updated(version);
    let steps = std::mem::take(&mut session.steps);
    let mut steps = steps.into_iter().peekable();
    while let Some(step) = steps.next() {
        let Step::Say(frame) = &step else {
            panic!("{}: an answer before a question", file.display());
        };
        peer.send(&[frame]);
        session.steps.push(step);
        let mut expected = Vec::new();
        while let Some(Step::Hear(item)) = steps.next_if(|step| matches!(step, Step::Hear(_))) {
            expected.push(item);
        }
        let mut came = listen((!updated).then_some(&expected));
        // Confirmations and deliveries go their own ways.
        came.sort();
        if !updated {
            assert_eq!(came, expected, "{}\n{WIRE}", file.display());
        }
        session.steps.extend(came.into_iter().map(Step::Hear));
    }
    assert_eq!(
        listen(None),
        [""; 0],
        "{}: more than before\n{WIRE}",
        file.display()
    );
    if updated {
        fs::write(file, session.print()).expect("the repository can be written");
    }
}
