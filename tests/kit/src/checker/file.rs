//! A history in a file that outlives its process: one event a line of JSON. It is evidence for the
//! checker, and it is a member's own position when it starts again. An event that was kept is in
//! the hands of the system, which a killed process does not take along.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::history::{Event, Moment};
use crate::clock::now_us;

/// A history that is being written.
pub struct Writer(BufWriter<File>);

impl Writer {
    /// Goes on with the history in this file.
    pub fn open(path: &Path) -> Self {
        let file = File::options().create(true).append(true).open(path);
        let file = file.expect("a file for a history");
        Self(BufWriter::with_capacity(256 << 10, file))
    }

    /// Notes what happens now.
    pub fn note(&mut self, event: Event) {
        let moment = Moment {
            at: now_us(),
            event,
        };
        serde_json::to_writer(&mut self.0, &moment).expect("space");
        self.0.write_all(b"\n").expect("space");
    }

    /// What was noted outlives this process from now on.
    pub fn keep(&mut self) {
        self.0.flush().expect("space");
    }
}

/// Cuts off what a kill has left of an event, so that the next one begins where it should.
pub fn mend(path: &Path) {
    let Ok(bytes) = std::fs::read(path) else {
        return;
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let file = File::options().write(true).open(path).expect("it is there");
    file.set_len(whole.map_or(0, |end| end as u64 + 1))
        .expect("it can be cut");
}

/// A history as far as it goes, which others may still be writing.
struct Reader {
    path: PathBuf,
    /// Where the first line begins that was not read.
    at: u64,
}

impl Reader {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            at: 0,
        }
    }

    /// The whole lines that have come since this was asked last. An event that a kill has cut is
    /// none.
    fn news(&mut self) -> Vec<Moment> {
        let mut moments = Vec::new();
        let Ok(mut file) = File::open(&self.path) else {
            return moments;
        };
        file.seek(SeekFrom::Start(self.at)).expect("a place in it");
        for line in lines(file) {
            self.at += line.len() as u64;
            moments.push(moment(&line));
        }
        moments
    }
}

fn lines(file: File) -> impl Iterator<Item = Vec<u8>> {
    let mut file = BufReader::with_capacity(64 << 10, file);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line).expect("it can be read");
        line.ends_with(b"\n").then_some(line)
    })
}

fn moment(line: &[u8]) -> Moment {
    let moment = serde_json::from_slice(line);
    moment.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)))
}

/// The histories of some who lived side by side as one, in the order in which things happened.
/// Those that are not there have nothing to tell.
///
/// All of them have the machine's one clock. What a member has sent it noted before, and what it
/// was given it noted after: so what was caused comes behind its cause.
pub fn merged(paths: impl IntoIterator<Item = PathBuf>) -> impl Iterator<Item = Moment> {
    let files = paths.into_iter().filter_map(|path| File::open(path).ok());
    let mut histories: Vec<_> = files
        .map(|file| lines(file).map(|line| moment(&line)))
        .collect();
    let mut next: Vec<_> = histories.iter_mut().map(Iterator::next).collect();
    let first = next.iter().enumerate();
    let mut due: BinaryHeap<_> = first
        .filter_map(|(index, moment)| Some(Reverse((moment.as_ref()?.at, index))))
        .collect();
    std::iter::from_fn(move || {
        let Reverse((_, index)) = due.pop()?;
        let moment = std::mem::replace(&mut next[index], histories[index].next());
        if let Some(after) = &next[index] {
            due.push(Reverse((after.at, index)));
        }
        moment
    })
}

/// How far a member is, as its history tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The log and the next number; `None` before the first welcome.
    pub next: Option<(u64, u64)>,
    pub sent: u64,
    pub confirmed: u64,
}

impl Position {
    /// The position at the end of the history in this file.
    pub fn read(path: &Path) -> Self {
        Followed::new(path).position()
    }

    pub fn note(&mut self, event: &Event) {
        match event {
            Event::Open { begin, log, .. } => {
                self.next.get_or_insert((*log, *begin));
            }
            Event::Send { sequence, .. } => self.sent = self.sent.max(*sequence),
            Event::Confirm { sequence, .. } => self.confirmed = *sequence,
            Event::Deliver { message, .. } => {
                if let Some((_, next)) = &mut self.next {
                    *next = message.order + 1;
                }
            }
            _ => {}
        }
    }
}

/// The position of a member that lives in another process, by its history.
pub struct Followed {
    reader: Reader,
    position: Position,
}

impl Followed {
    pub fn new(path: &Path) -> Self {
        Self {
            reader: Reader::new(path),
            position: Position::default(),
        }
    }

    /// Its position by now.
    pub fn position(&mut self) -> Position {
        for moment in self.reader.news() {
            self.position.note(&moment.event);
        }
        self.position
    }
}
