//! What the broker says to a participant.

use std::ops::Range;

use super::publishing::Publishing;
use super::receiver::{Arrival, Receiver};
use super::retry::Retry;
use super::{
    Ending, Event, Liveness, Numbering, Participant, Phase, Pong, Presence, Session, Unknown,
};
use crate::core::Time;
use crate::wire::native::Goodbye;
use crate::wire::reply::{self, BrokerMessage, Code, Refusal, Welcome};
use crate::wire::sessions::SequenceRun;
use crate::wire::{ClientSequence, DecodeError, Epoch, OrderNumber};

impl Participant {
    /// Takes a frame; returns which of its records are new.
    pub(super) fn hear(&mut self, now: Time, frame: &[u8]) -> Option<Range<OrderNumber>> {
        if self.phase == Phase::Unconnected {
            return None; // what was still under way when the connection ended
        }
        match reply::decode(frame) {
            Ok(BrokerMessage::Messages(frame)) => return self.deliver(now, frame),
            Ok(message) => {
                self.heard(now, &message);
                self.take(now, message);
            }
            Err(error) => self.undecodable(now, error),
        }
        None
    }

    /// The broker is there. Nothing else keeps a connection: bytes that come back to us because it
    /// leads to ourselves are no sign of a broker's life, and neither are pings of a broker that
    /// does not answer a hello.
    fn heard(&mut self, now: Time, message: &BrokerMessage<'_>) {
        match self.phase {
            Phase::Member(_) => self.phase = Phase::Member(Liveness::Heard),
            Phase::Greeting(_) if matches!(message, BrokerMessage::Ping | BrokerMessage::Pong) => {
                return;
            }
            _ => {}
        }
        self.heard = now;
    }

    fn take(&mut self, now: Time, message: BrokerMessage<'_>) {
        match message {
            BrokerMessage::Welcome(welcome) => self.welcomed(now, &welcome),
            BrokerMessage::Confirm(runs) => self.confirmed(now, &runs),
            BrokerMessage::Refusal(refusal) => self.refused(now, &refusal),
            BrokerMessage::Goodbye => self.departed(),
            BrokerMessage::Ping => self.pong = Pong::Due,
            BrokerMessage::Messages(_) | BrokerMessage::Pong => {}
        }
    }

    fn deliver(&mut self, now: Time, frame: &[u8]) -> Option<Range<OrderNumber>> {
        let session = self.session.as_mut()?;
        let (log_id, limits) = (session.log_id, &self.limits);
        let arrival = session.receiver.arrived(now, frame, log_id, limits);
        if arrival.is_ok() {
            self.heard(now, &BrokerMessage::Messages(frame));
        }
        match arrival {
            Ok(Arrival::New(numbers)) => return Some(numbers),
            Ok(Arrival::Old) => {}
            Ok(Arrival::Gap) => self.greet_again(now),
            Err(error) => self.undecodable(now, error),
        }
        None
    }

    /// The session is open. A welcome that was not waited for answers a hello that was said
    /// twice.
    fn welcomed(&mut self, now: Time, welcome: &Welcome) {
        if !matches!(self.phase, Phase::Greeting(_)) {
            return;
        }
        match self.open(welcome) {
            Ok(()) => {}
            Err(Ending::UnknownName) => {
                // Otherwise the next to say it would take the session for an older one.
                self.verdict = Some(Ending::UnknownName);
                let at_once = Retry::new(now, self.limits.hello_retry);
                self.phase = Phase::Departing(Goodbye::Leave, at_once);
                return;
            }
            Err(ending) => return self.end(ending),
        }
        self.phase = Phase::Member(Liveness::Heard);
        self.complaint = None;
        self.told = Default::default();
        if std::mem::replace(&mut self.presence, Presence::There) != Presence::There {
            self.events.push_back(Event::Welcomed(*welcome));
        }
    }

    fn open(&mut self, welcome: &Welcome) -> Result<(), Ending> {
        let Some(session) = &mut self.session else {
            // A program that was started anew, and knows the log from the time before.
            let goes_on = self.settings.log_id == welcome.log_id;
            if goes_on {
                not_older(welcome, self.settings.epoch)?;
            }
            let numbered = matches!(self.settings.numbering, Numbering::From(_));
            let repeats = numbered && !self.settings.observe;
            if goes_on && repeats && !welcome.resumed {
                return Err(Ending::SessionEnded);
            }
            let must_resume = self.settings.unknown == Unknown::Refuse && !self.settings.observe;
            if must_resume && !welcome.resumed {
                return Err(Ending::UnknownName);
            }
            self.session = Some(Session {
                log_id: welcome.log_id,
                epoch: welcome.epoch,
                receiver: Receiver::new(welcome.begin, self.settings.acknowledging),
                publishing: Publishing::new(welcome, self.settings.numbering, &self.limits)?,
            });
            return Ok(());
        };
        if session.log_id != welcome.log_id {
            let text = "the broker has another log than before".to_owned();
            let end = welcome.end;
            return Err(Ending::LogRegressed { text, end });
        }
        not_older(welcome, session.epoch)?;
        if !welcome.resumed && !self.settings.observe {
            // As above: what the broker remembered of our publishing is gone, and to repeat what
            // is unconfirmed could order it twice.
            return Err(Ending::SessionEnded);
        }
        session.publishing.resumed(welcome, &self.limits)?;
        session.epoch = welcome.epoch;
        let missed = session.receiver.resumed(welcome.begin);
        self.events.extend(missed.map(skipped));
        Ok(())
    }

