//! One subscriber's memory: whether it got every message once, and in which order.

use super::stamp::Stamp;

/// What a subscriber has seen.
#[derive(Clone, Debug)]
pub(super) struct Check {
    /// Of each publisher, the sequence that comes next.
    next: Vec<u32>,
    hash: u64,
    pub(super) delivered: u64,
    pub(super) skipped: u64,
    pub(super) duplicated: u64,
    pub(super) damaged: u64,
}

impl Check {
    pub(super) fn new(publishers: usize) -> Self {
        Self {
            next: vec![0; publishers],
            hash: 0,
            delivered: 0,
            skipped: 0,
            duplicated: 0,
            damaged: 0,
        }
    }

    /// Takes a message, with its order number where there is one; says whether it was news.
    ///
    /// A publisher's messages have to come in its own order, so one that is behind what was seen
    /// of it was seen before, or counts as skipped already.
    pub(super) fn take(&mut self, order: u64, stamp: Stamp) -> bool {
        let Some(next) = self.next.get_mut(usize::from(stamp.publisher)) else {
            self.damaged += 1;
            return false;
        };
        if stamp.sequence < *next {
            self.duplicated += 1;
            return false;
        }
        self.skipped += u64::from(stamp.sequence - *next);
        *next = stamp.sequence + 1;
        self.delivered += 1;
        let seen = u64::from(stamp.publisher) << 32 | u64::from(stamp.sequence);
        self.hash = mix(self.hash ^ mix(seen) ^ order);
        true
    }

    /// A number that is the same for those who saw the same messages in the same order.
    pub(super) fn order(&self) -> u64 {
        self.hash
    }

    /// The first message of each publisher that has not come, if it was to send so many.
    pub(super) fn missing(&self, messages: impl Fn(usize) -> u32) -> Vec<(usize, u32)> {
        let next = self.next.iter().copied().enumerate();
        next.filter(|&(publisher, next)| next < messages(publisher))
            .collect()
    }
}

/// A multiplication by an odd constant that spreads each bit (Steele, Vigna, "Computationally
/// easy, spectrally good multipliers", 2021): the hash costs less than the message's comparison.
fn mix(value: u64) -> u64 {
    (value ^ (value >> 32)).wrapping_mul(0xF135_7AEA_2E62_A9C5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(messages: &[(u16, u32)]) -> Check {
        let mut check = Check::new(2);
        for (order, &(publisher, sequence)) in (0..).zip(messages) {
            let stamp = Stamp {
                publisher,
                sequence,
                sent_at: 0,
            };
            check.take(order, stamp);
        }
        check
    }

    #[test]
    fn orders_are_told_apart() {
        let one = seen(&[(0, 0), (1, 0), (0, 1)]);
        assert_eq!(one.order(), seen(&[(0, 0), (1, 0), (0, 1)]).order());
        assert_ne!(one.order(), seen(&[(1, 0), (0, 0), (0, 1)]).order());
        assert_ne!(one.order(), seen(&[(0, 0), (0, 1), (1, 0)]).order());
        assert_ne!(one.order(), seen(&[(0, 0), (1, 0)]).order());
    }

    #[test]
    fn what_is_lost_or_comes_twice_is_counted() {
        let check = seen(&[(0, 0), (0, 3), (0, 3), (1, 0), (7, 0)]);
        assert_eq!((check.delivered, check.skipped), (3, 2));
        assert_eq!((check.duplicated, check.damaged), (1, 1));
        assert_eq!(check.missing(|_| 4), [(1, 1)]);
    }
}
