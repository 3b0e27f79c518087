//! What the HTTP side needs of a broker, and all it needs.

use tokio::sync::watch;

use crate::admin::report::{Member, MembersPage, MembersQuery, Status, Unready};
use crate::broker::InProcess;
use crate::store::LogReader;
use crate::wire::{Epoch, LogId, Name, OrderNumber};

/// A broker, as far as it can be looked at.
///
/// [`is_alive`](Self::is_alive), [`unready`](Self::unready) and [`end`](Self::end) never wait;
/// the others may take as long as a look at all members, and are asked on a thread for that.
pub trait Source: Send + Sync + 'static {
    /// Which log the order lies in.
    fn log_id(&self) -> LogId;

    /// Which start of a broker on it this is.
    fn epoch(&self) -> Epoch;

    /// Whether the broker's threads live. It asks no disk: a slow one is no reason to restart.
    fn is_alive(&self) -> bool;

    /// Why no work should be sent here; `None`: it serves.
    fn unready(&self) -> Option<Unready>;

    /// One look at everything that is counted.
    fn status(&self) -> Status;

    /// Who is how far, a page at a time.
    fn members(&self, query: &MembersQuery) -> MembersPage;

    /// How far one member is.
    fn member(&self, name: &Name) -> Option<Member>;

    /// A reader of the log.
    fn reader(&self) -> Box<dyn LogReader>;

    /// The number that the next message to be read gets, and news of its change.
    fn end(&self) -> watch::Receiver<OrderNumber>;

    /// A way into the order for those who post; `None`: there is none.
    fn in_process(&self) -> Option<InProcess>;
}
