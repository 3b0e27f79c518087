//! Appending: records out, the engine's answers in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::client::PublishErrorKind;
use async_nats::connection::State;
use async_nats::{Message, StatusCode};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::info::{Ack, Answer, ApiError};
use super::outlet::Outlet;
use super::session::Session;
use crate::stream::{Refusal, Shelf, StreamEvent};
use crate::wire::Position;

/// A record to append.
pub(super) struct Append {
    pub(super) tag: u64,
    pub(super) shelf: Shelf,
    pub(super) record: Arc<Vec<u8>>,
}

/// A record's bytes, for a message without a copy.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Since when no append was answered, if one is under way.
#[derive(Default)]
pub(super) struct Unanswered(Mutex<Option<Instant>>);

impl Unanswered {
    fn sent(&self) {
        self.lock().get_or_insert_with(Instant::now);
    }

    /// Something was answered, or nothing that was sent before can be any more.
    pub(super) fn clear(&self) {
        *self.lock() = None;
    }

    /// For how long.
    pub(super) fn age(&self) -> Option<Duration> {
        self.lock().map(|since| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes what comes, in its order, with answers to `inbox`.TAG, until nothing more can come.
pub(super) async fn publish(
    session: Session,
    outlet: Outlet,
    mut appends: mpsc::Receiver<Append>,
    subjects: [String; 2],
    inbox: String,
    unanswered: Arc<Unanswered>,
) {
    while let Some(Append { tag, shelf, record }) = appends.recv().await {
        let subject = match shelf {
            Shelf::Commands => &subjects[0],
            Shelf::Snapshot => &subjects[1],
        };
        // What waited for a reconnect would be sent twice: who appends asks again anyhow.
        let sent = if session.client.connection_state() == State::Connected {
            let payload = bytes::Bytes::from_owner(Shared(record));
            let reply = format!("{inbox}.{tag}");
            let sent = session
                .client
                .publish_with_reply(subject.clone(), reply, payload);
            unanswered.sent();
            sent.await.map_err(|error| match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => Refusal::TooLarge,
                _ => Refusal::Unavailable,
            })
        } else {
            Err(Refusal::Unavailable)
        };
        if let Err(why) = sent {
            outlet.say(StreamEvent::Refused { tag, why }).await;
        }
    }
}

/// What the answer to an append says; `None` if it is none.
pub(super) fn answer(message: &Message) -> Option<StreamEvent> {
    let (_, tag) = message.subject.as_str().rsplit_once('.')?;
    let tag = tag.parse().ok()?;
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        let why = Refusal::Unavailable;
        return Some(StreamEvent::Refused { tag, why });
    }
    let answer: Answer<Ack> = serde_json::from_slice(&message.payload).ok()?;
    Some(match (answer.error, answer.value) {
        (Some(error), _) => StreamEvent::Refused {
            tag,
            why: refusal(&error),
        },
        (None, Some(ack)) => StreamEvent::Appended {
            tag,
            position: Position(ack.seq),
        },
        (None, None) => return None,
    })
}

fn refusal(error: &ApiError) -> Refusal {
    match error.code {
        _ if error.is_full() => Refusal::Full,
        503 => Refusal::Unavailable,
        _ if error.description.contains("message size exceeds") => Refusal::TooLarge,
        _ => Refusal::Other(error.description.clone()),
    }
}
