//! What servers answer in JSON, as far as it matters here.

use serde::Deserialize;

/// An answer of the JetStream API.
#[derive(Debug, Deserialize)]
pub(super) struct Answer<T> {
    pub(super) error: Option<ApiError>,
    #[serde(flatten)]
    pub(super) value: Option<T>,
}

/// A refusal.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ApiError {
    pub(super) code: u16,
    #[serde(default)]
    pub(super) err_code: u32,
    #[serde(default)]
    pub(super) description: String,
}

impl ApiError {
    const STREAM_NOT_FOUND: u32 = 10059;
    const MESSAGE_NOT_FOUND: u32 = 10037;

    pub(super) fn is_no_stream(&self) -> bool {
        self.err_code == Self::STREAM_NOT_FOUND
    }

    pub(super) fn is_no_message(&self) -> bool {
        self.err_code == Self::MESSAGE_NOT_FOUND
    }

    /// Whether the stream, or the disk or account behind it, has no room.
    pub(super) fn is_full(&self) -> bool {
        let said = |words: &str| self.description.contains(words);
        said("maximum bytes") || said("maximum messages") || said("resources")
    }
}

/// The answer to an append.
#[derive(Debug, Deserialize)]
pub(super) struct Ack {
    pub(super) seq: u64,
}

/// A message as the leader gives it.
#[derive(Debug, Deserialize)]
pub(super) struct Got {
    pub(super) message: Stored,
}

/// A stored message.
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    pub(super) seq: u64,
    #[serde(default)]
    pub(super) data: String,
}

/// What a stream is, and how far it goes.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Info {
    pub(super) config: serde_json::Map<String, serde_json::Value>,
    pub(super) created: String,
    pub(super) state: State,
    #[serde(default)]
    pub(super) cluster: Cluster,
}

/// How far a stream goes.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct State {
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    #[serde(default)]
    pub(super) num_deleted: u64,
    pub(super) lost: Option<serde_json::Value>,
}

/// Who has the stream.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Cluster {
    pub(super) leader: Option<String>,
    pub(super) leader_since: Option<String>,
}

impl Info {
    /// Whether there is a leader; who, and since when.
    pub(super) fn leader(&self) -> Option<(String, Option<String>)> {
        let leader = self.cluster.leader.clone().filter(|name| !name.is_empty());
        leader.map(|leader| (leader, self.cluster.leader_since.clone()))
    }
}
