"""What `connect` is asked for, checked and turned into the machine's settings."""

from __future__ import annotations

import secrets
from typing import Literal

from orden._errors import BadArgument
from orden._machine import Settings
from orden._message import Position
from orden._wire import AT, BEGINNING, LAST, NOW, RESUME, Start

StartAt = Literal["now", "start"] | str | int | Position

_LARGEST = 2**64 - 1
_HINT = "write 'now', 'start', an order number, 'last:N' or a Position"


def settings_of(
    name: bytes,
    start: StartAt,
    *,
    receive: bool,
    first_sequence: int | None,
    is_one_of_several: bool,
) -> Settings:
    """Return the machine's settings. Raises BadArgument."""
    where, log_id = _start_of(start)
    if first_sequence is not None and not (_is_int(first_sequence) and first_sequence >= 1):
        raise BadArgument(f"client sequences are whole numbers from 1 on, not {first_sequence!r}")
    return Settings(
        name,
        start=where,
        log_id=log_id,
        receive=receive,
        by_application=True,  # the machine cannot know when the application is done
        first_sequence=first_sequence,
        life=secrets.randbits(64) if is_one_of_several else None,
    )


def _start_of(start: StartAt) -> tuple[Start, int]:
    if isinstance(start, Position):
        log_id, following = start
        if not (_is_int(log_id) and 0 < log_id <= _LARGEST and _is_int(following)):
            raise BadArgument(f"{start!r} is no position of a log: use one that a message has had")
        return Start(RESUME, _number(following, start)), log_id
    if _is_int(start):
        return Start(AT, _number(start, start)), 0  # type: ignore[arg-type]
    if start == "now":
        return Start(NOW, 0), 0
    if start == "start":
        return Start(BEGINNING, 0), 0
    if isinstance(start, str):
        is_last = start.startswith("last:")
        digits = start.removeprefix("last:")
        if digits.isascii() and digits.isdigit():
            return Start(LAST if is_last else AT, _number(int(digits), start)), 0
    raise BadArgument(f"{start!r} is no place to start from: {_HINT}")


def _number(number: int, start: object) -> int:
    if not 0 <= number <= _LARGEST:
        raise BadArgument(f"{start!r} is no place to start from: {_HINT}")
    return number


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
