//! Flags whose value is a size.

use std::ops::RangeInclusive;

use clap::builder::RangedU64ValueParser;

/// A number of bytes or of things, within bounds.
pub(crate) fn size(bounds: RangeInclusive<u64>) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(bounds)
}
