"""The native dialect's frames, byte by byte: docs/protocol.md describes them.

Decoding is total: any bytes give a value or a `DecodeError` that names what is wrong.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAGIC = 0x4F
VERSION = 1

HELLO, PUBLISH, ACK, GOODBYE, PING, PONG = range(0x01, 0x07)
MESSAGES, WELCOME, CONFIRM, REFUSAL = range(0x10, 0x14)

NOW, BEGINNING, AT, LAST, RESUME = range(5)

CODES = {
    1: "malformed",
    2: "no_session",
    3: "superseded",
    4: "sequence_gap",
    5: "sequence_reused",
    6: "too_large",
    7: "no_space",
    8: "ack_ahead",
    9: "trimmed",
    10: "log_regressed",
    11: "not_allowed",
    12: "limit_reached",
    13: "session_ended",
    14: "closing",
    15: "removed",
    16: "damaged",
}
"""The reasons for a refusal that this version knows."""

NAME_LEN_MAX = 255
PUBLISH_LEN = 16
"""Bytes of a publish frame before its first message."""
MESSAGE_LEN = 4
"""Bytes before each message of a publish frame."""

_LARGEST = 2**64 - 1
_HELLO_RECEIVE = 1
_HELLO_ATTEMPT = 2
_HELLO_OBSERVE = 4
_GOODBYE_STAY = 1
_WELCOME_KNOWN = 1

_HELLO = struct.Struct(">4B B H B Q Q")
_ATTEMPT = struct.Struct(">Q I")
_PUBLISH = struct.Struct(">4B I Q")
_LENGTH = struct.Struct(">I")
_ACK = struct.Struct(">4B I Q")
_WELCOME = struct.Struct(">4x I Q Q Q Q I I")
_COUNT = struct.Struct(">I")
_RUN = struct.Struct(">Q Q I")
_REFUSAL = struct.Struct(">4x H H Q")


class DecodeError(Exception):
    """Bytes that are no frame of the broker's; `reason` is a name from docs/protocol.md."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Start(NamedTuple):
    """Where deliveries begin: a start from the protocol's table, and its number."""

    kind: int
    number: int


class Welcome(NamedTuple):
    """The broker has opened, or gone on with, the session of a name."""

    known: bool
    epoch: int
    log_id: int
    begin: int
    end: int
    last_sequence: int
    publish_window: int
    largest_message: int


class Run(NamedTuple):
    """Client sequences that follow one another and got order numbers that do, too."""

    sequence: int
    order: int
    length: int


class Refusal(NamedTuple):
    """What the broker did not do, or what the peer must know, and why."""

    code: int
    detail: int
    text: str


class Goodbye(NamedTuple):
    """The peer's goodbye, said back by the broker."""


class Ping(NamedTuple):
    """The broker asks whether the peer is there."""


class Pong(NamedTuple):
    """The broker is there."""


class Messages(NamedTuple):
    """One batch of messages or more: see `orden._batch`."""


Heard = Welcome | list[Run] | Refusal | Goodbye | Ping | Pong | Messages


class Attempt(NamedTuple):
    """Which connection of which client a hello was said on.

    Among several brokers a hello can be ordered after one that the same client said later.
    """

    life: int
    """Drawn at random by each client when it begins."""
    number: int
    """Which of its connections this is, from 1."""


def hello(
    name: bytes,
    start: Start,
    *,
    receive: bool,
    log_id: int,
    attempt: Attempt | None = None,
    observe: bool = False,
) -> bytes:
    """Open the session of a name, or go on with it; or only read."""
    options = _HELLO_RECEIVE if receive else 0
    options |= (_HELLO_ATTEMPT if attempt else 0) | (_HELLO_OBSERVE if observe else 0)
    head = _HELLO.pack(
        MAGIC, VERSION, HELLO, options, start.kind, 0, len(name), start.number, log_id
    )
    return head + name + (_ATTEMPT.pack(*attempt) if attempt else b"")


def publish(first: int, payloads: list[bytes]) -> bytes:
    """Messages to order, the first under the client sequence `first`."""
    parts = [_PUBLISH.pack(MAGIC, VERSION, PUBLISH, 0, len(payloads), first)]
    for payload in payloads:
        parts.append(_LENGTH.pack(len(payload)))
        parts.append(payload)
    return b"".join(parts)


def ack(order: int) -> bytes:
    """Everything up to and including `order` is dealt with."""
    return _ACK.pack(MAGIC, VERSION, ACK, 0, 0, order)


def goodbye(*, stay: bool) -> bytes:
    """The peer goes; the session stays, or ends."""
    return bytes((MAGIC, VERSION, GOODBYE, _GOODBYE_STAY if stay else 0))


def ping() -> bytes:
    """Ask whether the broker is there."""
    return bytes((MAGIC, VERSION, PING, 0))


def pong() -> bytes:
    """Answer a ping."""
    return bytes((MAGIC, VERSION, PONG, 0))


def decode(frame: bytes) -> Heard:
    """Read a frame from the broker; of messages only the kind is looked at.

    Raises DecodeError.
    """
    if not frame:
        raise DecodeError("truncated")
    if frame[0] != MAGIC:
        raise DecodeError("unsupported_version")
    if len(frame) < 4:
        raise DecodeError("truncated")
    if frame[1] != VERSION:
        raise DecodeError("unsupported_version")
    kind = frame[2]
    if kind == MESSAGES:
        return Messages()
    if kind == CONFIRM:
        return _confirm(frame)
    if kind == WELCOME:
        return _welcome(frame)
    if kind == REFUSAL:
        return _refusal(frame)
    if kind == GOODBYE:
        _exactly(frame, 4)
        return Goodbye()
    if kind == PING:
        _exactly(frame, 4)
        return Ping()
    if kind == PONG:
        _exactly(frame, 4)
        return Pong()
    raise DecodeError("unexpected_kind")


def _welcome(frame: bytes) -> Welcome:
    _exactly(frame, _WELCOME.size)
    known = bool(frame[3] & _WELCOME_KNOWN)
    return Welcome(known, *_WELCOME.unpack(frame))


def _confirm(frame: bytes) -> list[Run]:
    if len(frame) < 8:
        raise DecodeError("truncated")
    (count,) = _COUNT.unpack_from(frame, 4)
    _exactly(frame, 8 + count * _RUN.size)
    runs = [Run(*run) for run in _RUN.iter_unpack(frame[8:])]
    for run in runs:
        end = max(run.sequence, run.order) + run.length
        if run.length == 0 or end > _LARGEST:
            raise DecodeError("field_out_of_range")
    return runs


def _refusal(frame: bytes) -> Refusal:
    if len(frame) < _REFUSAL.size:
        raise DecodeError("truncated")
    code, length, detail = _REFUSAL.unpack_from(frame)
    _exactly(frame, _REFUSAL.size + length)
    try:
        text = frame[_REFUSAL.size :].decode()
    except UnicodeDecodeError:
        raise DecodeError("field_out_of_range") from None
    return Refusal(code, detail, text)


def _exactly(frame: bytes, length: int) -> None:
    if len(frame) < length:
        raise DecodeError("truncated")
    if len(frame) > length:
        raise DecodeError("trailing_bytes")
