"""Why a session is over, as the error that everybody who asks for something is given."""

from __future__ import annotations

from orden._errors import (
    Closed,
    Error,
    LogRegressed,
    Refused,
    SequenceReused,
    SessionOver,
    Superseded,
)
from orden._machine.events import Ending, EndKind
from orden._wire import CODES


def error_of(ending: Ending, name: str) -> Error:
    """Return the error that says how a machine has ended, and what to do."""
    number, text = ending.number, ending.text
    match ending.kind:
        case EndKind.DEPARTED | EndKind.UNANSWERED:
            return Closed("this client is closed")
        case EndKind.UNKNOWN_NAME:
            return SessionOver(f"the broker does not know the name {name!r}")
        case EndKind.SUPERSEDED:
            return Superseded(
                f"another client has connected as {name!r}, and the newer one has the session: "
                "give each client a name of its own, and let only one run under a name"
            )
        case EndKind.SEQUENCES_TAKEN:
            return Superseded(
                f"another client has published as {name!r} in the meantime, up to its message "
                f"{number}: let only one run under a name. What this one had not had confirmed "
                "may or may not be ordered"
            )
        case EndKind.LOG_REGRESSED:
            return LogRegressed(
                f"{text}: its next message gets the number {number}. This is not the log that the "
                "position came from, or it was cut back. Bring the right data directory, or start "
                "anew: forget the position and what was derived from it, and connect with "
                'start="start"'
            )
        case EndKind.CONFIRMED_LOST:
            return LogRegressed(
                f"the broker has lost messages of {name!r} that it had confirmed, from client "
                f"sequence {number} on: its log was cut back or replaced by an older copy. Compare "
                "what you have with the order before you publish again"
            )
        case EndKind.SESSION_ENDED:
            return SessionOver(
                f"the session of {name!r} has ended at the broker: it was told to end, or was away "
                "for longer than the broker keeps it. Connect again for a new one; what was not "
                "confirmed may be ordered, so look before you publish it again"
            )
        case EndKind.SEQUENCE_REUSED:
            return SequenceReused(
                f"client sequence {number} of {name!r} was used before, for another message or too "
                "long ago to know: two programs publish under this name, or the inputs are no "
                "longer numbered as before. It was not ordered again"
            )
        case EndKind.SEQUENCE_AHEAD:
            return SessionOver(
                f"the broker expects client sequence {number} of {name!r} next, and "
                f"first_sequence={text} would leave out what lies between: publish from {number} "
                "on, or leave first_sequence out"
            )
        case EndKind.REFUSED:
            return Refused(
                f"the broker refuses {name!r}: {text} ({_code(number)}){_advice(number)}"
            )


def damaged(text: str) -> Error:
    """Return the error for iteration that cannot go on."""
    return Error(
        f"the broker cannot read what comes next in its log: {text}. Its operator has to look "
        "(orden-broker log check); iterate again to wait for it"
    )


def _code(number: int) -> str:
    return CODES.get(number, f"code {number}")


def _advice(number: int) -> str:
    return {
        "not_allowed": ". Ask its operator to list this key for this name and this action",
        "removed": ". The session stays: connect again if its operator agrees",
        "limit_reached": ". Ask its operator to raise the limit, or use fewer names",
    }.get(_code(number), "")
