//! Reading fields one after the other: big-endian, never past the end.

use super::fields::{read_u8, read_u32, read_u64, split_items};
use super::{DecodeError, Name, PublicKey};

/// What is not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        let value = read_u8(self.0, 0..1)?;
        self.0 = &self.0[1..];
        Ok(value)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        let value = read_u32(self.0, 0..4)?;
        self.0 = &self.0[4..];
        Ok(value)
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        let value = read_u64(self.0, 0..8)?;
        self.0 = &self.0[8..];
        Ok(value)
    }

    /// A byte that is 0 or 1.
    pub(super) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::FieldOutOfRange),
        }
    }

    /// So many bytes.
    pub(super) fn bytes(&mut self, length: u32) -> Result<&'a [u8], DecodeError> {
        let (bytes, rest) = split_items(self.0, length, 1)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A name behind a byte with its length.
    pub(super) fn name(&mut self) -> Result<Name, DecodeError> {
        let length = u32::from(self.u8()?);
        Name::new(self.bytes(length)?).map_err(|_| DecodeError::BadName)
    }

    /// The bytes of a key.
    pub(super) fn key(&mut self) -> Result<PublicKey, DecodeError> {
        let bytes = self.bytes(32)?.try_into();
        bytes
            .map(PublicKey::new)
            .map_err(|_| DecodeError::Truncated)
    }

    /// Something that is there if the byte before it is 1.
    pub(super) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.flag()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        self.0.is_empty().then_some(()).ok_or(DecodeError::Trailing)
    }
}

/// Appends a name behind a byte with its length.
pub(super) fn put_name(name: &Name, into: &mut Vec<u8>) {
    let bytes = name.as_bytes();
    into.push(u8::try_from(bytes.len()).expect("a name has at most 255 bytes"));
    into.extend_from_slice(bytes);
}
