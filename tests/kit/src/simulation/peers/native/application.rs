//! The application of a native client: what it says, what it does about what it is given.

use orden::core::participant::{Ending, Event as Told, PublishError};
use orden::wire::OrderNumber;
use orden::wire::reply::{Code, Welcome};

use super::{Kept, Native};
use crate::checker::history::{Digest, Event};
use crate::simulation::counters::Sometimes;
use crate::simulation::stage::Stage;

impl Native {
    pub(super) fn told(&mut self, event: Told, stage: &mut Stage) {
        let who = self.name.clone();
        match event {
            Told::Welcomed(welcome) => self.welcome(&welcome, stage),
            Told::Confirmed(run) => {
                for place in 0..u64::from(run.count) {
                    let (sequence, order) = (run.sequence.0 + place, run.order.0 + place);
                    let who = who.clone();
                    stage.note(Event::Confirm {
                        who,
                        sequence,
                        order,
                    });
                    self.forget_first();
                }
            }
            Told::OrderedBefore { first, count } => {
                for sequence in first.0..first.0 + count {
                    let who = who.clone();
                    stage.note(Event::OrderedBefore { who, sequence });
                    self.forget_first();
                }
            }
            Told::Skipped { to, .. } => {
                self.process_all(stage);
                self.kept.position = self.kept.position.max(Some(to.0));
                stage.note(Event::Skip { who, to: to.0 });
            }
            Told::NoSpace => stage.count(Sometimes::NoSpaceForPublisher),
            Told::Away | Told::Unreachable(_) => {}
            Told::Refused {
                code: Code::Closing,
                ..
            } => stage.count(Sometimes::ToldOfDrain),
            Told::Refused { code, text } => panic!("{who} is refused: {code:?} {text}"),
            Told::Undecodable(error) => panic!("{who} cannot read a frame: {error}"),
            Told::Ended(ending) => self.end(&ending, stage),
        }
    }

    fn welcome(&mut self, welcome: &Welcome, stage: &mut Stage) {
        self.kept.log_id = welcome.log_id;
        self.kept.epoch = welcome.epoch;
        // Nothing is processed, but it is known from now on what comes first.
        self.kept.position.get_or_insert(welcome.begin.0);
        self.welcomed = true;
        if welcome.resumed {
            let position = self.kept.position.filter(|_| self.habits.keeps_position);
            stage.count(match position {
                Some(_) => Sometimes::ResumedAtPosition,
                None => Sometimes::ResumedAtFloor,
            });
        } else if welcome.begin.0 > 0 {
            stage.count(Sometimes::JoinedLate);
        }
        stage.note(Event::Open {
            who: self.name.clone(),
            resumed: welcome.resumed,
            begin: welcome.begin.0,
            log: welcome.log_id.0,
        });
        self.publish_again();
    }

    /// Publishes what an earlier process wanted ordered, with the sequences that it gave it.
    fn publish_again(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        while let Some(text) = self.kept.sends.get(self.published) {
            match process.machine.publish(text) {
                Ok(sequence) => {
                    let first = *self.kept.first_sequence.get_or_insert(sequence.0);
                    assert_eq!(sequence.0, first + self.published as u64, "{}", self.name);
                    self.published += 1;
                }
                Err(PublishError::WindowFull | PublishError::NotWelcomed | PublishError::Over) => {
                    return;
                }
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
    }

    /// Wants something ordered, sometimes more than one thing.
    pub(super) fn publish(&mut self, stage: &mut Stage) {
        self.publish_again();
        for _ in 0..self.dice.between(1, 4) {
            let Some(process) = self.process.as_mut().filter(|it| !it.is_paused) else {
                return;
            };
            let is_behind = self.published < self.kept.sends.len();
            if self.left_to_send == 0 || !self.welcomed || is_behind {
                return;
            }
            let text = self.texts.next(false, &mut self.dice, stage);
            match process.machine.publish(&text) {
                Ok(sequence) => {
                    self.left_to_send -= 1;
                    self.kept.first_sequence.get_or_insert(sequence.0);
                    self.published += 1;
                    stage.note(Event::Send {
                        who: self.name.clone(),
                        sequence: sequence.0,
                        digest: Digest::of(&[self.name.as_bytes(), b": ", &text]),
                    });
                    self.kept.sends.push_back(text);
                }
                Err(PublishError::WindowFull | PublishError::Over) => return,
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
    }

    fn forget_first(&mut self) {
        // After a goodbye nothing is kept, and perhaps confirmed nevertheless.
        if self.kept.sends.pop_front().is_some() {
            self.published -= 1;
            if let Some(first) = &mut self.kept.first_sequence {
                *first += 1;
            }
        }
    }

    pub(super) fn process_some(&mut self, stage: &mut Stage) {
        let count = self.dice.count(0, 3).min(self.in_hand.len());
        self.process_first(count, stage);
    }

    pub(super) fn process_all(&mut self, stage: &mut Stage) {
        self.process_first(self.in_hand.len(), stage);
    }

    /// Processes what was handed out: from now on, it has happened.
    fn process_first(&mut self, count: usize, stage: &mut Stage) {
        let Some(process) = self.process.as_mut().filter(|it| !it.is_paused) else {
            return;
        };
        for message in self.in_hand.drain(..count) {
            let order = message.order;
            self.kept.position = Some(order + 1);
            let who = self.name.clone();
            stage.note(Event::Deliver { who, message });
            if self.habits.by_application {
                process
                    .machine
                    .acknowledge(stage.now(), OrderNumber(order))
                    .unwrap();
            }
        }
        if !self.in_hand.is_empty() {
            self.wake_later(stage);
        }
    }

    fn end(&mut self, ending: &Ending, stage: &mut Stage) {
        let gone = stage.ended_sessions.contains(&self.name);
        match ending {
            Ending::Departed
            | Ending::Unanswered
            | Ending::Superseded
            | Ending::Refused {
                code: Code::Removed,
                ..
            } => {}
            // It asked for a number that is not there yet.
            Ending::LogRegressed { text, .. } if text.ends_with("before this number") => {}
            // A session that has ended takes with it what its client sequences meant.
            Ending::SessionEnded | Ending::SequenceAhead { .. } | Ending::ConfirmedLost { .. }
                if gone =>
            {
                self.begin_anew();
            }
            _ => panic!("{}: {ending}", self.name),
        }
        self.stop(false, stage);
    }

    /// Nothing of what was before means anything now.
    pub(super) fn begin_anew(&mut self) {
        self.kept = Kept::default();
    }
}
