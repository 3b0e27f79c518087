"""Deliveries: in order, each once, and acknowledged.

           acknowledged        processed     handed out      to come
     begin ─────────────► acked ─────► processed ─────► next ─────────►

Only what begins at or before `next` and goes beyond it is new. What lies further ahead is dropped,
and the broker is asked to begin again at `processed`.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from orden import _batch
from orden._machine.events import NotDelivered
from orden._machine.settings import Limits

DUE = 0
"""A time that has come, for an acknowledgement that waits for nothing."""


class Arrival(Enum):
    """What a frame of deliveries is, if it brings nothing new."""

    OLD = "old"
    GAP = "gap"


class Receiver:
    """How far deliveries are. Invariant: acked <= processed <= next."""

    def __init__(self, begin: int, limits: Limits, *, by_application: bool) -> None:
        self._limits = limits
        self._by_application = by_application
        self.next = begin
        self.processed = begin
        self._acked = begin
        self._unprocessed: deque[tuple[int, int]] = deque()
        """The end and the bytes of each frame that is not processed to its end."""
        self._unacked_bytes = 0
        self._unacked_frames = 0
        self.ack_at: int | None = None
        """When to acknowledge; None if there is nothing to."""

    def resumed(self, begin: int) -> tuple[int, int] | None:
        """Note that the broker begins again with `begin`; return what it leaves out."""
        self._acked = self.processed
        self._forget_unacked()
        return self.skip_to(begin)

    def skip_to(self, oldest: int) -> tuple[int, int] | None:
        """Note that nothing before `oldest` is kept; return what is missed by that."""
        if oldest <= self.next:
            return None
        missed = (self.next, oldest)
        if self.processed == self.next:
            self.processed = oldest
            self._acked = oldest
            self._forget_unacked()
        self.next = oldest
        return missed

    def arrived(self, now: int, frame: bytes, log_id: int) -> Arrival | tuple[int, int]:
        """Take a frame; return which numbers in it are new. Raises DecodeError."""
        first, end = _batch.numbers(frame, log_id)
        if first > self.next:
            return Arrival.GAP
        if end <= self.next:
            self.acknowledge_now()  # the broker has not heard how far we are
            return Arrival.OLD
        new = (self.next, end)
        self.next = end
        self._unprocessed.append((end, len(frame)))
        if not self._by_application:
            self._process(now, end)
        return new

    def acknowledge(self, now: int, order: int) -> None:
        """Note that the application has processed everything up to and including `order`.

        Raises NotDelivered if it was never given that one.
        """
        if order >= self.next:
            raise NotDelivered(order)
        self._process(now, order + 1)

    def acknowledge_now(self) -> None:
        """Let the next acknowledgement wait for nothing."""
        if self.processed > 0:  # before the first message of all there is no number to say
            self.ack_at = DUE

    def flush(self) -> None:
        """Acknowledge now, if there is something that was not acknowledged."""
        if self._acked < self.processed:
            self.acknowledge_now()

    def next_ack(self, now: int) -> int | None:
        """Return the number to acknowledge, if it is time to."""
        if self.ack_at is None or self.ack_at > now or self.processed == 0:
            return None
        self._acked = self.processed
        self._forget_unacked()
        return self.processed - 1

    def _process(self, now: int, end: int) -> None:
        if end <= self.processed:
            return
        self.processed = end
        unprocessed, limits = self._unprocessed, self._limits
        while unprocessed and unprocessed[0][0] <= end:
            self._unacked_bytes += unprocessed.popleft()[1]
            self._unacked_frames += 1
        if (
            self._unacked_bytes >= limits.ack_bytes
            or self._unacked_frames >= limits.ack_frames
            or self.processed - self._acked >= limits.ack_messages
        ):
            self.ack_at = DUE
        elif self.ack_at is None:
            self.ack_at = now + limits.ack_delay

    def _forget_unacked(self) -> None:
        self._unacked_bytes = 0
        self._unacked_frames = 0
        self.ack_at = None
