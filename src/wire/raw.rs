//! The raw dialect.
