"""The one place where the client reads a clock."""

from __future__ import annotations

import time

from orden._errors import BadArgument

_LOCK_TIMEOUT_MAX = 10**6
"""Locks take no longer timeout than some; who wants more waits again."""


def now() -> int:
    """Return microseconds on a clock that only goes forward."""
    return time.monotonic_ns() // 1000


class Deadline:
    """Until when to wait; None is for ever."""

    __slots__ = ("_at",)

    def __init__(self, timeout: float | None) -> None:
        if timeout is not None and not timeout >= 0:
            raise BadArgument(f"a timeout is a number of seconds from 0 on, or None, not {timeout}")
        self._at = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Return the seconds that are left; 0 if none are."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def lock_timeout(self) -> float:
        """Return the same as `Lock.acquire` wants it."""
        left = self.left()
        return -1 if left is None else min(left, _LOCK_TIMEOUT_MAX)

    def has_passed(self) -> bool:
        """Whether nothing is left."""
        return self.left() == 0
