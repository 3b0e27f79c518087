"""What a publisher holds of a message that is not confirmed yet."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Protocol

from orden._time import Deadline

ORDERED_BEFORE = -1
"""The order number of a message that was ordered so long ago that the broker has forgotten it."""


class _Sender(Protocol):
    """What a receipt asks of the client that it comes from."""

    mutex: Lock

    def check_process(self) -> None: ...
    def is_over(self) -> bool: ...
    def unconfirmed(self, receipt: Receipt | None, timeout: float | None) -> Exception: ...


class Receipt:
    """Stands for one message that was sent."""

    __slots__ = ("_core", "_order", "_waiters", "sequence", "size")

    def __init__(self, core: _Sender, sequence: int, size: int) -> None:
        self.sequence: int = sequence
        """The client sequence of the message: the sender's own number for it, from 1."""
        self.size: int = size
        """Bytes of the message."""
        self._core = core
        self._order: int | None = None
        self._waiters: list[Callable[[], object]] | None = None

    def __repr__(self) -> str:
        state = "not confirmed" if self._order is None else f"order {self._order}"
        return f"<orden.Receipt of client sequence {self.sequence}: {state}>"

    def done(self) -> bool:
        """Whether the message is ordered and durable. Never waits."""
        return self._order is not None

    def order(self, timeout: float | None = 30) -> int:
        """Return the order number of the message, once it is durable.

        Waits for that at most `timeout` seconds (None: for ever). A message that is repeated
        (see `first_sequence`) is given its first number, or -1 if it was ordered so long ago,
        thousands of messages back, that the broker no longer knows which.

        A crash at this line loses nothing and repeats nothing that is published again under the
        same client sequence.

        Raises Unconfirmed if it takes longer, and whatever has ended the session.
        """
        return self._wait(Deadline(timeout), timeout)

    def _wait(self, deadline: Deadline, timeout: float | None) -> int:
        if self._order is None:
            self._core.check_process()
            released = Lock()
            released.acquire()
            if self._add_waiter(released.release):
                released.acquire(timeout=deadline.lock_timeout())
        if self._order is None:
            raise self._core.unconfirmed(self, timeout)
        return self._order

    def _add_waiter(self, waiter: Callable[[], object]) -> bool:
        """Have `waiter` called when the message is confirmed or never will be.

        Return False if that is so already.
        """
        with self._core.mutex:
            if self._order is not None or self._core.is_over():
                return False
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(waiter)
            return True

    def _settle(self, order: int | None) -> None:
        """Take the answer, which may be that there will be none; with the core's mutex held."""
        self._order = order
        if self._waiters is not None:
            for waiter in self._waiters:
                waiter()
            self._waiters = None
