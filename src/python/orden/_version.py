"""The version: the same as the broker's in Cargo.toml, which a test holds it to."""

__version__ = "0.1.0"
