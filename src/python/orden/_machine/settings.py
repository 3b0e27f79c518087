"""What a participant wants, and every bound of its machine, by name.

All times are integers, in microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orden._wire import NOW, Start

MILLISECOND = 1_000
SECOND = 1_000_000


@dataclass
class Settings:
    """Who a participant is and how it takes part."""

    name: bytes
    start: Start = field(default_factory=lambda: Start(NOW, 0))
    log_id: int = 0
    """The log that a position in `start` refers to; 0 if that is not known."""
    epoch: int = 0
    """The last epoch of that log that is known of. A broker whose epoch is lower has an older copy
    of the log: its numbers may stand for other messages, so it is not followed."""
    refuse_unknown: bool = False
    """Whether to end where the broker does not know the name, and take back the session that the
    hello has begun: what an earlier one has published is not known any more."""
    receive: bool = True
    by_application: bool = False
    """Whether the application says what is processed; otherwise what is handed out is."""
    first_sequence: int | None = None
    """The client sequence of the first message; None: the one after the session's last."""
    life: int | None = None
    """Drawn at random, if there are several brokers of one order to go to: with the number of its
    connection it tells a hello of its own that is ordered late. Then it gives up a broker that is
    silent, or goes down, as another one has all that it needs."""


@dataclass
class Limits:
    """What the machine allows itself; the same as the Rust client's."""

    ack_bytes: int = 512 << 10
    """Bytes delivered after which they are acknowledged: a quarter of the broker's window, so that
    it never closes while the acknowledgement is under way."""
    ack_frames: int = 250
    ack_messages: int = 1000
    ack_delay: int = 50 * MILLISECOND
    """The longest that an acknowledgement waits for more to acknowledge."""
    frame_bytes: int = 256 << 10
    """The most bytes of a publish frame, unless one message is larger."""
    frame_messages: int = 1024
    unconfirmed_bytes: int = 8 << 20
    """The most bytes of messages that wait for confirmation, unless one message is larger."""
    publish_retry: int = 2 * SECOND
    """Time without a confirmation after which the first unconfirmed frame is sent again; doubles
    up to `publish_retry_most`."""
    publish_retry_most: int = 20 * SECOND
    no_space_retry: int = 500 * MILLISECOND
    """How long publishing rests after the broker's disk was full."""
    no_space_retry_most: int = 10 * SECOND
    hello_least: int = 50 * MILLISECOND
    """The least time between two hellos."""
    hello_retry: int = SECOND
    hello_retry_most: int = 10 * SECOND
    obstacle_again: int = 600 * SECOND
    """The least time between two reports of the same obstacle, while there is no session."""
    ping_after: int = 10 * SECOND
    """Silence after which the broker is asked whether it is there."""
    stale_after: int = 40 * SECOND
    """Silence after which the connection counts as dead."""
    ping_elsewhere: int = 2 * SECOND
    """`ping_after` where there are other brokers to go to."""
    stale_elsewhere: int = 5 * SECOND
    """`stale_after` where there are other brokers to go to."""
    hellos_elsewhere: int = 2
    """Hellos without an answer after which a broker is given up, where there are others."""


class Retry:
    """When to try next; each fruitless try doubles the wait after it."""

    def __init__(self, at: int, after: int) -> None:
        self.at = at
        self._after = after
        self.tries = 0

    def is_due(self, now: int) -> bool:
        """Whether it is time to try."""
        return self.at <= now

    def tried(self, now: int, most: int) -> None:
        """Note a try."""
        self.tries += 1
        self.at = now + self._after
        self._after = min(self._after * 2, most)
