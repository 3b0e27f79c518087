//! Bytes made of other bytes, in the ways that find mistakes.

use orden_kit::random::Random;

/// Numbers at whose edges mistakes live.
const EDGES: [u64; 10] = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0xFFFF,
    0x7FFF_FFFF,
    0xFFFF_FFFF,
    i64::MAX as u64,
    u64::MAX,
];

/// A mutation of one of these, of more or fewer steps; sometimes bytes of no origin.
pub(crate) fn mutated(inputs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = match random.below(20) {
        0 => (0..random.below(200))
            .map(|_| random.next() as u8)
            .collect(),
        _ => pick(inputs, random).clone(),
    };
    for _ in 0..=random.below(6) {
        step(&mut bytes, inputs, random);
    }
    bytes
}

fn step(bytes: &mut Vec<u8>, inputs: &[Vec<u8>], random: &mut Random) {
    let at = place(bytes, random);
    match random.below(8) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.next() as u8),
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        4 if at < bytes.len() => bytes[at] = random.next() as u8,
        5 => {
            // An edge, in one of the widths that there are.
            let edge = EDGES[random.below(EDGES.len() as u64) as usize].to_be_bytes();
            let width = 1 << random.below(4);
            let end = (at + width).min(bytes.len());
            bytes[at..end].copy_from_slice(&edge[8 - (end - at)..]);
        }
        6 => {
            let other = pick(inputs, random);
            let (from, to) = (place(other, random), place(other, random));
            let piece = other[from.min(to)..from.max(to)].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => {
            let to = place(bytes, random);
            let piece = bytes[at.min(to)..at.max(to)].to_vec();
            bytes.splice(at..at, piece);
        }
    }
    bytes.truncate(1 << 16);
}

fn place(bytes: &[u8], random: &mut Random) -> usize {
    random.below(bytes.len() as u64 + 1) as usize
}

fn pick<'a>(inputs: &'a [Vec<u8>], random: &mut Random) -> &'a Vec<u8> {
    &inputs[random.below(inputs.len() as u64) as usize]
}
