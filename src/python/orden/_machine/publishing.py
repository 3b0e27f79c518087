"""Publishes on their way to be ordered: packed, sent, repeated until confirmed.

           confirmed          unconfirmed: `sealed`        not packed yet: `open`
     ──────────────► confirmed ──── sent ──► cursor ────────────► last

Loss is mended by going back: to the first unconfirmed frame when no confirmation comes, to the
frame that the broker asks for when it has noticed a gap. What arrives twice the broker knows by
its client sequence, and confirms with the number it got the first time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import NamedTuple

from orden import _wire
from orden._machine.events import (
    EndedBy,
    Ending,
    EndKind,
    MessageTooLarge,
    WindowFull,
)
from orden._machine.settings import Limits, Retry
from orden._wire import MESSAGE_LEN, PUBLISH_LEN, Run, Welcome

FRAME_OVERHEAD = 64 << 10
"""What the broker lets a frame have besides its largest message."""


class _Sealed(NamedTuple):
    """A complete frame."""

    before: int
    """The last client sequence before it."""
    last: int
    frame: bytes


class Publishing:
    """The publishing half of a participant, from its first welcome on.

    Invariant: confirmed <= sent <= last, and `_sealed`, then `_open`, hold exactly the messages
    after `confirmed`, save for those of a frame that is confirmed in part.
    """

    def __init__(self, welcome: Welcome, first: int | None, limits: Limits) -> None:
        known = welcome.last_sequence
        before = known if first is None else first - 1
        if before > known:
            raise EndedBy(Ending(EndKind.SEQUENCE_AHEAD, known + 1, str(before + 1)))
        self._limits = limits
        self.confirmed = before
        self._sent = before
        self.last = before
        self._ordered_before = known - welcome.publish_window
        """Up to here everything was ordered before this program started, too long ago to ask."""
        self._known = known
        """Up to here the broker knew messages when it first welcomed us."""
        self._heed(welcome)
        self._open: list[bytes] = []
        self._open_len = PUBLISH_LEN
        self._sealed: deque[_Sealed] = deque()
        self._bytes = 0
        self._cursor = 0
        """How many of `_sealed` are sent and not taken for lost."""
        self._allowance: int | None = None
        """How many of them may be: after silence, sending begins with one and doubles."""
        self._retry: Retry | None = None
        """When the first unconfirmed frame is sent again."""
        self._paused_until: int | None = None
        """The broker's disk was full: nothing is sent until then."""
        self._went_back_to: int | None = None
        """Where a gap led back to: the frames behind it complain about the same gap."""
        self._no_space_after = limits.no_space_retry

    def resumed(self, welcome: Welcome) -> None:
        """Take a later welcome: everything that is unconfirmed is sent again. Raises EndedBy."""
        theirs = welcome.last_sequence
        if theirs < self.confirmed:
            raise EndedBy(Ending(EndKind.CONFIRMED_LOST, theirs + 1))
        if theirs > max(self.last, self._known):
            raise EndedBy(Ending(EndKind.SEQUENCES_TAKEN, theirs))
        self._heed(welcome)
        self._go_back(0, None)
        self._retry = None
        self._paused_until = None
        self._no_space_after = self._limits.no_space_retry

    def _heed(self, welcome: Welcome) -> None:
        self._window = welcome.publish_window
        self.largest = welcome.largest_message
        self._frame_bytes = min(self._limits.frame_bytes, self.largest + FRAME_OVERHEAD)

    def publish(self, payload: bytes) -> bool:
        """Take a message; return False if it was ordered so long ago that it is not sent at all.

        Raises MessageTooLarge, WindowFull.
        """
        size = len(payload)
        if size > self.largest:
            raise MessageTooLarge(self.largest)
        sequence = self.last + 1
        if sequence <= self._ordered_before:
            self.confirmed = self._sent = self.last = sequence
            return False
        length = MESSAGE_LEN + size
        too_many = self._repeatable() >= self._window
        is_first = self.last == self.confirmed
        too_long = not is_first and self._bytes + length > self._limits.unconfirmed_bytes
        if too_many or too_long:
            raise WindowFull
        is_full = (
            len(self._open) >= self._limits.frame_messages
            or self._open_len + length > self._frame_bytes
        )
        if self._open and is_full:
            self._seal()
        self._open.append(payload)
        self._open_len += length
        self._bytes += length
        self.last = sequence
        return True

    def is_done(self) -> bool:
        """Whether everything that was taken is confirmed."""
        return self.confirmed == self.last

    def next_frame(self, now: int) -> bytes | None:
        """Return the frame to send next, which counts as sent."""
        limits = self._limits
        if self._paused_until is not None:
            if self._paused_until > now:
                return None
            self._paused_until = None
        elif self._retry is not None and self._retry.is_due(now):
            self._retry.tried(now, limits.publish_retry_most)
            self._go_back(0, 1)
        if self._allowance is not None and self._cursor >= self._allowance:
            return None
        if self._cursor == len(self._sealed):
            self._seal()
            if self._cursor == len(self._sealed):
                return None
        sealed = self._sealed[self._cursor]
        self._cursor += 1
        self._sent = max(self._sent, sealed.last)
        if self._retry is None:
            self._retry = self._waiting(now)
        return sealed.frame

    def confirm(self, now: int, run: Run) -> Run | None:
        """Take a confirmation; return what of it is news.

        Confirmations count in order only: what lies behind one that was lost is confirmed again
        when the lost one's frame is repeated.
        """
        last = run.sequence + run.length - 1
        following = self.confirmed + 1
        if run.sequence > following or last < following or last > self._sent:
            return None
        self.confirmed = last
        while self._sealed and self._sealed[0].last <= last:
            self._bytes -= len(self._sealed.popleft().frame) - PUBLISH_LEN
            self._cursor = max(0, self._cursor - 1)
        if self._allowance is not None:
            self._allowance *= 2
        self._went_back_to = None
        if self._paused_until is None:  # what is confirmed during a pause was ordered before it
            self._no_space_after = self._limits.no_space_retry
            self._retry = None if self._cursor == 0 else self._waiting(now)
        known = following - run.sequence
        return Run(following, run.order + known, run.length - known)

    def gap(self, expected: int) -> None:
        """Send from `expected` on: the broker has what lies before it, and something behind."""
        is_ours = self.confirmed < expected <= self._sent
        if is_ours and self._went_back_to != expected:
            self._go_back_to(expected)

    def no_space(self, now: int, sequence: int) -> None:
        """Rest: the broker's disk is full from `sequence` on."""
        is_ours = self.confirmed < sequence <= self._sent
        if not is_ours or self.is_paused():
            return
        self._go_back_to(sequence)
        self._retry = None
        self._paused_until = now + self._no_space_after
        most = self._limits.no_space_retry_most
        self._no_space_after = min(self._no_space_after * 2, most)

    def is_paused(self) -> bool:
        """Whether publishing rests because the broker's disk was full."""
        return self._paused_until is not None

    def deadline(self) -> int | None:
        """When something is to be sent, if nothing else happens."""
        if self._paused_until is not None:
            return self._paused_until
        return None if self._retry is None else self._retry.at

    def _repeatable(self) -> int:
        """How many messages may be sent again.

        A frame is sent again as a whole, even if some of it is confirmed, and the broker
        remembers no more messages than its window has.
        """
        before = self.confirmed
        if self._sealed:
            before = min(before, self._sealed[0].before)
        return self.last - before

    def _waiting(self, now: int) -> Retry:
        retry = Retry(now, self._limits.publish_retry)
        retry.tried(now, self._limits.publish_retry_most)
        return retry

    def _seal(self) -> None:
        if self._open:
            before = self.last - len(self._open)
            frame = _wire.publish(before + 1, self._open)
            self._sealed.append(_Sealed(before, self.last, frame))
            self._open = []
            self._open_len = PUBLISH_LEN

    def _go_back_to(self, sequence: int) -> None:
        index = bisect_left([sealed.last for sealed in self._sealed], sequence)
        self._go_back(index, None)
        self._went_back_to = sequence

    def _go_back(self, index: int, allowance: int | None) -> None:
        self._cursor = min(self._cursor, index)
        self._allowance = allowance
        self._went_back_to = None
