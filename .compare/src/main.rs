//! The log alone beside redb: messages a second and the time of a commit, at 1, 10, 100 and
//! 1000 messages a sync; then how fast a long log opens and is read.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::cast_precision_loss, reason = "rates are shown in few digits")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orden::core::{Chunk, Index, OpenBatch, Write};
use orden::store::{self, Log, Options};
use orden::wire::batch::{self, Kind};
use orden::wire::record::{Flags, Record};
use orden::wire::{ClientSequence, Epoch, LogId, OrderNumber};

const PAYLOAD: [u8; 120] = [b'x'; 120];
const TABLE: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("log");
const ROUNDS: usize = 7;
const SECONDS: Duration = Duration::from_secs(1);
const LONG: u64 = 10_000_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn record(order: u64) -> Record<'static> {
    Record {
        order: OrderNumber(order),
        client_sequence: ClientSequence(order + 1),
        time: order,
        flags: Flags::default(),
        sender: b"ana",
        payload: &PAYLOAD,
    }
}

fn chunk(log: &dyn Log, first: u64, count: u64) -> Chunk {
    let mut open = OpenBatch::new(OrderNumber(first));
    for order in first..first + count {
        open.push(record(order));
    }
    let chunk = open.seal(log.log_id(), Epoch(1));
    chunk.expect("count is not 0")
}

fn snapshot(log_id: LogId, next: u64) -> Vec<u8> {
    let mut bytes = vec![0; batch::HEADER_LEN];
    batch::Header {
        kind: Kind::Snapshot,
        length: bytes.len(),
        count: 0,
        first: OrderNumber(next),
        log_id,
        epoch: Epoch(1),
        body_checksum: 0,
    }
    .seal(&mut bytes);
    bytes
}

fn append(log: &mut dyn Log, first: u64, count: u64) -> Result<()> {
    let (chunk, log_id) = (chunk(log, first, count), log.log_id());
    log.make_room(chunk.bytes().len(), &mut || snapshot(log_id, first))?;
    let index = Index(log.committed().0 + 1);
    log.append(index, &Write::Messages(chunk))?;
    log.commit()?;
    Ok(())
}

/// Commits `count` messages again and again; gives messages a second and the times of commits.
fn measure(count: u64, mut commit: impl FnMut(u64) -> Result<()>) -> Result<(f64, Vec<Duration>)> {
    let mut times = Vec::new();
    let begin = Instant::now();
    let mut next = 0;
    while begin.elapsed() < SECONDS {
        let start = Instant::now();
        commit(next)?;
        times.push(start.elapsed());
        next += count;
    }
    times.sort_unstable();
    Ok((next as f64 / begin.elapsed().as_secs_f64(), times))
}

fn with_log(directory: &Path, count: u64) -> Result<(f64, Vec<Duration>)> {
    let place = directory.join("log");
    let mut log = store::open(&Options::new(&place))?.log;
    let result = measure(count, |next| append(&mut *log, next, count));
    log.close()?;
    std::fs::remove_dir_all(place)?;
    result
}

fn with_redb(directory: &Path, count: u64) -> Result<(f64, Vec<Duration>)> {
    let place = directory.join("redb");
    let database = redb::Database::create(&place)?;
    let result = measure(count, |next| {
        let write = database.begin_write()?;
        {
            let mut table = write.open_table(TABLE)?;
            let mut bytes = Vec::new();
            for order in next..next + count {
                bytes.clear();
                record(order).encode(&mut bytes);
                table.insert(order, &bytes[..])?;
            }
        }
        write.commit()?;
        Ok(())
    });
    drop(database);
    std::fs::remove_file(place)?;
    result
}

fn show(name: &str, count: u64, (rate, times): &(f64, Vec<Duration>)) {
    let at = |part: usize| times[(times.len() - 1) * part / 1000].as_secs_f64() * 1e3;
    println!(
        "{name:5} {count:5} a sync {:9.0} messages/s, commit p50 {:.3} p99 {:.3} max {:.1} ms",
        rate,
        at(500),
        at(990),
        at(1000)
    );
}

fn compare(directory: &Path) -> Result<()> {
    for count in [1, 10, 100, 1000] {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            // In turns, so that what else the machine does meets both.
            let log = with_log(directory, count)?;
            show("log", count, &log);
            let redb = with_redb(directory, count)?;
            show("redb", count, &redb);
            rates[0].push(log.0);
            rates[1].push(redb.0);
        }
        let [log, redb] = rates.map(|mut rates| {
            rates.sort_unstable_by(f64::total_cmp);
            rates[rates.len() / 2]
        });
        println!(
            "      {count:5} a sync: medians {log:.0} and {redb:.0}, {:.1} times",
            log / redb
        );
    }
    Ok(())
}

fn long(directory: &Path) -> Result<()> {
    let options = Options::new(directory.join("long"));
    let mut log = store::open(&options)?.log;
    for first in (0..LONG).step_by(1000) {
        append(&mut *log, first, 1000)?;
    }
    // As a kill would leave it.
    drop(log);
    let start = Instant::now();
    let opened = store::open(&options)?;
    println!(
        "{LONG} messages: opened in {:.3} s",
        start.elapsed().as_secs_f64()
    );
    let mut reader = opened.log.reader();
    let start = Instant::now();
    let mut next = opened.recovered.oldest;
    let mut bytes = 0;
    while next < opened.recovered.next {
        let chunk = reader.read(next)?;
        bytes += chunk.bytes().len();
        next = chunk.end();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{LONG} messages: read in {seconds:.2} s, {:.1} million/s, {:.0} MB/s",
        LONG as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6
    );
    drop(opened);
    std::fs::remove_dir_all(options.directory)?;
    Ok(())
}

fn main() -> Result<()> {
    let directory = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    std::fs::create_dir_all(&directory)?;
    compare(&directory)?;
    long(&directory)
}
