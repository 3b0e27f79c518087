//! The next segment while it is made: a file of zeros that lie safely on the medium, so that what
//! is appended later changes no metadata and cannot run out of space.

use std::io;
use std::sync::Arc;

use super::medium::{File, Medium};
use super::segment::FILLING;
use super::shortage::Shortage;

/// Zeros are written and synced in pieces of so many bytes: a sync of the log may have to wait
/// for one of them, not for a whole segment.
const PIECE: usize = 1 << 20;

/// Makes a file of so many zeros, unless `is_over` says that it is not wanted any more.
pub(super) fn fill(
    medium: &dyn Medium,
    bytes: u64,
    is_over: &dyn Fn() -> bool,
) -> io::Result<Arc<dyn File>> {
    let filled = try_to(medium, bytes, is_over);
    if filled.is_err() && medium.remove(FILLING).is_err() {
        // What was wrong before has been told; the next attempt empties the file.
    }
    filled
}

fn try_to(
    medium: &dyn Medium,
    bytes: u64,
    is_over: &dyn Fn() -> bool,
) -> io::Result<Arc<dyn File>> {
    let file = medium.create(FILLING)?;
    let zeros = vec![0; usize::try_from(bytes).map_or(PIECE, |all| all.min(PIECE))];
    let mut offset = 0;
    while offset < bytes {
        if is_over() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let left = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
        let length = zeros.len().min(left);
        // Space that others come and go with may be there at the second attempt.
        if let Err(error) = file.write_at(&zeros[..length], offset) {
            Shortage::of(error)?;
            file.write_at(&zeros[..length], offset)?;
        }
        file.sync_data()?;
        offset += length as u64;
    }
    Ok(file)
}
