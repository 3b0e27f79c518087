"""What a participant's machine tells, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from orden._wire import Run, Welcome


class Obstacle(Enum):
    """Why there is no connection."""

    NOBODY_THERE = "the connection is not accepted, or nothing is said over it"
    OTHER_LANGUAGE = "the other side does not understand us"
    HUNG_UP = "the other side ends the connection before anything is said"
    NO_BROKER = "the other side speaks ZeroMQ, but says what no broker says"
    KEY_REFUSED = "the broker does not know the key"
    GOES_DOWN = "the broker goes down, and there are others"


class EndKind(Enum):
    """Why a machine has ended."""

    DEPARTED = "departed"
    UNANSWERED = "unanswered"
    SUPERSEDED = "superseded"
    SEQUENCES_TAKEN = "sequences_taken"
    LOG_REGRESSED = "log_regressed"
    CONFIRMED_LOST = "confirmed_lost"
    SESSION_ENDED = "session_ended"
    UNKNOWN_NAME = "unknown_name"
    SEQUENCE_REUSED = "sequence_reused"
    SEQUENCE_AHEAD = "sequence_ahead"
    REFUSED = "refused"


@dataclass(frozen=True)
class Welcomed:
    """The session is open; reported once a connection."""

    welcome: Welcome


@dataclass(frozen=True)
class Away:
    """The broker is not there any more; what is published waits."""


@dataclass(frozen=True)
class Unreachable:
    """The broker cannot be reached; each reason is reported once, and rarely again."""

    obstacle: Obstacle


@dataclass(frozen=True)
class Confirmed:
    """Messages of the participant's own are ordered: each client sequence once, in order."""

    run: Run


@dataclass(frozen=True)
class OrderedBefore:
    """Own messages that were ordered too long ago for their numbers to be known: never sent."""

    first: int
    count: int


@dataclass(frozen=True)
class SkippedAhead:
    """Messages from `first` up to `next`, without it, are no longer kept."""

    first: int
    next: int


@dataclass(frozen=True)
class NoSpace:
    """The broker's disk is full; what it would not take is sent again until there is room."""


@dataclass(frozen=True)
class Complaint:
    """The broker has refused something that is not lost by it."""

    code: int
    text: str


@dataclass(frozen=True)
class Undecodable:
    """A frame was none of the broker's; it counts as lost."""

    reason: str


@dataclass(frozen=True)
class Ending:
    """Why the machine has ended, and the number and the broker's words that belong to it."""

    kind: EndKind
    number: int = 0
    text: str = ""


@dataclass(frozen=True)
class Ended:
    """Nothing comes after this."""

    ending: Ending


Event = (
    Welcomed
    | Away
    | Unreachable
    | Confirmed
    | OrderedBefore
    | SkippedAhead
    | NoSpace
    | Complaint
    | Undecodable
    | Ended
)


class EndedBy(Exception):
    """Raised inside the machine by what ends it."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending)
        self.ending = ending


class NotTaken(Exception):
    """A message was not taken."""


class NotWelcomed(NotTaken):
    """The broker has not welcomed this participant yet."""


class WindowFull(NotTaken):
    """As many messages are unconfirmed as may be: try again after the next confirmation."""


class MessageTooLarge(NotTaken):
    """The message has more bytes than the broker takes."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class Over(NotTaken):
    """The machine has ended, or was told to leave."""


class NotDelivered(Exception):
    """An order number that was not delivered cannot be acknowledged."""
