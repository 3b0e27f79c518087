//! What has come from a peer, and who the peer is: looked up once a packet.

use super::Packet;
use crate::core::order::MemberId;
use crate::wire::Dialect;

/// A packet, and the session that its connection is bound to.
#[derive(Clone, Copy)]
pub(super) struct Heard<'a> {
    pub(super) packet: Packet<'a>,
    /// What its first byte says that it is.
    pub(super) dialect: Option<Dialect>,
    pub(super) speaker: Option<MemberId>,
}
