//! Reading by position: batches from any server, and single records from the leader.

use std::time::Duration;

use async_nats::{Message, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt as _;
use serde_json::json;

use super::info::Got;
use super::outlet::Outlet;
use super::session::{NoAnswer, Session};
use crate::stream::StreamEvent;
use crate::wire::Position;

/// The most records of one batch: below what a subscription holds.
const BATCH: u32 = 256;
/// How long a batch may be silent.
const SILENCE: Duration = Duration::from_secs(1);
const NO_MORE: u16 = 204;

/// Where a message lies in the stream, as its headers say.
pub(super) fn position_of(message: &Message) -> Option<Position> {
    let value = message.headers.as_ref()?.get("Nats-Sequence")?;
    value.as_str().parse().ok().map(Position)
}

/// Reads from `from` on and says so.
pub(super) async fn fetch(
    session: Session,
    outlet: Outlet,
    from: Position,
    records: u32,
    bytes: u32,
) {
    let mut next = batch(&session, &outlet, from, records, bytes).await;
    let mut is_missing = false;
    if next == from {
        // None there, or a replica that lags: the leader knows.
        match read(&session, from).await {
            Ok(record) => {
                let position = from;
                outlet.say(StreamEvent::Fetched { position, record }).await;
                next = Position(from.0 + 1);
            }
            Err(error) if error.is_no_message() => {
                let info = session.info().await;
                is_missing = info.is_ok_and(|info| info.state.last_seq >= from.0);
            }
            Err(error) => log::debug!("record {from} cannot be read: {error}"),
        }
    }
    let end = StreamEvent::FetchEnd {
        from,
        next,
        is_missing,
    };
    outlet.say(end).await;
}

/// One batch from any server; returns the position up to which it came without a gap.
async fn batch(
    session: &Session,
    outlet: &Outlet,
    from: Position,
    records: u32,
    bytes: u32,
) -> Position {
    let client = &session.client;
    let inbox = client.new_inbox();
    let Ok(mut answers) = client.subscribe(inbox.clone()).await else {
        return from;
    };
    let request = json!({
        "seq": from.0,
        "batch": records.clamp(1, BATCH),
        "max_bytes": bytes,
    });
    let subject = session.direct_get();
    let asked = client.publish_with_reply(subject, inbox, request.to_string().into());
    if asked.await.is_err() {
        return from;
    }
    let mut next = from;
    while let Ok(Some(message)) = tokio::time::timeout(SILENCE, answers.next()).await {
        if let Some(status) = message.status.filter(|status| *status != StatusCode::OK) {
            if status.as_u16() != NO_MORE {
                log::debug!("records from {next} cannot be read: status {status}");
            }
            break;
        }
        // A batch steps over what is missing without a word.
        if position_of(&message) != Some(next) {
            break;
        }
        let (position, record) = (next, message.payload.to_vec());
        outlet.say(StreamEvent::Fetched { position, record }).await;
        next = Position(next.0 + 1);
    }
    next
}

/// One record, from the leader.
pub(super) async fn read(session: &Session, at: Position) -> Result<Vec<u8>, NoAnswer> {
    let got: Got = session.ask("MSG.GET", &json!({ "seq": at.0 })).await?;
    BASE64_STANDARD
        .decode(&got.message.data)
        .map_err(|error| NoAnswer::Silent(format!("a record that is no base64: {error}")))
}

/// Reads one record again from the leader and says what is there.
pub(super) async fn read_again(session: Session, outlet: Outlet, position: Position) {
    let record = match read(&session, position).await {
        Ok(record) => Some(record),
        Err(error) if error.is_no_message() => None,
        // Asked again after the next `Up`, which follows a silence.
        Err(error) => return log::debug!("record {position} cannot be read again: {error}"),
    };
    outlet
        .say(StreamEvent::ReadAgain { position, record })
        .await;
}

/// Says where the last snapshot part lies.
pub(super) async fn find_snapshot(session: Session, outlet: Outlet, subject: String) {
    let request = json!({ "last_by_subj": subject });
    let last = match session.ask::<Got>("MSG.GET", &request).await {
        Ok(got) => Some(Position(got.message.seq)),
        Err(error) if error.is_no_message() => None,
        Err(error) => return log::debug!("no snapshot can be looked for: {error}"),
    };
    outlet.say(StreamEvent::LastSnapshot(last)).await;
}
