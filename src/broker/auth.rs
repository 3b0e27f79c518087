//! Admits only peers whose key is on the access list: the list, and the thread that watches it.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender};

use super::access_list::{AccessList, Asked};
use super::exchange::Inbound;
use super::sockets::Context;
use super::zap::ZapHandler;
use super::{Error, Security};
use crate::core::{Grants, Sequencer};

/// The access list, before its thread has started.
pub(super) struct Auth {
    list: AccessList,
    grants: Grants,
}

impl Auth {
    /// Reads the access list.
    ///
    /// # Errors
    /// What is wrong with the list.
    pub(super) fn open(security: &Security) -> Result<Self, Error> {
        let (list, grants) = AccessList::open(&security.authorized)?;
        if grants.is_empty() {
            log::warn!("no key is authorized yet: no client can connect");
        }
        Ok(Self { list, grants })
    }

    /// Answers libzmq's requests by the list. To be called before any socket is bound, or a peer
    /// could connect unchecked.
    ///
    /// # Errors
    /// Errors of its socket.
    pub(super) fn zap_handler(&self, context: &Context) -> Result<ZapHandler, Error> {
        Ok(ZapHandler::bind(context, self.list.keys())?)
    }

    /// The machine, which from now on checks keys.
    pub(super) fn watch_over(&self, machine: Sequencer) -> Sequencer {
        machine.guarded_by(self.grants.clone())
    }

    /// Starts to watch the list, until `stop` is gone; the thread holds `token` while it lives.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn start(
        self,
        (stop, asked): (Receiver<()>, Receiver<Asked>),
        inbound: Sender<Inbound>,
        token: Arc<()>,
    ) -> std::io::Result<JoinHandle<Result<(), Error>>> {
        let list = self.list;
        Builder::new().name("access-list".into()).spawn(move || {
            list.watch(&stop, &asked, &inbound);
            drop(token); // a panic drops it, too
            Ok(())
        })
    }
}
