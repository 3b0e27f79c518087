//! What an operator has the simulated broker do, and what must come of it.

use std::collections::BTreeSet;
use std::time::Duration;

use orden::commit::CommitLoop;
use orden::core::{Input, Instruction, MemberStatus, Now, Sequencer, Time};
use orden::store::Error;
use orden::wire::{Name, OrderNumber};

use crate::simulation::counters::Sometimes;
use crate::simulation::stage::Stage;

/// A busy broker, or one whose disk is slow, ends so much later.
const SLACK: Duration = Duration::from_millis(500);

/// What the instructions so far lead one to expect.
#[derive(Debug, Default)]
pub(super) struct Operated {
    /// Names whose sessions were ended, until that is told.
    ended: BTreeSet<String>,
    draining: Option<Draining>,
}

/// The broker was told to go out of service.
#[derive(Debug)]
struct Draining {
    until: Time,
    /// Everything before this had been accepted.
    target: OrderNumber,
    /// How many members had joined.
    joined: u64,
}

impl Operated {
    /// Has the machine do what an operator wants.
    pub(super) fn follow(
        &mut self,
        now: Now,
        instruction: &Instruction,
        commits: &mut CommitLoop,
        stage: &mut Stage,
    ) -> Result<(), Error> {
        match instruction {
            Instruction::Kick(name) => {
                let who = name.to_string();
                let was_known = status(commits.machine(), name).is_some();
                let machine = instruct(now, commits, instruction)?;
                let after = status(machine, name);
                // The session of a connection is over with it.
                let lasts = !who.contains(':') && !who.starts_with("guest-");
                assert!(
                    after.is_some() || !was_known || !lasts,
                    "Operated: {who} has no session after it was kicked"
                );
                let is_present = after.as_ref().is_some_and(|member| member.present);
                assert!(!is_present, "Operated: {who} is there after it was kicked");
                if after.is_some() {
                    // It is served again once it speaks: a program of a fixed dialect that only
                    // listens is started anew by whoever misses something.
                    stage.left_behind.push(who);
                    stage.count(Sometimes::KickedByOperator);
                }
            }
            Instruction::End(name) => {
                let machine = instruct(now, commits, instruction)?;
                if status(machine, name).is_none() {
                    self.ended.insert(name.to_string());
                    // The client may hear of it, and the broker crash right after that.
                    stage.ended_sessions.insert(name.to_string());
                }
            }
            Instruction::Drain(patience) => {
                let machine = instruct(now, commits, instruction)?;
                let until = now.time + *patience;
                let draining = self.draining.get_or_insert(Draining {
                    until,
                    target: machine.next_order(),
                    joined: machine.counters().joined,
                });
                draining.until = draining.until.min(until);
            }
        }
        Ok(())
    }

    /// Whether a session that has ended was ended by the operator.
    pub(super) fn has_ended(&mut self, who: &str) -> bool {
        self.ended.remove(who)
    }

    /// Looks whether the machine keeps to what it was told, after a round; says whether the broker
    /// is to end.
    pub(super) fn judge(
        &self,
        now: Time,
        syncs: Duration,
        drained: bool,
        machine: &Sequencer,
        stage: &mut Stage,
    ) -> bool {
        let Some(draining) = &self.draining else {
            assert!(!drained, "Operated: it ends without being told to");
            return false;
        };
        let joined = machine.counters().joined;
        assert_eq!(
            joined, draining.joined,
            "Operated: a new member while draining"
        );
        if !drained {
            let latest = draining.until + SLACK + 3 * syncs;
            assert!(
                now <= latest,
                "Operated: it drains for longer than its patience"
            );
            return false;
        }
        if now >= draining.until {
            stage.count(Sometimes::DrainTookTooLong);
            return true;
        }
        let behind = |member: &MemberStatus| {
            member.present && member.receives && member.floor < draining.target
        };
        if let Some(member) = machine.status().find(behind) {
            panic!(
                "Operated: it ends, and {} waits for {}",
                member.name, member.floor
            );
        }
        stage.count(Sometimes::Drained);
        true
    }
}

/// Steps the machine.
fn instruct<'a>(
    now: Now,
    commits: &'a mut CommitLoop,
    instruction: &Instruction,
) -> Result<&'a Sequencer, Error> {
    let input = Input::Operator {
        ticket: 0,
        instruction: instruction.clone(),
    };
    commits.step(now, input)?;
    Ok(commits.machine())
}

fn status(machine: &Sequencer, name: &Name) -> Option<MemberStatus> {
    let mut all = machine.status();
    all.find(|member| member.name == *name)
}
