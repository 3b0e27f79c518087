//! `orden-client` as a process, and the broker's log for comparison.

use crate::interop::seen::{Line, number_and_text};
use orden_kit::programs::broker::{self, Broker};
use orden_kit::programs::{Program, client};

/// Starts `orden-client`.
pub(crate) fn client(broker: &Broker, name: &str, more: &str) -> Program {
    let arguments: Vec<_> = ["--name", name]
        .into_iter()
        .chain(more.split_whitespace())
        .collect();
    client::start(broker.address(), &arguments)
}

/// What the broker has ordered, as it has written it down.
pub(crate) fn the_log(broker: &Broker) -> Vec<Line> {
    let mut command = broker::command();
    let end = broker::run(command.args(["log", "dump"]).arg(broker.data()));
    assert!(end.success(), "{}", end.complaint);
    end.lines.iter().map(|line| number_and_text(line)).collect()
}
