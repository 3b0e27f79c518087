//! What docs/internals/journal.md says of the bytes is what the code writes, and the tests that it
//! names are there.

use std::fs;
use std::ops::Range;
use std::path::Path;

use orden::store::{self, mark, segment};
use orden::wire::batch::{self, Kind};
use orden::wire::{native, record, sessions};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The rows of the tables under a heading that begin with a cell of this form.
fn rows(heading: &str, is_row: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let document = read("docs/internals/journal.md");
    let (_, section) = document
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no heading {heading}"));
    let section = section.split("\n#").next().unwrap();
    let cells = |line: &str| {
        let line = line.strip_prefix('|')?.strip_suffix('|')?;
        Some(line.split('|').map(|cell| cell.trim().to_owned()).collect())
    };
    let rows = section.lines().filter_map(cells);
    rows.filter(|row: &Vec<String>| is_row(&row[0])).collect()
}

/// Compares the fields under a heading with the code's, and the place where the rest begins.
fn fields(heading: &str, expected: &[(&str, Range<usize>)], rest: Option<usize>) {
    let expected = expected
        .iter()
        .map(|(name, field)| (format!("{}..{}", field.start, field.end), *name));
    let expected: Vec<_> = expected
        .chain(rest.map(|from| (format!("{from}.."), "")))
        .collect();
    let found = rows(heading, |cell| cell.contains(".."));
    assert_eq!(found.len(), expected.len(), "{heading}");
    for (row, (bytes, name)) in found.iter().zip(expected) {
        assert_eq!(row[0], bytes, "{heading}");
        assert!(
            name.is_empty() || row[1] == name,
            "{heading}: {row:?}, not {name}"
        );
    }
}

#[test]
fn the_head_of_a_segment() {
    use segment::field::{
        CHECKSUM, EPOCH, FILLED, FIRST, FORMAT, LOG_ID, MAGIC, NEWEST, RESERVED, SECRET, SEQUENCE,
    };
    let expected = [
        ("magic", MAGIC),
        ("format", FORMAT),
        ("checksum", CHECKSUM),
        ("log id", LOG_ID),
        ("secret", SECRET),
        ("epoch", EPOCH),
        ("reserved", RESERVED),
        ("sequence", SEQUENCE),
        ("first", FIRST),
        ("filled", FILLED),
        ("newest", NEWEST),
    ];
    fields("### Segment header", &expected, None);
    assert_eq!(NEWEST.end, segment::HEADER_LEN);
    let rows = rows("### Segment header", |cell| cell.contains(".."));
    let magic = String::from_utf8(segment::MAGIC.to_vec()).unwrap();
    assert_eq!(rows[0][2], format!("`{magic}`"));
    assert!(rows[1][2].starts_with(&format!("{};", segment::FORMAT)));
}

#[test]
fn the_head_of_a_batch() {
    use batch::field::{
        BODY_CHECKSUM, CHECKSUM, COUNT, EPOCH, FIRST, FIRST_AGAIN, KIND, LENGTH, LOG_ID, MAGIC,
        RESERVED, VERSION,
    };
    let expected = [
        ("magic", MAGIC),
        ("version", VERSION),
        ("kind", KIND),
        ("reserved", RESERVED),
        ("length", LENGTH),
        ("checksum", CHECKSUM),
        ("count", COUNT),
        ("first", FIRST),
        ("durable", FIRST_AGAIN),
        ("log id", LOG_ID),
        ("epoch", EPOCH),
        ("body checksum", BODY_CHECKSUM),
    ];
    fields("### Batch header", &expected, None);
    assert_eq!(BODY_CHECKSUM.end, batch::HEADER_LEN);
    let first = rows("### Batch header", |cell| cell.contains(".."));
    assert_eq!(first[0][2], format!("`{}`", char::from(native::MAGIC)));
    assert_eq!(first[1][2], native::VERSION.to_string());
    let kinds = [
        ("messages", Kind::Messages),
        ("sessions", Kind::Sessions),
        ("snapshot", Kind::Snapshot),
        ("closed", Kind::Closed),
        ("synced", Kind::Synced),
        ("continued", Kind::Continued),
    ];
    let found: Vec<_> = rows("### Batch header", |_| true)
        .into_iter()
        .filter(|row| row[1].starts_with("0x"))
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let expected = kinds.map(|(name, kind)| (name.to_owned(), format!("0x{:02x}", kind as u8)));
    assert_eq!(found, expected);
}

#[test]
fn records_sessions_and_marks() {
    let expected = [
        ("length", record::field::LENGTH),
        ("checksum", record::field::CHECKSUM),
        ("order number", record::field::ORDER),
        ("client sequence", record::field::CLIENT_SEQUENCE),
        ("time", record::field::TIME),
        ("flags", record::field::FLAGS),
        ("name length", record::field::NAME_LENGTH),
        ("reserved", record::field::RESERVED),
    ];
    fields("### Record", &expected, Some(record::HEADER_LEN));
    let entry = [
        ("state", sessions::field::STATE),
        ("dialect", sessions::field::DIALECT),
        ("name length", sessions::field::NAME_LENGTH),
        ("delimited", sessions::field::DELIMITED),
        ("floor", sessions::field::FLOOR),
        ("heard", sessions::field::HEARD),
        ("last sequence", sessions::field::LAST_SEQUENCE),
        ("runs", sessions::field::RUNS),
        ("digests", sessions::field::DIGESTS),
        (
            "name, then runs, then digests",
            sessions::FIXED_LEN..usize::MAX,
        ),
        ("sequence", sessions::run_field::SEQUENCE),
        ("order", sessions::run_field::ORDER),
        ("count", sessions::run_field::COUNT),
    ];
    let found = rows("### Session entry", |cell| cell.contains(".."));
    let found: Vec<_> = found.iter().map(|row| (&row[0][..], &row[1][..])).collect();
    let expected = entry.map(|(name, field)| match field {
        Range {
            start,
            end: usize::MAX,
        } => (format!("{start}.."), name),
        Range { start, end } => (format!("{start}..{end}"), name),
    });
    let expected: Vec<_> = expected.iter().map(|(at, name)| (&at[..], *name)).collect();
    assert_eq!(found, expected);
    let expected = [
        ("batch header", 0..batch::HEADER_LEN),
        ("offset", mark::field::OFFSET),
        ("secret", mark::field::SECRET),
    ];
    fields("### Mark", &expected, None);
    assert_eq!(mark::field::SECRET.end, mark::LEN);
}

#[test]
fn sizes_and_tests_that_the_document_names() {
    let document = read("docs/internals/journal.md");
    let megabytes = store::DEFAULT_SEGMENT_BYTES >> 20;
    assert!(document.contains(&format!("A segment is a file of {megabytes} MiB")));
    let mut tests = 0;
    for name in document.split('`').filter(|text| text.contains("::")) {
        let Some((module, test)) = name.split_once("::").filter(|(at, _)| *at != "store") else {
            continue;
        };
        let file = read(&format!("tests/machines/log/{module}.rs"));
        assert!(
            file.contains(&format!("fn {test}()")),
            "there is no test {name}"
        );
        tests += 1;
    }
    assert!(tests >= 10);
}
