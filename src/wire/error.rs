//! Why bytes are not a message.

/// Why bytes are not a message. Each reason is counted under its own [`name`](Self::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Fewer bytes than the layout has.
    #[error("frame too short")]
    Truncated,
    /// More bytes than the layout has.
    #[error("bytes left over after the message")]
    Trailing,
    /// More frames than the dialect has.
    #[error("too many frames")]
    TooManyFrames,
    /// An ACK flag other than 0 or 1.
    #[error("flag byte is neither 0 nor 1")]
    BadFlag,
    /// An order number outside the 64-bit range, or a negative one other than -1 in an ACK.
    #[error("order number out of range")]
    OrderOutOfRange,
    /// Text that is not a JSON object.
    #[error("not a JSON object")]
    NotJson,
    /// A JSON object whose keys are missing or have other types than the dialect's.
    #[error("JSON object without the right fields")]
    BadJsonFields,
    /// Bytes on a plain TCP connection that do not begin with a header.
    #[error("bytes without a header")]
    NoHeader,
    /// A version of the native dialect that this broker does not speak.
    #[error("version of the native dialect not supported")]
    UnsupportedVersion,
    /// A kind of native frame that does not exist, or that only the broker sends.
    #[error("kind of frame unknown or not for this direction")]
    UnexpectedKind,
    /// A count, length or option with a value outside its range.
    #[error("field out of range")]
    FieldOutOfRange,
    /// A name that is empty, too long or begins with a zero byte.
    #[error("name not allowed")]
    BadName,
    /// A checksum that does not match its bytes.
    #[error("checksum does not match")]
    BadChecksum,
}

impl DecodeError {
    /// The reason as a counter's or a log line's key.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Trailing => "trailing_bytes",
            Self::TooManyFrames => "too_many_frames",
            Self::BadFlag => "bad_flag",
            Self::OrderOutOfRange => "order_out_of_range",
            Self::NotJson => "not_json",
            Self::BadJsonFields => "bad_json_fields",
            Self::NoHeader => "no_header",
            Self::UnsupportedVersion => "unsupported_version",
            Self::UnexpectedKind => "unexpected_kind",
            Self::FieldOutOfRange => "field_out_of_range",
            Self::BadName => "bad_name",
            Self::BadChecksum => "bad_checksum",
        }
    }
}