    fn confirmed(&mut self, now: Time, runs: &[SequenceRun]) {
        let Some(session) = &mut self.session else {
            return;
        };
        for &run in runs {
            let Some(run) = session.publishing.confirm(now, run, &self.limits) else {
                continue;
            };
            if !session.publishing.is_paused() {
                self.complaint = None;
            }
            match self.events.back_mut() {
                Some(Event::Confirmed(before)) if follows(before, &run) => {
                    before.count += run.count;
                }
                _ => self.events.push_back(Event::Confirmed(run)),
            }
        }
    }

    fn refused(&mut self, now: Time, refusal: &Refusal<'_>) {
        let &Refusal { code, detail, text } = refusal;
        match code {
            Code::NoSession if matches!(self.phase, Phase::Departing(..)) => self.departed(),
            Code::NoSession => self.greet_again(now),
            Code::Superseded => self.end(Ending::Superseded),
            Code::SessionEnded => self.end(Ending::SessionEnded),
            Code::LogRegressed => self.end(Ending::LogRegressed {
                text: text.to_owned(),
                end: OrderNumber(detail),
            }),
            Code::SequenceReused => self.end(Ending::SequenceReused(ClientSequence(detail))),
            Code::NotAllowed | Code::TooLarge | Code::LimitReached | Code::Removed => {
                self.end(Ending::Refused {
                    code,
                    text: text.to_owned(),
                });
            }
            Code::SequenceGap => self.sequence_gap(now, ClientSequence(detail)),
            Code::NoSpace => self.no_space(now, ClientSequence(detail)),
            Code::Trimmed => {
                let session = self.session.as_mut();
                let missed =
                    session.and_then(|session| session.receiver.skip_to(OrderNumber(detail)));
                self.events.extend(missed.map(skipped));
            }
            Code::Closing if self.leaves_closing() => {
                self.goes_down(now, text);
            }
            Code::Malformed | Code::AckAhead | Code::Closing | Code::Damaged | Code::Unknown(_) => {
                let text = text.to_owned();
                self.events.push_back(Event::Refused { code, text });
                if code == Code::AckAhead {
                    self.greet_again(now);
                }
            }
        }
    }

    /// The goodbye was heard, this time or an earlier one.
    fn departed(&mut self) {
        if matches!(self.phase, Phase::Departing(..)) {
            let ending = self.verdict.take().unwrap_or(Ending::Departed);
            self.end(ending);
        }
    }

    fn sequence_gap(&mut self, now: Time, expected: ClientSequence) {
        let Some(session) = &mut self.session else {
            return;
        };
        if session.publishing.is_confirmed(expected) {
            // Either this is old news, or the broker has forgotten: its welcome will tell.
            return self.greet_again(now);
        }
        session.publishing.gap(expected);
    }

    /// The broker's disk is full: for a message, or for a hello or a goodbye, which are notices.
    fn no_space(&mut self, now: Time, sequence: ClientSequence) {
        if let Some(session) = &mut self.session {
            session.publishing.no_space(now, sequence, &self.limits);
        }
        if self.complaint.replace(Code::NoSpace) != Some(Code::NoSpace) {
            self.events.push_back(Event::NoSpace);
        }
    }

    fn undecodable(&mut self, now: Time, error: DecodeError) {
        match self.phase {
            Phase::Greeting(_) => self.no_broker(now),
            _ => self.events.push_back(Event::Undecodable(error)),
        }
    }
}

/// A broker raises its epoch at each start, so a lower one than before is an older copy's: a
/// restored backup, perhaps, in which numbers that were seen may go to other messages.
fn not_older(welcome: &Welcome, known: Epoch) -> Result<(), Ending> {
    if welcome.epoch >= known {
        return Ok(());
    }
    let (before, now) = (known.0, welcome.epoch.0);
    Err(Ending::LogRegressed {
        text: format!("the broker has an older copy of its log: epoch {now} after {before}"),
        end: welcome.end,
    })
}

fn follows(before: &SequenceRun, run: &SequenceRun) -> bool {
    let count = u64::from(before.count);
    before.sequence.checked_plus(count) == Some(run.sequence)
        && before.order.plus(count) == run.order
        && before.count.checked_add(run.count).is_some()
}

fn skipped(missed: Range<OrderNumber>) -> Event {
    Event::Skipped {
        from: missed.start,
        to: missed.end,
    }
}
