//! A native client: an application over the real machine, which crashes, is stopped, is replaced
//! while it is stopped, leaves and comes back.

mod application;

use std::collections::VecDeque;

use orden::core::Time;
use orden::core::participant::{Acknowledging, Limits, Numbering, Settings};
use orden::wire::native::{Goodbye, Start};
use orden::wire::{ClientSequence, Epoch, LogId, Name, OrderNumber};

use super::Incident;
use super::payload::Texts;
use super::process::{Happened, Outcome, Process};
use crate::checker::history::{Event, Message};
use crate::simulation::counters::Sometimes;
use crate::simulation::dice::Dice;
use crate::simulation::network::SocketId;
use crate::simulation::plan::Plan;
use crate::simulation::queue::Happening;
use crate::simulation::stage::Stage;

/// See the module.
pub(crate) struct Native {
    index: usize,
    name: String,
    dice: Dice,
    limits: Limits,
    habits: Habits,
    kept: Kept,
    texts: Texts,
    left_to_send: usize,
    process: Option<Process>,
    /// A process that was stopped, and whose place another has taken.
    zombie: Option<Process>,
    /// What was handed out and is not processed.
    in_hand: VecDeque<Message>,
    /// Of what is kept to be sent, how much this process has published.
    published: usize,
    welcomed: bool,
    is_leaving: bool,
    is_over: bool,
    /// When the application looks at the time next.
    wakes_at: Option<Time>,
}

/// How the application is written.
#[expect(
    clippy::struct_excessive_bools,
    reason = "habits go with one another in all ways"
)]
struct Habits {
    receives: bool,
    /// It writes down how far it is together with what it does about it.
    keeps_position: bool,
    /// It writes down what it wants ordered before it says so.
    keeps_sends: bool,
    /// It says itself what it has processed.
    by_application: bool,
    zombies: bool,
}

/// What survives the process.
#[derive(Default)]
struct Kept {
    position: Option<u64>,
    log_id: LogId,
    epoch: Epoch,
    /// What is not confirmed, and the client sequence of its first.
    sends: VecDeque<Vec<u8>>,
    first_sequence: Option<u64>,
}

