//! The broker that there is, as the HTTP side wants to see it. The only file that knows both.

use std::sync::Arc;

use tokio::sync::watch;

use super::seam::Source;
use crate::admin::View;
use crate::admin::report::{Member, MembersPage, MembersQuery, Status, Unready};
use crate::broker::InProcess;
use crate::store::LogReader;
use crate::wire::{Epoch, LogId, Name, OrderNumber};

/// A running broker, seen through what it shows to the rest of its process.
pub struct Wiring {
    view: Arc<View>,
    end: watch::Sender<OrderNumber>,
}

impl Wiring {
    /// Looks at a broker.
    pub fn new(view: Arc<View>) -> Self {
        let (end, _) = watch::channel(OrderNumber::default());
        let further = |end: &watch::Sender<OrderNumber>, reached: OrderNumber| {
            end.send_if_modified(|known| {
                let is_further = reached > *known;
                *known = reached.max(*known);
                is_further
            });
        };
        let told = end.clone();
        let vitals = &view.outside().vitals;
        if !vitals.on_growth(move |reached| further(&told, reached)) {
            log::error!("http: readers are not told of new messages: others are already");
        }
        // Only now: what comes between would not be heard of.
        further(&end, view.extent().end);
        Self { view, end }
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
        self.end.subscribe()
    }

    fn in_process(&self) -> Option<InProcess> {
        Some(self.view.outside().in_process.clone())
    }
}
