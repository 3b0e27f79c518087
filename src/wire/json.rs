//! The JSON dialect.

use super::{ClientMessage, DecodeError};

/// Decodes one frame.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn decode(_frame: &[u8]) -> Result<ClientMessage<'_>, DecodeError> {
    Err(DecodeError::Truncated)
}
