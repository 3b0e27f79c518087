//! The broker that there is, as the HTTP side wants to see it. The only file that knows both.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::seam::Source;
use crate::admin::View;
use crate::admin::report::{Member, MembersPage, MembersQuery, Status, Unready};
use crate::broker::InProcess;
use crate::store::LogReader;
use crate::wire::{Epoch, LogId, Name, OrderNumber};

/// How often followers look whether there is more to read.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running broker, seen through what it shows to the rest of its process.
pub struct Wiring {
    view: Arc<View>,
    end: watch::Sender<OrderNumber>,
    /// There is somebody to tell of it.
    subscribed: Notify,
}

impl Wiring {
    /// Looks at a broker.
    pub fn new(view: Arc<View>) -> Self {
        let (end, _) = watch::channel(view.extent().end);
        Self {
            view,
            end,
            subscribed: Notify::new(),
        }
    }

    /// Tells those who read as it comes that there is more. Ends with the runtime.
    pub async fn follow(self: Arc<Self>) {
        loop {
            // Without a reader nothing has to be looked at.
            if self.end.receiver_count() == 0 {
                self.subscribed.notified().await;
            }
            let end = self.view.extent().end;
            self.end
                .send_if_modified(|known| std::mem::replace(known, end) != end);
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Source for Wiring {
    fn log_id(&self) -> LogId {
        self.view.outside().log_id
    }

    fn epoch(&self) -> Epoch {
        self.view.outside().epoch
    }

    fn is_alive(&self) -> bool {
        self.view.is_alive()
    }

    fn unready(&self) -> Option<Unready> {
        self.view.unready()
    }

    fn status(&self) -> Status {
        self.view.status()
    }

    fn members(&self, query: &MembersQuery) -> MembersPage {
        self.view.members(query)
    }

    fn member(&self, name: &Name) -> Option<Member> {
        self.view.member(name)
    }

    fn reader(&self) -> Box<dyn LogReader> {
        self.view.outside().reader()
    }

    fn end(&self) -> watch::Receiver<OrderNumber> {
        let end = self.end.subscribe();
        self.subscribed.notify_one();
        end
    }

    fn in_process(&self) -> Option<InProcess> {
        Some(self.view.outside().in_process.clone())
    }
}
