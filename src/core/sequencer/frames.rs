//! A chunk in the words of a fixed dialect: one frame a message.

use super::Frames;
use crate::core::order::Chunk;
use crate::wire::record::Record;
use crate::wire::rendering::{self, Fidelity};
use crate::wire::{Dialect, binary, json, raw};

/// The frames of a chunk, and how many messages had to be changed to fit the dialect.
#[derive(Clone, Debug)]
pub(super) struct Rendered {
    pub(super) frames: Frames,
    pub(super) altered: u64,
}

/// Encodes every message of `chunk` in one of the fixed dialects.
pub(super) fn render(chunk: &Chunk, dialect: Dialect) -> Rendered {
    let mut bytes = Vec::with_capacity(chunk.bytes().len());
    let mut ends = Vec::new();
    let mut altered = 0;
    for record in chunk.records() {
        altered += u64::from(render_one(&record, dialect, &mut bytes));
        ends.push(bytes.len());
    }
    Rendered {
        frames: Frames::many(bytes, ends),
        altered,
    }
}

/// Appends one message; says whether it had to be changed.
fn render_one(record: &Record<'_>, dialect: Dialect, into: &mut Vec<u8>) -> bool {
    let parts = rendering::parts(record);
    let fidelity = match dialect {
        Dialect::Json => json::encode_message(record.order, parts, into),
        Dialect::Raw => raw::encode_message(record.order, parts, into),
        Dialect::Binary | Dialect::Native => {
            binary::encode_message(record.order, parts, into);
            Fidelity::Exact
        }
    };
    fidelity != Fidelity::Exact
}
