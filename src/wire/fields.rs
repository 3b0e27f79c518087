//! Fields at fixed places in a frame: big-endian, never past its end.

use super::DecodeError;

/// Where a field lies in a layout. Layouts are tables of these, so each is stated once.
pub(crate) type Field = std::ops::Range<usize>;

macro_rules! reader {
    ($name:ident, $type:ty) => {
        /// Reads one field; its width must be the type's.
        pub(crate) fn $name(bytes: &[u8], field: Field) -> Result<$type, DecodeError> {
            let bytes = bytes.get(field).ok_or(DecodeError::Truncated)?;
            Ok(<$type>::from_be_bytes(
                bytes.try_into().map_err(|_| DecodeError::Truncated)?,
            ))
        }
    };
}

reader!(read_u16, u16);
reader!(read_u32, u32);
reader!(read_u64, u64);

/// Reads a field of one byte.
pub(crate) fn read_u8(bytes: &[u8], field: Field) -> Result<u8, DecodeError> {
    bytes
        .get(field.start)
        .copied()
        .ok_or(DecodeError::Truncated)
}

/// Splits off `count` items of `each` bytes. A count is a peer's word: it may claim more bytes
/// than a machine's `usize` can count.
pub(super) fn split_items(
    bytes: &[u8],
    count: u32,
    each: usize,
) -> Result<(&[u8], &[u8]), DecodeError> {
    usize::try_from(count)
        .ok()
        .and_then(|count| bytes.split_at_checked(count.checked_mul(each)?))
        .ok_or(DecodeError::Truncated)
}

/// Writes a field of a buffer that is known to have it.
pub(crate) fn put(buffer: &mut [u8], field: Field, value: &[u8]) {
    buffer[field].copy_from_slice(value);
}
