//! What waits for the log: nothing is delivered, confirmed or answered before the writes that it
//! rests on are committed. If it could be, a peer might act on message 17, the broker crash, and
//! its successor give 17 to another.

use std::collections::VecDeque;

use super::Reply;
use super::Route;
use super::index::{Index, Writes};
use super::outbox::Outbox;
use crate::core::order::{Chunk, MemberId, Write};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Commits {
    given_out: Index,
    committed: Index,
    chunks: VecDeque<(Index, Chunk)>,
    answers: VecDeque<(Index, Answer)>,
    /// Replies to an operator, by the writes that they rest on.
    replies: VecDeque<(Index, Reply)>,
}

/// A frame for one connection.
#[derive(Debug)]
struct Answer {
    to: Route,
    frame: Vec<u8>,
    about: About,
}

/// What a frame is about, as far as it matters when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Messages of the connection's session, until it is another's.
    Confirmation,
    /// Who the connection is from now on: the member is served once it is sent.
    Welcome(MemberId),
    /// What the peer has asked for, and that is done.
    Done,
    /// Nothing that is written.
    Other,
}

impl Commits {
    /// The last group that is committed.
    pub(super) fn committed(&self) -> Index {
        self.committed
    }

    /// The last group that was given out, or the one to come if something was applied since.
    pub(super) fn latest(&self, has_pending: bool) -> Index {
        Index(self.given_out.0 + u64::from(has_pending))
    }

    /// Gives out a group; its messages are visible once it is committed.
    pub(super) fn give_out(&mut self, writes: Vec<Write>) -> Writes {
        if !writes.is_empty() {
            self.given_out.0 += 1;
        }
        let index = self.given_out;
        for write in &writes {
            if let Write::Messages(chunk) = write {
                self.chunks.push_back((index, chunk.clone()));
            }
        }
        Writes { index, writes }
    }

    /// Sends a frame once everything up to `index` is committed, after all that waits already.
    pub(super) fn answer(
        &mut self,
        outbox: &mut Outbox,
        index: Index,
        to: &Route,
        frame: Vec<u8>,
        about: About,
    ) {
        if index <= self.committed {
            return outbox.reply(to, frame);
        }
        let to = to.clone();
        self.answers.push_back((index, Answer { to, frame, about }));
    }

    /// Answers an operator once everything up to `index` is committed.
    pub(super) fn reply(&mut self, index: Index, reply: Reply) {
        self.replies.push_back((index, reply));
    }

    /// The replies that may be given now.
    pub(super) fn take_replies(&mut self) -> Vec<Reply> {
        let committed = self.committed;
        let all = std::mem::take(&mut self.replies);
        let (due, waiting): (VecDeque<_>, _) =
            (all.into_iter()).partition(|(index, _)| *index <= committed);
        self.replies = waiting;
        due.into_iter().map(|(_, reply)| reply).collect()
    }

    /// Drops confirmations that wait for a connection: they were meant for the session that it
    /// had, and would be taken for those of the one that it gets.
    pub(super) fn drop_confirmations(&mut self, to: &Route) {
        self.answers.retain(|(_, answer)| {
            answer.about != About::Confirmation || !answer.to.is_same_connection(to)
        });
    }

    /// Notes that everything up to `index` is committed; gives back the chunks that are now
    /// visible, and calls `welcomed` for those who are served from now on.
    ///
    /// # Panics
    /// If that was never given out.
    pub(super) fn commit(
        &mut self,
        index: Index,
        outbox: &mut Outbox,
        mut welcomed: impl FnMut(MemberId),
    ) -> Vec<Chunk> {
        assert!(
            index <= self.given_out,
            "only what was given out is committed"
        );
        self.committed = self.committed.max(index);
        let is_due = |at: Index| at <= index;
        while let Some((at, _)) = self.answers.front()
            && is_due(*at)
        {
            if let Some((_, answer)) = self.answers.pop_front() {
                outbox.reply(&answer.to, answer.frame);
                if let About::Welcome(member) = answer.about {
                    welcomed(member);
                }
            }
        }
        let visible = self.chunks.partition_point(|(at, _)| is_due(*at));
        self.chunks
            .drain(..visible)
            .map(|(_, chunk)| chunk)
            .collect()
    }
}
