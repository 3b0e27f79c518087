//! What is to be sent, collected so that members who get the same frames share them.

use super::{Frames, Limits, Outgoing, Route};
use std::ops::Range;
use std::sync::Arc;

/// How far to look for frames to share: members in step find theirs at once.
const LOOK_AHEAD: usize = 8;

/// Sends in the order in which they are to be made.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    sends: Vec<Outgoing>,
}

impl Outbox {
    /// Sends frames to one connection, after everything it was already sent: `cursor` is where
    /// in the outbox its last frames stand, 0 for a connection that has none since
    /// [`take`](Self::take).
    pub(super) fn share(
        &mut self,
        cursor: &mut usize,
        to: &Route,
        frames: Frames,
        range: Range<usize>,
    ) {
        let ahead = self.sends.iter().enumerate().skip(*cursor).take(LOOK_AHEAD);
        let same = ahead
            .filter(|(_, send)| send.range == range && send.frames.same(&frames))
            .map(|(at, _)| at)
            .next();
        if let Some(at) = same {
            self.sends[at].to.push(to.clone());
            *cursor = at + 1;
            return;
        }
        self.sends.push(Outgoing {
            to: vec![to.clone()],
            frames,
            range,
        });
        *cursor = self.sends.len();
    }

    /// Sends one frame to one connection, after everything that is in the outbox.
    pub(super) fn reply(&mut self, to: &Route, frame: Vec<u8>) {
        let frames = Frames::one(Arc::new(frame));
        self.sends.push(Outgoing {
            to: vec![to.clone()],
            frames,
            range: 0..1,
        });
    }

    /// Everything, and begins anew.
    pub(super) fn take(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.sends)
    }
}

/// Whether so much is sent at once that it takes a while to leave.
pub(super) fn is_crowd(sends: &[Outgoing], limits: &Limits) -> bool {
    sends
        .iter()
        .map(|outgoing| outgoing.to.len())
        .sum::<usize>()
        >= limits.crowd
}
