//! Keeps those out who have no key: the list of keys, and the thread that looks after it.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender};

use super::authorized::Authorized;
use super::exchange::Inbound;
use super::sockets::{Context, has_curve};
use super::zap::ZapHandler;
use super::{Error, Security};
use crate::core::{Grants, Sequencer};

/// The guard, before its thread has started.
pub(super) struct Guard {
    authorized: Authorized,
    grants: Grants,
}

impl Guard {
    /// Reads the list of keys.
    ///
    /// # Errors
    /// What is wrong with the list, or that there is no encryption.
    pub(super) fn post(security: &Security) -> Result<Self, Error> {
        if !has_curve() {
            return Err(Error::NoCurve);
        }
        let (authorized, grants) = Authorized::open(&security.authorized)?;
        if grants.is_empty() {
            log::warn!("no key is authorized yet: nobody can connect");
        }
        Ok(Self { authorized, grants })
    }

    /// Whom handshakes are answered by. To be called before any socket is bound: nobody may find
    /// the door open.
    ///
    /// # Errors
    /// Errors of its socket.
    pub(super) fn gate(&self, context: &Context) -> Result<ZapHandler, Error> {
        Ok(ZapHandler::bind(context, self.authorized.keys())?)
    }

    /// The machine, which from now on looks at keys.
    pub(super) fn watch_over(&self, machine: Sequencer) -> Sequencer {
        machine.guarded_by(self.grants.clone())
    }

    /// Starts to look after the list, until `stop` is gone; the thread holds `token` meanwhile.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn start(
        self,
        stop: Receiver<()>,
        inbound: Sender<Inbound>,
        token: Arc<()>,
    ) -> std::io::Result<JoinHandle<Result<(), Error>>> {
        let authorized = self.authorized;
        Builder::new().name("authorized".into()).spawn(move || {
            authorized.watch(&stop, &inbound);
            drop(token);
            Ok(())
        })
    }
}
