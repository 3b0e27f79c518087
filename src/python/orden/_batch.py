"""Batches of messages, as they lie in the broker's log: docs/protocol.md, "Messages".

The machine looks at headers only (`numbers`); whoever iterates decodes the records (`records`), so
that the thread that owns the socket spends no time on them.
"""

from __future__ import annotations

import struct
from zlib import crc32

from orden._message import Message
from orden._wire import MAGIC, MESSAGES, VERSION, DecodeError

HEADER_LEN = 48
RECORD_LEN = 36
"""Bytes of a record before its sender's name."""

_HEADER = struct.Struct(">B B B B I I I Q Q Q I I")
_RECORD = struct.Struct(">I I Q Q Q B B H")
_LARGEST = 2**64 - 1
_REMEMBERED_MAX = 4096
"""Names and lengths that are remembered; more are forgotten and looked at again."""


class _Names(dict[bytes, str]):
    """Senders' names as text: a name is decoded once, not with each of its messages.

    Bytes that are no UTF-8 are shown escaped, so that any name can be printed.
    """

    def __missing__(self, name: bytes) -> str:
        if len(self) >= _REMEMBERED_MAX:
            self.clear()
        text = self[name] = name.decode(errors="backslashreplace")
        return text


class _Seeds(dict[int, int]):
    """The checksum of a record's length field, with which the checksum of the rest begins."""

    def __missing__(self, length: int) -> int:
        if len(self) >= _REMEMBERED_MAX:
            self.clear()
        seed = self[length] = crc32(length.to_bytes(4, "big"))
        return seed


_NAMES = _Names()
_SEEDS = _Seeds()


def numbers(frame: bytes, log_id: int) -> tuple[int, int]:
    """Return the first order number in a frame and the one after the last.

    Raises DecodeError unless the frame is one or more batches of this log without a gap between
    them. Records are not looked at.
    """
    at, size = 0, len(frame)
    first, end = None, 0
    while at < size or first is None:
        start, count, length, batch_log = _header(frame, at)
        if first is None:
            first = end = start
        if start != end or batch_log != log_id:
            raise DecodeError("field_out_of_range")
        end = start + count
        at += length
    return first, end


def _header(frame: bytes, at: int) -> tuple[int, int, int, int]:
    """Check the header of the batch at `at`; return its first number, count, length and log."""
    if len(frame) - at < HEADER_LEN:
        raise DecodeError("truncated")
    fields = _HEADER.unpack_from(frame, at)
    magic, version, kind, reserved, length, checksum, count, first, _, log_id, _, _ = fields
    if magic != MAGIC:
        raise DecodeError("unexpected_kind")
    if version != VERSION:
        raise DecodeError("unsupported_version")
    covered = crc32(frame[at + 12 : at + HEADER_LEN], crc32(frame[at : at + 8]))
    if covered != checksum:
        raise DecodeError("bad_checksum")
    if length < HEADER_LEN or reserved != 0:
        raise DecodeError("field_out_of_range")
    if length > len(frame) - at:
        raise DecodeError("truncated")
    if first + count > _LARGEST:
        raise DecodeError("field_out_of_range")
    if kind != MESSAGES:
        raise DecodeError("unexpected_kind")
    return first, count, length, log_id


def records(frame: bytes, first: int) -> list[Message]:
    """Decode the messages from number `first` on, of a frame that passed `numbers`.

    Raises DecodeError if a record does not match its checksum or its place.
    """
    messages: list[Message] = []
    append, new = messages.append, tuple.__new__
    unpack, names, seeds = _RECORD.unpack_from, _NAMES, _SEEDS
    view = memoryview(frame)
    at, size = 0, len(frame)
    while at < size:
        number, count, batch_len, log_id = _header(frame, at)
        batch_end = at + batch_len
        at += HEADER_LEN
        for order in range(number, number + count):
            if batch_end - at < RECORD_LEN:
                raise DecodeError("truncated")
            length, checksum, placed, sequence, micros, flags, name_len, _ = unpack(frame, at)
            end, name_at = at + length, at + RECORD_LEN
            text_at = name_at + name_len
            if text_at > end or end > batch_end:
                raise DecodeError("truncated")
            if crc32(view[at + 8 : end], seeds[length]) != checksum:
                raise DecodeError("bad_checksum")
            if placed != order:
                raise DecodeError("field_out_of_range")
            if order >= first:
                name = frame[name_at:text_at]
                payload = frame[text_at:end]
                fields = (order, names[name], payload, sequence, micros, flags, log_id, name)
                append(new(Message, fields))
            at = end
        if at != batch_end:
            raise DecodeError("trailing_bytes")
    return messages
