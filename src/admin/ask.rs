//! The asking side of the control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::path::Named;
use super::request::Request;

/// How long the broker may take; it gives its own sequencer less.
const PATIENCE: Duration = Duration::from_secs(90);
/// More than any answer has.
const ANSWER_BYTES: u64 = 16 << 20;

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("no broker answers at {}: {why}", path.display())]
    NoBroker {
        /// Where.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The connection has ended before the answer, or the answer took too long.
    #[error("the broker has not answered: {0}")]
    NoAnswer(#[from] io::Error),
    /// What came is no answer.
    #[error("this is no broker's answer: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The broker has not done it.
    #[error("{text}")]
    Refused {
        /// The reason, for programs.
        error: String,
        /// The reason, for people.
        text: String,
    },
}

/// Asks the broker whose control socket lies at `path`.
///
/// # Errors
/// [`AskError`].
pub fn ask(path: &Path, request: &Request) -> Result<Value, AskError> {
    let connected = Named::new(path).and_then(|named| UnixStream::connect(named.path()));
    let mut stream = connected.map_err(|why| AskError::NoBroker {
        path: path.to_owned(),
        why,
    })?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{}\n", request.line()).as_bytes())?;
    let mut line = Vec::new();
    BufReader::new(stream.take(ANSWER_BYTES)).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(AskError::NoAnswer(io::ErrorKind::UnexpectedEof.into()));
    }
    let answer: Value = serde_json::from_slice(&line)?;
    if answer.get("error").is_some() {
        let Refusal { error, text } = Refusal::deserialize(&answer)?;
        return Err(AskError::Refused { error, text });
    }
    Ok(answer)
}

/// Whether a broker still answers at `path`.
#[must_use]
pub fn answers(path: &Path) -> bool {
    let connected = Named::new(path).and_then(|named| UnixStream::connect(named.path()));
    connected.is_ok()
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    text: String,
}
