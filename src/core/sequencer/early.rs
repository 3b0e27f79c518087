//! Peers that say a number beyond what this broker knows. Another may be ahead, and have delivered
//! it to them: that is judged once all is applied that the stream held when they said so.

use super::among::Early;
use super::cut_off::CUT_OFF;
use super::heard::Heard;
use super::{Packet, Sequencer, rejection};
use crate::core::Now;
use crate::wire::Dialect;
use crate::wire::reply::Code;
use crate::wire::stream_record::Proposal;

/// The most peers that wait for that.
const MOST: usize = 1024;

impl Sequencer {
    /// A hello that cannot be judged yet; says whether it needs no judgement now.
    pub(super) fn judges_later(&mut self, now: Now, heard: &Heard<'_>) -> bool {
        let route = heard.packet.route();
        let cut_off = self.is_cut_off();
        let nothing = self.next_seat().number;
        let Some(among) = self.among.as_mut().filter(|among| !among.is_judging) else {
            return false;
        };
        among
            .early
            .retain(|early| !early.route.is_same_connection(&route));
        if cut_off || among.early.len() >= MOST {
            let (code, text) = if cut_off {
                (Code::Closing, CUT_OFF)
            } else {
                (Code::NoSpace, "too many wait for the stream")
            };
            self.refuse(&route, Dialect::Native, rejection(code, 0, text));
            return true;
        }
        // Of a seat that no member has: nothing follows but that this record comes back.
        self.say(now, &Proposal::Away { seat: nothing });
        if let Some(among) = &mut self.among {
            among.early.push(Early {
                record: among.scribe.last_number(),
                route,
                hello: heard.packet.body.to_vec(),
                proof: heard.packet.proof,
            });
        }
        true
    }

    /// An own record is applied: who has waited for it says hello again.
    pub(super) fn judge_early(&mut self, now: Now, record: u64) {
        let Some(among) = &mut self.among else {
            return;
        };
        let due: Vec<_> = (among.early)
            .extract_if(.., |early| early.record <= record)
            .collect();
        for early in due {
            self.set_judging(true);
            self.packet(
                now,
                Packet {
                    id: &early.route.id,
                    delimited: early.route.delimited,
                    body: &early.hello,
                    excess: false,
                    proof: early.proof,
                },
            );
            self.set_judging(false);
        }
    }

    fn set_judging(&mut self, is_judging: bool) {
        if let Some(among) = &mut self.among {
            among.is_judging = is_judging;
        }
    }
}
