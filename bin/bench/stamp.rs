//! What a message says: who sent it, which of its sender's messages it is, and when that was.
//!
//! ```text
//!  0     4           6          10        16
//!  | run | publisher | sequence | sent at | filling ...
//! ```
//! Integers are big-endian, the time is in nanoseconds since the run began. The JSON dialect
//! carries text only, so there the 16 bytes are 32 hexadecimal digits. The filling is the same
//! in every message: each subscriber compares each byte.

/// Bytes of a stamp: the shortest message.
const STAMP_LEN: usize = 16;
/// Where run and publisher end.
const SEQUENCE_AT: usize = 6;

/// How the stamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Bytes,
    /// For dialects that carry text.
    Digits,
}

impl Script {
    /// The shortest message that can be stamped.
    pub(super) fn least_size(self) -> usize {
        match self {
            Self::Bytes => STAMP_LEN,
            Self::Digits => 2 * STAMP_LEN,
        }
    }
}

/// What a stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) publisher: u16,
    pub(super) sequence: u32,
    /// Nanoseconds since the run began.
    pub(super) sent_at: u64,
}

/// A message of ours that is not as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// Messages of one run: writes them, and knows them again.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    run: u32,
    script: Script,
    bytes: Vec<u8>,
}

impl Payload {
    /// Messages of `size` bytes, at least [`Script::least_size`]. `run` tells them from what
    /// others publish on the same broker.
    pub(super) fn new(run: u32, script: Script, size: usize) -> Self {
        debug_assert!(size >= script.least_size());
        let filling = (b'a'..=b'z').cycle();
        Self {
            run,
            script,
            bytes: filling.take(size).collect(),
        }
    }

    /// The message with this stamp.
    pub(super) fn write(&mut self, stamp: Stamp) -> &[u8] {
        let mut head = [0; STAMP_LEN];
        head[..4].copy_from_slice(&self.run.to_be_bytes());
        head[4..6].copy_from_slice(&stamp.publisher.to_be_bytes());
        head[6..10].copy_from_slice(&stamp.sequence.to_be_bytes());
        head[10..].copy_from_slice(&stamp.sent_at.to_be_bytes()[2..]);
        match self.script {
            Script::Bytes => self.bytes[..STAMP_LEN].copy_from_slice(&head),
            Script::Digits => {
                for (pair, byte) in self.bytes.chunks_exact_mut(2).zip(head) {
                    pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
                }
            }
        }
        &self.bytes
    }

    /// What all messages of a publisher begin with.
    pub(super) fn mark(&self, publisher: u16) -> Vec<u8> {
        let stamp = Stamp {
            publisher,
            sequence: 0,
            sent_at: 0,
        };
        let digits = self.script.least_size() / STAMP_LEN;
        let mut message = self.clone();
        message.write(stamp)[..SEQUENCE_AT * digits].to_vec()
    }

    /// What a message says; `None` if it is not of this run.
    pub(super) fn read(&self, message: &[u8]) -> Result<Option<Stamp>, Damaged> {
        let length = self.script.least_size();
        let Some((written, filling)) = message.split_at_checked(length) else {
            return Ok(None);
        };
        let mut head = [0; STAMP_LEN];
        match self.script {
            Script::Bytes => head.copy_from_slice(written),
            Script::Digits => {
                for (byte, pair) in head.iter_mut().zip(written.chunks_exact(2)) {
                    let (Some(high), Some(low)) = (value(pair[0]), value(pair[1])) else {
                        return Ok(None);
                    };
                    *byte = high << 4 | low;
                }
            }
        }
        if u32::from_be_bytes(field(&head, 0)) != self.run {
            return Ok(None);
        }
        if filling != &self.bytes[length..] {
            return Err(Damaged);
        }
        let mut sent_at = [0; 8];
        sent_at[2..].copy_from_slice(&head[10..]);
        Ok(Some(Stamp {
            publisher: u16::from_be_bytes(field(&head, 4)),
            sequence: u32::from_be_bytes(field(&head, 6)),
            sent_at: u64::from_be_bytes(sent_at),
        }))
    }
}

/// The bytes of a stamp from `at` on.
fn field<const LEN: usize>(head: &[u8; STAMP_LEN], at: usize) -> [u8; LEN] {
    std::array::from_fn(|place| head[at + place])
}

fn digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'A' + value - 10,
    }
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        publisher: 15,
        sequence: u32::MAX,
        sent_at: (1 << 48) - 2,
    };

    #[test]
    fn a_message_is_known_again() {
        for script in [Script::Bytes, Script::Digits] {
            for size in [script.least_size(), 120, 1000] {
                let mut payload = Payload::new(7, script, size);
                let message = payload.write(STAMP).to_vec();
                assert_eq!(message.len(), size);
                assert_eq!(payload.read(&message), Ok(Some(STAMP)));
                let another_run = Payload::new(8, script, size);
                assert_eq!(another_run.read(&message), Ok(None));
            }
        }
    }

    #[test]
    fn what_was_changed_is_found_out() {
        for script in [Script::Bytes, Script::Digits] {
            let mut payload = Payload::new(7, script, 120);
            let message = payload.write(STAMP).to_vec();
            for at in script.least_size()..120 {
                let mut changed = message.clone();
                changed[at] ^= 1;
                assert_eq!(payload.read(&changed), Err(Damaged));
            }
            assert_eq!(payload.read(&message[..119]), Err(Damaged));
            assert_eq!(payload.read(b"Server: ana has joined the net"), Ok(None));
        }
    }

    #[test]
    fn text_is_text() {
        let mut payload = Payload::new(u32::MAX, Script::Digits, 40);
        assert!(payload.write(STAMP).is_ascii());
    }
}
