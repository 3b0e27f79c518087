//! What one sync of the disk takes, for the threshold that allows for it.

use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::bench::clock::Clock;
use crate::bench::error::Error;
use crate::bench::human::as_float;

const SYNCS: usize = 200;
/// A record of 120 bytes with its batch's header, about.
const WRITTEN: [u8; 256] = [7; 256];

/// Bytes that are claimed before a run: a log of it, and the next segment.
const CLAIMED: f64 = 256e6;
const PIECE: usize = 1 << 20;

/// Fills pages and gives them back, so that the run that comes next gets them without delay.
///
/// A virtual machine's host may take free memory away, and giving it back takes some 15
/// microseconds a page, many times what a broker does for what it writes there. Otherwise the
/// first run after a pause would pay for that, and runs that write to disk more than others.
pub(super) fn claim_memory(within: &Path, scale: f64) -> Result<(), Error> {
    let failed = || Error::system("write in", within);
    let file = tempfile::tempfile_in(within).map_err(failed())?;
    let piece = vec![1; PIECE];
    let mut at = 0;
    while as_float(at) < CLAIMED * scale {
        file.write_all_at(&piece, at).map_err(failed())?;
        at += PIECE as u64;
    }
    Ok(())
}

/// The median of some syncs after a small write to a file that has its full length, as a log's
/// segment has; in microseconds.
pub(super) fn sync_time(within: &Path) -> Result<f64, Error> {
    let failed = || Error::system("write and sync in", within);
    let file = tempfile::tempfile_in(within).map_err(failed())?;
    file.write_all_at(&vec![0; SYNCS * WRITTEN.len()], 0)
        .and_then(|()| file.sync_all())
        .map_err(failed())?;
    let clock = Clock::start();
    let mut times = Vec::with_capacity(SYNCS);
    for (place, _) in (0_u64..).zip(0..SYNCS) {
        let begin = clock.now();
        file.write_all_at(&WRITTEN, place * WRITTEN.len() as u64)
            .and_then(|()| file.sync_data())
            .map_err(failed())?;
        times.push(clock.now() - begin);
    }
    times.sort_unstable();
    Ok(as_float(times[SYNCS / 2]) / 1e3)
}
