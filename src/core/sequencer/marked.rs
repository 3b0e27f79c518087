//! Sessions that something is to be done about.

use crate::core::order::MemberId;

/// Sessions that something is to be done about. Each stands once in each list, see
/// [`session::Marks`].
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "each says what is to be done")]
pub(super) struct Marked {
    /// Something may be sent.
    pub(super) to_serve: Vec<MemberId>,
    /// Messages of theirs are to be confirmed.
    pub(super) to_confirm: Vec<MemberId>,
    /// Their positions are newer than the log's.
    pub(super) to_save: Vec<MemberId>,
    /// They end once there is room in the log to say so.
    pub(super) to_leave: Vec<MemberId>,
    /// Their status has changed since the last [`Sequencer::changed_status`].
    pub(super) to_show: Vec<MemberId>,
}
