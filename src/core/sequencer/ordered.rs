//! What comes back from the stream: records in their order, and what follows from them for this
//! broker's connections.

use super::among::{Halt, Standing};
use super::timers::Timer;
use super::{Sequencer, StreamNews};
use crate::core::order::{Differs, Member, Skip, Taken};
use crate::core::{Mutant, Now};
use crate::wire::stream_record::{Header, Proposal};
use crate::wire::{Dialect, Name, Position as StreamPosition, Writer};

impl Sequencer {
    /// Applies the next record of the stream.
    pub(super) fn ordered(&mut self, now: Now, position: StreamPosition, record: &[u8]) {
        let Some(among) = &mut self.among else {
            return;
        };
        if among.halt.is_some() {
            return;
        }
        among.moved = now.time;
        let own = among.scribe.writer();
        match self.order.take_record(position, record) {
            Taken::Counts(header, proposals) => {
                self.heard_from(now, &header);
                if header.writer == own
                    && let Some(among) = &mut self.among
                {
                    among.scribe.applied(now.time, header.number);
                }
                self.execute(now, &header, &proposals);
                if header.writer == own {
                    self.answer_operators(header.number);
                    self.judge_early(now, header.number);
                }
            }
            Taken::Skipped(header, why) => self.skipped(now, header, why),
            Taken::Differs(differs) => self.stop_for(now, Halt::Diverged(describe(&differs))),
            Taken::Newer => self.stop_for(now, Halt::Newer),
        }
        self.keep_state(now);
    }

    fn execute(&mut self, now: Now, header: &Header, proposals: &[Proposal<'_>]) {
        let mut outcomes = Vec::new();
        for proposal in proposals {
            let waits = self.order.pending_bytes();
            if Mutant::LimitInApply.lives() && waits > self.limits.batch_bytes {
                continue;
            }
            self.order.execute(header, proposal, &mut outcomes);
            if let Proposal::Found(_) = proposal {
                self.adopt_rules();
            }
            for outcome in outcomes.drain(..) {
                self.follow(now, outcome);
            }
        }
        self.order.end_record();
    }

    fn heard_from(&mut self, now: Now, header: &Header) {
        if let Some(among) = &mut self.among {
            among.heard.insert(header.writer, now.time);
            among.seen.insert(header.writer, header.seen);
        }
    }

    fn skipped(&mut self, now: Now, header: Option<Header>, why: Skip) {
        self.counters.refused(match why {
            Skip::Malformed(_) => "record_malformed",
            Skip::Foreign => "record_foreign",
            Skip::Unfounded => "record_unfounded",
            Skip::Fenced => "record_fenced",
            Skip::Repeated => "record_repeated",
            Skip::OutOfTurn => "record_out_of_turn",
        });
        let (Some(header), Some(among)) = (header, &mut self.among) else {
            return;
        };
        if header.writer != among.scribe.writer() {
            return;
        }
        match why {
            Skip::OutOfTurn => among.scribe.seen_out_of_turn(now.time),
            Skip::Fenced if among.standing == Standing::Opening => self.open_anew(now),
            _ => {}
        }
    }

    /// A broker serves.
    pub(super) fn opened(&mut self, now: Now, broker: &Name, writer: Writer) {
        let Some(among) = &mut self.among else {
            return;
        };
        if writer == among.scribe.writer() {
            among.standing = Standing::Open;
            self.timers.set(Timer::Brokers, now.time);
            return self.expect_fixed_peers(now);
        }
        if *broker == among.broker && among.standing == Standing::Open {
            let broker = broker.clone();
            self.stop_for(now, Halt::TakenOver(broker));
        }
    }

    /// A broker counts as gone: if it is this one, it begins anew.
    pub(super) fn broker_gone(&mut self, now: Now, writer: Writer) {
        let own = self.among.as_ref().map(|among| among.scribe.writer());
        if own == Some(writer) {
            self.open_anew(now);
        }
    }

    /// Peers of the fixed dialects do not notice that their broker was started anew, and wait:
    /// those that sat here are tried.
    fn expect_fixed_peers(&mut self, now: Now) {
        let Some(among) = &self.among else {
            return;
        };
        let broker = &among.broker;
        let waits = |member: &Member| {
            let is_fixed = matches!(member.position().dialect, Dialect::Binary | Dialect::Json);
            let seating = member.seating();
            let is_here = seating.home() == Some(broker) && seating.seat().is_none();
            is_fixed && is_here && !member.is_transient()
        };
        let waiting: Vec<_> = (self.order.members())
            .filter(|(_, member)| waits(member))
            .map(|(id, _)| id)
            .collect();
        if self.is_guarded() {
            return;
        }
        for id in waiting {
            self.expect(now, id);
        }
    }

    /// Something has happened to the stream.
    pub(super) fn stream(&mut self, now: Now, news: StreamNews) {
        let Some(among) = &mut self.among else {
            return;
        };
        match news {
            StreamNews::Level => self.level(),
            StreamNews::Reconnected => among.scribe.reconnected(now.time),
            StreamNews::Refused => among.scribe.refused(now.time),
            StreamNews::Takes(takes) => among.is_refusing = !takes,
            StreamNews::Reached(is_reached) => self.reached(now, is_reached),
            StreamNews::Ends => self.give_up_seats(now),
            StreamNews::LeftBehind(first) => {
                let (applied, _) = self.order.applied();
                self.stop_for(now, Halt::LeftBehind { applied, first });
            }
            StreamNews::Broken(what) => self.stop_for(now, Halt::Diverged(what)),
        }
    }

    /// Another broker has found that its history is not this one's.
    pub(super) fn diverged(
        &mut self,
        now: Now,
        at: StreamPosition,
        theirs: u64,
        ours: Option<u64>,
    ) {
        let differs = Differs {
            position: at,
            theirs,
            ours,
        };
        self.stop_for(now, Halt::Diverged(describe(&differs)));
    }
}

fn describe(differs: &Differs) -> String {
    let Differs {
        position,
        theirs,
        ours,
    } = differs;
    match ours {
        Some(ours) => format!(
            "at position {position} another broker has the chain {theirs:016x}, this one \
             {ours:016x}"
        ),
        None => format!(
            "another broker has applied position {position}, which the stream had not reached \
             when it wrote that"
        ),
    }
}
