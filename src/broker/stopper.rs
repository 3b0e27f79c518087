//! A handle to stop a broker with.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::dispatcher::Signals;
use crate::net::waker::Waker;

/// Asks a broker to stop, from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stopper {
    signals: Arc<Signals>,
    waker: Waker,
}

impl Stopper {
    pub(super) fn new(signals: &Arc<Signals>, waker: &Waker) -> Self {
        let (signals, waker) = (Arc::clone(signals), waker.clone());
        Self { signals, waker }
    }

    /// Lets the broker take nothing more in, finish what it has, and end.
    pub fn stop(&self) {
        self.signals.stop.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Whether it was asked to.
    pub fn is_stopping(&self) -> bool {
        self.signals.stop.load(Ordering::SeqCst)
    }
}
