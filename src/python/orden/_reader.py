"""How far the application is: what it was given, and what of that counts as processed."""

from __future__ import annotations

from collections.abc import Iterator
from operator import length_hint
from typing import Literal, NamedTuple

from orden import _batch
from orden._errors import Error
from orden._message import Message
from orden._wire import DecodeError

Ack = Literal["next", "manual", "receive"]


class _Place(NamedTuple):
    """One value, so that the I/O thread never sees half of a change."""

    first: int
    """Everything before it counts as processed, whatever becomes of the frame."""
    end: int
    """The order number after the last message of the frame."""
    messages: Iterator[Message]
    """What of the frame was not given out yet."""
    held: int
    """How many of those given out last do not count as processed."""


class Reader:
    """The messages of one frame at a time, and the account of them.

    The application's thread moves it; the I/O thread asks for `processed`.
    """

    def __init__(self, ack: Ack) -> None:
        self.ack = ack
        self._place = _Place(0, 0, iter(()), 0)
        self._acknowledged = 0
        """With ack="manual": the number after the last one that was acknowledged."""

    def begin(self, order: int) -> None:
        """Note where deliveries begin."""
        self._place = _Place(order, order, iter(()), 0)
        self._acknowledged = order

    @property
    def messages(self) -> Iterator[Message]:
        """What is left of the frame: each message counts as given out when it is taken."""
        return self._place.messages

    def given_out(self) -> int:
        """Return the order number after the last message that the application was given."""
        _, end, messages, _ = self._place
        return end - length_hint(messages)

    def processed(self) -> int:
        """Return the order number after the last message that counts as processed."""
        if self.ack == "manual":
            return self._acknowledged
        first, end, messages, held = self._place
        return max(first, end - length_hint(messages) - held)

    def asked(self) -> None:
        """Note that the application asks for the next message: what it has is processed."""
        self._place = self._place._replace(held=0)

    def acknowledge(self, order: int) -> None:
        """Note that everything up to and including `order` is processed. Raises Error."""
        if self.ack != "manual":
            raise Error(f'ack() is for ack="manual"; this client has ack="{self.ack}"')
        if not 0 <= order < self.given_out():
            raise Error(f"message {order} was not given to this client: it cannot acknowledge it")
        self._acknowledged = max(self._acknowledged, order + 1)

    def open(self, frame: bytes, first: int, end: int) -> None:
        """Decode a frame, to be given out one message at a time. Raises Error."""
        messages = iter(_records(frame, first))
        self._place = _Place(first, end, messages, 0 if self.ack == "receive" else 1)

    def take_rest(self) -> list[Message]:
        """Give out what is left of the frame at once."""
        first, end, messages, _ = self._place
        batch = list(messages)
        self._place = _Place(first, end, iter(()), 0 if self.ack == "receive" else len(batch))
        return batch

    def skip_to(self, order: int) -> None:
        """Note that the application was told of messages that are no longer kept."""
        self._place = _Place(order, order, iter(()), 0)


def _records(frame: bytes, first: int) -> list[Message]:
    try:
        return _batch.records(frame, first)
    except DecodeError as error:
        raise Error(
            f"the broker has sent messages from {first} on that are damaged ({error.reason}): "
            "nothing of them was given out; connect again, and look at the network and the "
            "memory of both machines if it comes again"
        ) from error
