"""What the application's threads and the client's I/O thread know together."""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Callable
from threading import Condition, Lock
from typing import NamedTuple

from orden._errors import Closed, Error, TooLarge, Unconfirmed
from orden._machine.events import Obstacle
from orden._reader import Reader
from orden._receipt import Receipt
from orden._time import Deadline
from orden._transport import Waker
from orden._wire import Run, Welcome

OUTBOX_MESSAGES = 16_384
"""The most messages that may be unconfirmed before `send` waits."""
OUTBOX_BYTES = 20 << 20
"""The most bytes of them, unless one message is larger."""
ASK_BYTES, ASK_FRAMES = 256 << 10, 128
"""What is processed before the I/O thread is woken to acknowledge it."""


class Arrived(NamedTuple):
    """A frame of messages, and which order numbers in it are new."""

    frame: bytes
    first: int
    end: int


class Farewell(NamedTuple):
    """How the application wants to go."""

    stay: bool
    patience: float
    """Seconds to wait for confirmations."""


class Core:
    """The state of one client. Everything that waits here has a deadline."""

    def __init__(self, name: bytes, reader: Reader) -> None:
        self.name = name
        self.shown_name = name.decode(errors="backslashreplace")
        self.reader = reader
        self.mutex = Lock()
        self.changed = Condition(self.mutex)
        """Signalled when anything below has changed."""
        self.waker = Waker()
        self.outbox: deque[bytes] = deque()
        """Messages on their way to the I/O thread."""
        self.inbox: deque[Arrived | Error] = deque()
        """Frames, and between them what iteration has to raise there."""
        self.is_reader_waiting = False
        self.is_inbox_full = False
        """Whether the I/O thread holds frames back until the application has taken some."""
        self._unasked_bytes = 0
        self._unasked_frames = 0
        self.listener: Callable[[], None] | None = None
        """Told, by the I/O thread, that something has changed: an event loop's way to wait."""
        self.welcome: Welcome | None = None
        self.last_sequence = 0
        self.confirmed = 0
        self.largest = 0
        self.is_connected = False
        self.obstacle: Obstacle | None = None
        self.complaint: str | None = None
        """What the broker has said since it last took something."""
        self.farewell: Farewell | None = None
        self.is_goodbye_heard = False
        self.process_id = os.getpid()
        self.is_forked = False
        self._pending: deque[Receipt] = deque()
        self._pending_bytes = 0
        self.was_told = False
        """Whether the application knows what has become of what is not confirmed."""
        self._reason: Callable[[], Error] | None = None
        _CORES.add(self)

    # What the I/O thread reports.

    def welcomed(self, welcome: Welcome, last_sequence: int) -> None:
        """Note that the broker has answered; `last_sequence` counts the first time only."""
        with self.changed:
            if self.welcome is None:
                self.reader.begin(welcome.begin)
                self.last_sequence = self.confirmed = last_sequence
            self.welcome = welcome
            self.largest = welcome.largest_message
            self.is_connected = True
            self.obstacle = None
            self.changed.notify_all()
        self._tell()

    def away(self, obstacle: Obstacle) -> None:
        """Note that the broker is not there, and why."""
        with self.changed:
            self.is_connected = False
            self.obstacle = obstacle
            self.changed.notify_all()
        self._tell()

    def ordered(self, run: Run, *, numbers_known: bool = True) -> None:
        """Note that messages of this client's own have their numbers."""
        with self.changed:
            for place in range(run.length):
                receipt = self._pending.popleft()
                self._pending_bytes -= receipt.size
                receipt._settle(run.order + place if numbers_known else run.order)
            self.confirmed = run.sequence + run.length - 1
            self.changed.notify_all()
        self._tell()

    def arrived(self, item: Arrived | Error) -> None:
        """Hand a frame of messages, or an error that belongs in its place, to the application."""
        self.inbox.append(item)
        if self.is_reader_waiting:
            with self.changed:
                self.is_reader_waiting = False
                self.changed.notify_all()
            self._tell()

    def stop(self, reason: Callable[[], Error]) -> None:
        """Let nothing happen any more; the first reason stays."""
        with self.changed:
            if self._reason is None:
                self._reason = reason
            self.is_connected = False
            for receipt in self._pending:
                receipt._settle(None)
            self.changed.notify_all()
        self._tell()

    def fail(self, reason: Callable[[], Error]) -> None:
        """Let nothing happen any more, as what the broker has sent cannot be believed."""
        with self.changed:
            if self._reason is None:
                self._reason = reason
        self.say_farewell(Farewell(stay=True, patience=0))

    def abandon(self, *, stay: bool) -> None:
        """Go without waiting and without a lock: the garbage collector may hold it."""
        if not self.is_forked and self.farewell is None:
            self.farewell = Farewell(stay, 0)
            self.waker.wake()

    def _tell(self) -> None:
        if self.listener is not None:
            self.listener()

    # What the application asks.

    def check_process(self) -> None:
        """Raise Closed in a process that was forked from the client's: no lock is safe there."""
        if self.is_forked:
            raise Closed(
                f"this client belongs to process {self.process_id}, which forked this one "
                f"({os.getpid()}): connect here, after the fork, under a name of its own"
            )

    def is_over(self) -> bool:
        """Whether the application has said farewell, or the I/O thread has stopped."""
        return self.farewell is not None or self._reason is not None

    def has_stopped(self) -> bool:
        """Whether the I/O thread has stopped."""
        return self._reason is not None

    def has_ended(self) -> bool:
        """Whether something but the application has ended the client."""
        return self._reason is not None and not isinstance(self._reason(), Closed)

    def reason(self) -> Error:
        """Return why the client is over, as an error of its own for each who is told."""
        if self._reason is None:
            return Closed("this client is closed")
        self.was_told = True
        return self._reason()

    def check_open(self) -> None:
        """Raise the reason if the client is over."""
        self.check_process()
        if self.is_over():
            raise self.reason()

    def wait(self, is_pending: Callable[[], bool], deadline: Deadline) -> None:
        """Wait, with the mutex held, while `is_pending`, the client lives and there is time."""
        while is_pending() and not self.has_stopped() and not deadline.has_passed():
            self.changed.wait(deadline.left())

    def has_room(self, size: int) -> bool:
        """Whether a message of so many bytes may join those that are not confirmed."""
        fits = self._pending_bytes + size <= OUTBOX_BYTES
        return not self._pending or (len(self._pending) < OUTBOX_MESSAGES and fits)

    def push(self, data: bytes) -> Receipt:
        """Take a message in, with the mutex held. Wake the I/O thread afterwards."""
        self.last_sequence += 1
        receipt = Receipt(self, self.last_sequence, len(data))
        self._pending.append(receipt)
        self._pending_bytes += len(data)
        self.outbox.append(data)
        return receipt

    def check_size(self, data: bytes) -> None:
        """Raise TooLarge if the broker would not take it."""
        if len(data) > self.largest:
            raise TooLarge(
                f"a message of {len(data)} bytes: this broker takes {self.largest} at most. Split "
                "it, or have the broker started with a larger --max-message-bytes",
                most=self.largest,
            )

    def unconfirmed(self, receipt: Receipt | None, timeout: float | None) -> Error:
        """Return the error for messages that are not confirmed: all, or that of `receipt`."""
        first, count = self.confirmed + 1, self.last_sequence - self.confirmed
        within = "" if timeout is None else f" within {timeout:g} s"
        if self.has_ended():
            return self.reason()
        shown = f"message {first}" if count == 1 else f"{count} messages, {first} and following,"
        if receipt is not None:
            first, count, shown = receipt.sequence, 1, f"message {receipt.sequence}"
        if self.is_over():
            self.was_told = True
            message = (
                f"{shown} of {self.shown_name!r} not confirmed when the client was closed: connect "
                f"again with first_sequence={first} and publish from there; each is ordered once"
            )
        else:
            message = f"{shown} of {self.shown_name!r} not confirmed{within}: {self.why_not()}. "
            message += "It is still being sent: flush() waits for it"
        return Unconfirmed(message, first=first, count=count)

    def no_room(self, timeout: float | None) -> Unconfirmed:
        """Return the error for a message that was not taken, as too many are unconfirmed."""
        within = "" if timeout is None else f" within {timeout:g} s"
        return Unconfirmed(
            f"not taken{within}, as {len(self._pending)} earlier messages are not confirmed: "
            f"{self.why_not()}. It was not published; the others are still being sent",
            first=self.confirmed + 1,
        )

    def why_not(self) -> str:
        """Say why the broker has not confirmed, as far as is known."""
        state = "the broker is slow" if self.is_connected else "the broker is away"
        return state if self.complaint is None else f"{state}, and has said: {self.complaint}"

    def take(self, deadline: Deadline) -> Arrived | Error | None:
        """Return what has arrived next; wait for it, and return None if there was nothing in time.

        Raises the reason if the client is over: what was not given out waits at the broker.
        """
        while True:
            self.check_open()
            if self.inbox:
                return self.took()
            with self.changed:
                self.is_reader_waiting = True
                self.wait(lambda: not self.inbox and not self.is_over(), deadline)
                self.is_reader_waiting = False
            if not self.inbox and not self.is_over():
                return None

    def took(self) -> Arrived | Error:
        """Return what has arrived first; wake the I/O thread if it waits for room."""
        item = self.inbox.popleft()
        if self.is_inbox_full:
            self.is_inbox_full = False
            self.waker.wake()
        return item

    def processed(self, size: int) -> None:
        """Note that a frame of so many bytes was processed; the I/O thread will acknowledge.

        It looks by itself, a moment later; but the broker's window must not close before that.
        """
        self._unasked_bytes += size
        self._unasked_frames += 1
        if self._unasked_bytes >= ASK_BYTES or self._unasked_frames >= ASK_FRAMES:
            self._unasked_bytes = self._unasked_frames = 0
            self.waker.wake()

    def say_farewell(self, farewell: Farewell) -> None:
        """Ask the I/O thread to go; the first farewell counts."""
        with self.changed:
            if self.farewell is None:
                self.farewell = farewell
            self.changed.notify_all()
        self.waker.wake()
        self._tell()


_CORES: weakref.WeakSet[Core] = weakref.WeakSet()


def _forked() -> None:
    """Note in a new process that the clients it has inherited are not its own."""
    for core in list(_CORES):
        core.is_forked = True


os.register_at_fork(after_in_child=_forked)
