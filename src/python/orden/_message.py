"""What a client is given: messages, and the places between them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

_NOTICE = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Position(NamedTuple):
    """A place in the order of one log: everything before `next` is dealt with.

    Store it together with what the messages have led to, in one transaction, and give it to
    `connect(start=...)`: then each message takes effect exactly once, whatever crashes. It is a
    pair of integers, so `tuple(position)` and `Position(*pair)` carry it through any store.
    """

    log_id: int
    """The log that the number belongs to. Numbers of different logs have nothing in common."""
    next: int
    """The order number of the next message."""


class Message(NamedTuple):
    """One message of the order. All members are given the same ones, under the same numbers."""

    order: int
    """Its place in the order: 0, 1, 2 and so on without gaps."""
    sender: str
    """The name of the member that published it, with what is no UTF-8 escaped."""
    payload: bytes
    """What was published, to the byte."""
    sequence: int
    """Its sender's client sequence, from 1; 0 if it came by a fixed dialect or is a notice."""
    microseconds: int
    """When it was ordered, in microseconds since 1970 (UTC), by the broker's clock."""
    flags: int
    """1: a notice of the broker's. 2: a fixed dialect's payload without its sender before it."""
    log_id: int
    """The log that `order` belongs to."""
    sender_bytes: bytes
    """The sender's name as it is on the wire: of two names that print alike it tells which."""

    @property
    def text(self) -> str:
        """The payload as text, with U+FFFD in place of what is no UTF-8."""
        return self.payload.decode(errors="replace")

    def json(self) -> Any:
        """Return the payload read as JSON. Raises ValueError if it is none."""
        return json.loads(self.payload)

    @property
    def time(self) -> datetime:
        """When it was ordered, in UTC by the broker's clock, which may step back."""
        return _EPOCH + timedelta(microseconds=self.microseconds)

    @property
    def notice(self) -> bool:
        """Whether this is the broker's own: that a member has joined or left."""
        return bool(self.flags & _NOTICE)

    @property
    def position(self) -> Position:
        """The place right after this message: store it with what the message has led to."""
        return Position(self.log_id, self.order + 1)
