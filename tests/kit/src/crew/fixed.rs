//! Members of a fixed dialect, which know one broker and no session.

use orden::wire::Dialect;

use crate::checker::history::{Digest, Event, Form, History, Message};
use crate::dealer::Dealer;

/// A member of a fixed dialect, which knows of no session: what it is given again it has to have
/// seen like that before.
pub(super) struct Fixed {
    pub(super) name: &'static str,
    dealer: Dealer,
    first: u64,
    seen: Vec<Digest>,
}

impl Fixed {
    pub(super) fn join(endpoint: &str, name: &'static str, dialect: Dialect) -> Self {
        let mut dealer = Dealer::connect(endpoint, name);
        dealer.speak(dialect);
        dealer.ack_nothing();
        Self {
            name,
            dealer,
            first: 0,
            seen: Vec::new(),
        }
    }

    /// The next number that it waits for; 0 before the first.
    pub(super) fn next(&self) -> u64 {
        self.first + self.seen.len() as u64
    }

    pub(super) fn turn(&mut self, history: &mut History) {
        let mut news = false;
        while let Some(heard) = self.dealer.hear_now() {
            news = true;
            let message = Message::of_text(heard.order, &heard.payload, Form::Exact);
            if self.seen.is_empty() {
                self.first = message.order;
            }
            let at = message
                .order
                .checked_sub(self.first)
                .expect("it goes on, not back");
            let at = usize::try_from(at).expect("it fits");
            match self.seen.get(at) {
                Some(before) => assert_eq!(*before, message.digest, "{at} has changed"),
                None if at > self.seen.len() => {}
                None => {
                    self.seen.push(message.digest);
                    let who = self.name.to_owned();
                    history.note(Event::Deliver { who, message });
                }
            }
        }
        if news {
            self.dealer.ack(self.next() - 1);
        }
    }
}
