"""Which address is tried when: one socket at a time, the next address when one does not answer."""

from __future__ import annotations

import random

import zmq

from orden._keys import Keys
from orden._machine.events import Obstacle
from orden._machine.settings import MILLISECOND, SECOND
from orden._transport import Context, Link, Transport

BACKOFF = 100 * MILLISECOND
BACKOFF_MOST = 3 * SECOND
BACKOFF_FAILED_MOST = 10 * SECOND
"""Where something answers that cannot be understood, libzmq alone would try ten times a second."""
STEADY = 5 * SECOND
"""A connection that has lasted so long was a good one: what comes after it is a first failure."""


class Route:
    """The addresses of a broker, or of several with one order, and the socket to one of them."""

    def __init__(self, endpoints: list[str], keys: Keys | None) -> None:
        self.endpoints = endpoints
        self.keys = keys
        self._context: Context = zmq.Context()
        self._index = 0
        self._tried = 0
        """Addresses that have failed one after the other since a connection lasted."""
        self._backoff = BACKOFF
        self._open_at: int | None = None
        """When to open the next socket, if there is none."""
        self._up_since: int | None = None
        self.has_been_up = False
        """Whether both sides of the connection of this socket have ever agreed how to speak."""
        self.transport: Transport | None = None
        try:
            self.transport = self._open()
        except BaseException:
            self._context.term()
            raise

    def _open(self) -> Transport:
        several = len(self.endpoints) > 1
        endpoint = self.endpoints[self._index]
        return Transport(self._context, endpoint, self.keys, is_one_of_several=several)

    def link_event(self) -> Link | Obstacle | None:
        """Return what has happened to the connection since the last time."""
        return None if self.transport is None else self.transport.link_event()

    def is_up(self, now: int) -> None:
        """Both sides have agreed how to speak."""
        self._up_since = now
        self.has_been_up = True

    def is_down(self, now: int, *, was_served: bool) -> None:
        """The connection is gone; of a single address, libzmq makes another.

        What served us is gone with it: others are tried at once, however soon after the last loss.
        """
        self._note_steady(now)
        if was_served and len(self.endpoints) > 1:
            self._tried, self._backoff = 0, BACKOFF
        self._up_since = None
        self.has_failed(now, Obstacle.NOBODY_THERE)

    def _note_steady(self, now: int) -> None:
        if self._up_since is not None and now - self._up_since >= STEADY:
            self._tried = 0
            self._backoff = BACKOFF

    def has_failed(self, now: int, obstacle: Obstacle) -> None:
        """Note that the address does not lead to a broker at the moment."""
        if self.transport is None:
            return
        if obstacle is Obstacle.NOBODY_THERE and len(self.endpoints) == 1:
            return  # libzmq tries again by itself, ever more slowly
        self._note_steady(now)
        self._close_socket()
        self._index = (self._index + 1) % len(self.endpoints)
        self._tried += 1
        if self._tried % len(self.endpoints) != 0:
            self._open_at = now
            return
        is_wrong = len(self.endpoints) == 1
        most = BACKOFF_FAILED_MOST if is_wrong else BACKOFF_MOST
        self._open_at = now + int(self._backoff * random.uniform(0.5, 1))
        self._backoff = min(self._backoff * 2, most)

    def wants_another(self, now: int, *, is_given_up: bool) -> bool:
        """Whether to open another socket; `is_given_up`: the machine has no use for this one."""
        if self.transport is not None:
            if self._up_since is None or not is_given_up:
                return False
            if len(self.endpoints) == 1:
                return True
            self.has_failed(now, Obstacle.NOBODY_THERE)
        return self._open_at is not None and self._open_at <= now

    def open_next(self, now: int) -> None:
        """Open a socket to the address whose turn it is."""
        self._close_socket()
        self._open_at = None
        try:
            self.transport = self._open()
        except zmq.ZMQError:
            # No descriptor to be had, for example: that passes.
            self._open_at = now + self._backoff
            self._backoff = min(self._backoff * 2, BACKOFF_MOST)

    def deadline(self) -> int | None:
        """When to ask `wants_another` at the latest."""
        return self._open_at if self.transport is None else None

    def _close_socket(self) -> None:
        self._up_since = None
        self.has_been_up = False
        if self.transport is not None:
            self.transport.close()
            self.transport = None

    def close(self) -> None:
        """Give everything back; what was sent has a moment to leave."""
        self._close_socket()
        self._open_at = None
        self._context.term()