impl Native {
    pub(crate) fn new(index: usize, plan: &Plan, mut dice: Dice) -> Self {
        let name = format!("native{index}");
        let keeps_position = dice.chance(500);
        Self {
            index,
            limits: plan.client_limits.clone(),
            habits: Habits {
                receives: dice.chance(900),
                keeps_position,
                keeps_sends: dice.chance(600),
                by_application: dice.chance(400),
                zombies: plan.faults.zombies,
            },
            kept: Kept::default(),
            texts: Texts::new(&name, plan.limits.message_bytes),
            left_to_send: plan.sends,
            process: None,
            zombie: None,
            in_hand: VecDeque::new(),
            published: 0,
            welcomed: false,
            is_leaving: false,
            is_over: false,
            wakes_at: None,
            name,
            dice,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn receives(&self) -> bool {
        self.habits.receives
    }

    pub(crate) fn is_settled(&self, end: u64) -> bool {
        let Some(process) = &self.process else {
            return false;
        };
        let next = process.machine.next_order().map(|next| next.0);
        let has_all = !self.habits.receives || next == Some(end);
        self.welcomed
            && has_all
            && self.in_hand.is_empty()
            && process.machine.is_done()
            && self.published == self.kept.sends.len()
    }

    pub(crate) fn meets(&mut self, incident: Incident, stage: &mut Stage) {
        match incident {
            Incident::Starts => self.goes_on(stage),
            Incident::Wakes => self.wake(stage),
            Incident::Up(socket) => self.of(socket, stage, |it, stage| it.link(true, stage)),
            Incident::Down(socket) => self.of(socket, stage, |it, stage| it.link(false, stage)),
            Incident::Frame(socket, frame) => {
                self.of(socket, stage, |it, stage| it.frame(frame, stage));
            }
            Incident::Crashes => self.crash(stage),
            Incident::Pauses => self.pause(stage),
            Incident::SaysGoodbye => self.say_goodbye(stage),
            Incident::IsLeftBehind | Incident::IsLookedAt => {}
            Incident::SaysLastWord => {
                self.left_to_send += 1;
                self.wake_later(stage);
            }
            Incident::Heals => {
                self.is_over = true;
                self.left_to_send = 0;
                if let Some(mut zombie) = self.zombie.take() {
                    zombie.close(false, stage);
                }
                self.goes_on(stage);
            }
        }
    }

    fn wake(&mut self, stage: &mut Stage) {
        if self.wakes_at.is_some_and(|at| at <= stage.now()) {
            self.wakes_at = None;
            self.process_some(stage);
            self.publish(stage);
            if self.left_to_send > 0 || !self.in_hand.is_empty() {
                self.wake_later(stage);
            }
        }
        self.pump(stage, Process::go_on);
        if let Some(zombie) = &mut self.zombie {
            let _nobodys = zombie.go_on(stage);
        }
    }

    /// The process is there: it is started, or is not stopped any longer.
    fn goes_on(&mut self, stage: &mut Stage) {
        if let Some(zombie) = &mut self.zombie {
            zombie.is_paused = false;
            // Nobody looks at what it is given any more.
            let _nobodys = zombie.go_on(stage);
        }
        match &mut self.process {
            None => self.start(stage),
            Some(process) => {
                process.is_paused = false;
                self.pump(stage, Process::go_on);
            }
        }
    }

    fn start(&mut self, stage: &mut Stage) {
        let position = self.kept.position.filter(|_| self.habits.keeps_position);
        let start = match position {
            Some(position) => Start::Resume(OrderNumber(position)),
            None => match self.dice.between(0, 5) {
                0 => Start::Beginning,
                1 => Start::Last(self.dice.between(0, 10)),
                2 => Start::At(OrderNumber(self.dice.between(0, 10))),
                _ => Start::Now,
            },
        };
        let first = self.kept.first_sequence.filter(|_| self.habits.keeps_sends);
        stage.note(Event::Start {
            who: self.name.clone(),
            position,
            keeps_sends: first.is_some(),
        });
        if first.is_none() {
            self.kept.sends.clear();
        }
        let settings = Settings {
            start,
            log_id: self.kept.log_id,
            epoch: self.kept.epoch,
            receive: self.habits.receives,
            acknowledging: if self.habits.by_application {
                Acknowledging::ByApplication
            } else {
                Acknowledging::OnDelivery
            },
            numbering: first.map_or(Numbering::GoOn, |first| {
                Numbering::From(ClientSequence(first))
            }),
            ..Settings::new(Name::new(self.name.as_bytes()).unwrap())
        };
        self.in_hand.clear();
        self.published = 0;
        self.welcomed = false;
        self.is_leaving = false;
        let limits = self.limits.clone();
        self.process = Some(Process::new(self.index, settings, limits, stage));
        self.wake_later(stage);
    }

    /// Lets the process that has this socket do something.
    fn of(
        &mut self,
        socket: SocketId,
        stage: &mut Stage,
        act: impl FnOnce(&mut Process, &mut Stage) -> Outcome,
    ) {
        if self
            .process
            .as_ref()
            .is_some_and(|process| process.socket == socket)
        {
            self.pump(stage, act);
        } else if let Some(zombie) = self.zombie.as_mut().filter(|it| it.socket == socket) {
            let _nobodys = act(zombie, stage);
        }
    }

    fn pump(&mut self, stage: &mut Stage, act: impl FnOnce(&mut Process, &mut Stage) -> Outcome) {
        let Some(process) = &mut self.process else {
            return;
        };
        for happened in act(process, stage) {
            match happened {
                Happened::Delivery(message) => self.in_hand.push_back(message),
                Happened::Event(event) => {
                    self.process_as_it_comes(stage);
                    self.told(event, stage);
                }
            }
        }
        self.process_as_it_comes(stage);
    }

    fn process_as_it_comes(&mut self, stage: &mut Stage) {
        if !self.habits.by_application {
            self.process_all(stage);
        } else if !self.in_hand.is_empty() {
            self.wake_later(stage);
        }
    }

    fn crash(&mut self, stage: &mut Stage) {
        if self.process.is_some() {
            stage.note(Event::Crash {
                who: self.name.clone(),
            });
            let silent = self.dice.chance(300);
            self.stop(silent, stage);
        }
    }

    fn stop(&mut self, silent: bool, stage: &mut Stage) {
        if let Some(mut process) = self.process.take() {
            process.close(silent, stage);
        }
        self.start_later(stage);
    }

    fn pause(&mut self, stage: &mut Stage) {
        let Some(process) = &mut self.process else {
            return;
        };
        process.is_paused = true;
        self.start_later(stage);
        let keeps_all = self.habits.keeps_position && self.habits.keeps_sends;
        // Who takes its place has to know where it was.
        let replaceable = keeps_all && self.kept.position.is_some() && !self.is_leaving;
        if self.habits.zombies && replaceable && self.zombie.is_none() && self.dice.chance(500) {
            self.zombie = self.process.take();
            self.start(stage);
        }
    }

    fn say_goodbye(&mut self, stage: &mut Stage) {
        let Some(process) = self.process.as_mut().filter(|it| !it.is_paused) else {
            return;
        };
        // A process that takes the place of one that leaves is another matter.
        if self.is_over || !self.welcomed || self.zombie.is_some() {
            return;
        }
        self.is_leaving = true;
        if self.dice.chance(500) {
            stage.count(Sometimes::WentAwayPolitely);
            process.machine.leave(Goodbye::Away);
        } else {
            stage.count(Sometimes::LeftPolitely);
            process.machine.leave(Goodbye::Leave);
            self.begin_anew();
            self.published = 0;
        }
        self.pump(stage, Process::go_on);
    }

    fn start_later(&mut self, stage: &mut Stage) {
        let pause = self.dice.millis(1, 1_500);
        stage
            .queue
            .add(stage.now() + pause, Happening::PeerStarts(self.index));
    }

    fn wake_later(&mut self, stage: &mut Stage) {
        let at = stage.now() + self.dice.millis(1, 600);
        if self.wakes_at.is_none() {
            self.wakes_at = Some(at);
            stage.queue.add(at, Happening::PeerWakes(self.index));
        }
    }
}
