//! How figures are given out: flags that all commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// A table for people, or one line for scripts
    #[arg(long, env = "ORDEN_FORMAT", value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Draw latency and throughput
    #[arg(long, env = "ORDEN_PLOT", value_name = "F.svg")]
    pub(super) plot: Option<PathBuf>,
}

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}
