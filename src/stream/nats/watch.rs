//! What the looks at the stream come to: up, down, unfit, broken.

use std::time::Duration;

use tokio::time::Instant;

use super::fitness::{judge, losses};
use super::info::Info;
use super::options::Options;
use super::session::NoAnswer;
use crate::stream::{Extent, Outage, StreamEvent};
use crate::wire::Position;

/// How long servers may say that there is no such stream before that is believed: they do so while
/// they start, too.
const GONE_AFTER: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Watch {
    created: String,
    /// The leader that was last told of, unless the stream is down.
    leader: Option<(String, Option<String>)>,
    outage: Option<Outage>,
    unfit: Option<String>,
    gone_since: Option<Instant>,
    is_broken: bool,
}

/// How far a stream goes.
pub(super) fn extent(info: &Info) -> Extent {
    Extent {
        // An empty stream that never held anything says 0 and 0.
        first: Position(info.state.first_seq.max(1)),
        last: Position(info.state.last_seq),
    }
}

impl Watch {
    /// A watch over a stream that was just found, and of which nothing was told.
    pub(super) fn new(found: &Info) -> Self {
        Self {
            created: found.created.clone(),
            leader: None,
            outage: None,
            unfit: None,
            gone_since: None,
            is_broken: false,
        }
    }

    /// Whether the stream works, as far as was told.
    pub(super) fn is_up(&self) -> bool {
        self.leader.is_some()
    }

    /// The connection is gone, or a new one is there: what was is to be told anew.
    pub(super) fn reconnects(&mut self) {
        self.leader = None;
    }

    /// No server is reached.
    pub(super) fn disconnected(&mut self) -> Option<StreamEvent> {
        self.down(Outage::NoServer)
    }

    /// What a look says that is new.
    pub(super) fn look(
        &mut self,
        options: &Options,
        found: Result<Info, NoAnswer>,
    ) -> Vec<StreamEvent> {
        if self.is_broken {
            return Vec::new();
        }
        let info = match found {
            Ok(info) => info,
            Err(error) => return self.no_answer(&error),
        };
        self.gone_since = None;
        if let Some(why) = self.broken(&info) {
            self.is_broken = true;
            return vec![StreamEvent::Broken(why)];
        }
        let mut events = Vec::new();
        let unfit = judge(options, &info);
        if unfit != self.unfit {
            events.push(unfit.clone().map_or(StreamEvent::Fit, StreamEvent::Unfit));
            self.unfit = unfit;
        }
        match info.leader() {
            None => events.extend(self.down(Outage::NoLeader)),
            leader if leader == self.leader => events.push(StreamEvent::Extent(extent(&info))),
            leader => {
                self.leader = leader;
                self.outage = None;
                events.push(StreamEvent::Up(extent(&info)));
            }
        }
        events
    }

    fn no_answer(&mut self, error: &NoAnswer) -> Vec<StreamEvent> {
        if error.is_no_stream() {
            let since = *self.gone_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= GONE_AFTER {
                self.is_broken = true;
                return vec![StreamEvent::Broken("the stream was deleted".into())];
            }
        }
        self.down(Outage::NoLeader).into_iter().collect()
    }

    fn broken(&self, info: &Info) -> Option<String> {
        if info.created != self.created {
            let (then, now) = (&self.created, &info.created);
            return Some(format!(
                "the stream was made anew: it was made at {then}, and now says {now}"
            ));
        }
        losses(info)
    }

    fn down(&mut self, outage: Outage) -> Option<StreamEvent> {
        self.leader = None;
        let is_new = self.outage != Some(outage);
        self.outage = Some(outage);
        is_new.then_some(StreamEvent::Down(outage))
    }
}
