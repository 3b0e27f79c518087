//! Keeps those out who have no key: the list of keys, and the two threads that know it.

use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender};

use super::authorized::Authorized;
use super::exchange::Inbound;
use super::sockets::{Context, has_curve, socket_error};
use super::zap::{Gate, Numbers};
use super::{Error, Security, Stopper};
use crate::core::{Grants, Sequencer};

/// The guard, before its threads have started.
pub(super) struct Guard {
    gate: Gate,
    authorized: Authorized,
    grants: Grants,
}

impl Guard {
    /// To be called before any socket is bound: nobody may find the door open.
    ///
    /// # Errors
    /// What is wrong with the list of keys, or that there is no encryption.
    pub(super) fn post(
        security: &Security,
        context: &Context,
        numbers: &Numbers,
    ) -> Result<Self, Error> {
        if !has_curve() {
            return Err(Error::NoCurve);
        }
        let (authorized, grants) = Authorized::open(&security.authorized)?;
        if grants.is_empty() {
            log::warn!("no key is authorized yet: nobody can connect");
        }
        let gate =
            Gate::bind(context, authorized.known(), numbers.clone()).map_err(socket_error)?;
        Ok(Self {
            gate,
            authorized,
            grants,
        })
    }

    /// The machine, which from now on looks at keys.
    pub(super) fn watch_over(&self, machine: Sequencer) -> Sequencer {
        machine.guarded_by(self.grants.clone())
    }

    /// Starts to answer handshakes and to look after the list, until `stop` is gone.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(super) fn start(
        self,
        stop: &Receiver<()>,
        inbound: &Sender<Inbound>,
        stopper: Stopper,
    ) -> std::io::Result<[JoinHandle<Result<(), Error>>; 2]> {
        let Self {
            gate, authorized, ..
        } = self;
        let (gate_stop, gate_inbound) = (stop.clone(), inbound.clone());
        let answers = Builder::new().name("zap".into()).spawn(move || {
            let end = gate.run(&gate_stop, &gate_inbound);
            // Nobody gets in any more, so there is no use in going on.
            if end.is_err() {
                stopper.stop();
            }
            end
        })?;
        let (watch_stop, watch_inbound) = (stop.clone(), inbound.clone());
        let watches = Builder::new().name("authorized".into()).spawn(move || {
            authorized.watch(&watch_stop, &watch_inbound);
            Ok(())
        })?;
        Ok([answers, watches])
    }
}
