"""What can go wrong. Each message says what has happened and what to do."""

from __future__ import annotations


class Error(Exception):
    """The base of all errors of this package."""


class BadArgument(Error, ValueError):
    """An address, a name, a key file or another argument cannot be meant."""


class NoAnswer(Error, TimeoutError):
    """The broker has not answered in time: nothing listens, or what does is not understood."""


class Unconfirmed(Error, TimeoutError):
    """Messages were not confirmed in time; they may be ordered, or may still be.

    As long as the client is open it goes on sending them: do not publish them again, `flush()`.
    After a crash or `close()`, publish them again under the same client sequences
    (`connect(first_sequence=error.first)`): each is ordered once.
    """

    def __init__(self, message: str, *, first: int = 0, count: int = 0) -> None:
        super().__init__(message)
        self.first = first
        """The client sequence of the first that is not confirmed."""
        self.count = count
        """How many are not confirmed; 0: the one asked for was not even taken."""


class TooLarge(Error, ValueError):
    """The message has more bytes than the broker takes; it was not published."""

    def __init__(self, message: str, *, most: int) -> None:
        super().__init__(message)
        self.most = most
        """The most bytes that a message can have."""


class Closed(Error):
    """The client was closed, or belongs to the process that forked this one."""


class Skipped(Error):
    """What comes next is no longer kept by the broker. Raised once; then it goes on behind it."""

    def __init__(self, first: int, next: int) -> None:  # noqa: A002
        count = next - first
        super().__init__(
            f"{count} messages, {first} to {next - 1}, are no longer kept by the broker: this "
            f"client was away, or too slow, for longer than the log reaches back. Iterate again "
            f"to go on with {next}, or rebuild what you derive from the order by another way"
        )
        self.first = first
        """The first that is missing."""
        self.next = next
        """The next that will be delivered."""

    def __reduce__(self) -> tuple[type[Skipped], tuple[int, int]]:
        return Skipped, (self.first, self.next)


class SessionOver(Error):
    """The session has ended, and the client with it."""


class Superseded(SessionOver):
    """Another client has connected under this name."""


class SequenceReused(SessionOver):
    """A client sequence was used before, for another message."""


class LogRegressed(SessionOver):
    """The broker's log is another one, or ends before what was seen of it."""


class Refused(SessionOver):
    """The broker does not let this client do what it asks for."""
