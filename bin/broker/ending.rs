//! What a broker that cannot start, or had to stop, ends with.

use orden::broker::Error;

use crate::startup;

const RESTORE: &str = "restore the directory from a backup, or begin a new one with --data";

/// What the program ends with.
pub(crate) fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Store(error) if error.is_damage() => 2,
        Error::Diverged(_)
        | Error::NewerNeeded
        | Error::OtherOrder { .. }
        | Error::EarlierStream(_)
        | Error::LeftBehind { .. } => 2,
        Error::Keys(_) | Error::OneOfSeveral | Error::OtherRules { .. } | Error::NotToMove(_) => 1,
        _ => 3,
    }
}

/// What one can do.
pub(crate) fn hint(error: &Error) -> &'static str {
    match error {
        Error::Bind { source, .. } => startup::bind_hint(source),
        Error::Store(error) if error.is_damage() => RESTORE,
        Error::Store(orden::store::Error::FileSizeLimit { .. }) => {
            "raise it (ulimit -f, LimitFSIZE=), or give --segment-bytes less"
        }
        Error::Store(_) => "see --data for where the log is kept",
        Error::UnfitLibzmq(_) => "build it in its repository: Cargo.toml and .libzmq/ name libzmq",
        Error::Diverged(_) => {
            "the journals of all brokers are whole: keep them, see docs/cluster.md before starting one"
        }
        Error::NewerNeeded => "upgrade this broker",
        Error::OtherOrder { .. } => "give another --data, or another --stream",
        Error::OtherRules { .. } => "give --max-message-bytes as the order was founded",
        Error::OneOfSeveral => "give --cluster, or another --data",
        Error::LeftBehind { .. } | Error::EarlierStream(_) => {
            "give --data an empty directory, or a copy of one of a broker that serves and is stopped"
        }
        Error::TakenOver(_) => "give each broker a --broker-name of its own",
        Error::Keys(_) => "orden-broker keygen DIR makes key files, as pyzmq's zmq.auth does",
        _ => "",
    }
}
