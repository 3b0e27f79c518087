"""The half of a participant that listens: what the broker says, and what follows from it."""

from __future__ import annotations

from orden import _wire
from orden._machine.conversation import Conversation, Liveness, Phase, Session
from orden._machine.events import (
    Complaint,
    Confirmed,
    EndedBy,
    Ending,
    EndKind,
    NoSpace,
    SkippedAhead,
    Undecodable,
    Welcomed,
)
from orden._machine.publishing import Publishing
from orden._machine.receiver import Arrival, Receiver
from orden._machine.settings import Limits, Settings
from orden._wire import CODES, DecodeError, Refusal, Run, Welcome


class Participant(Conversation):
    """One participant in the order."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        super().__init__(settings, limits)
        self._has_complained = False
        """Whether the owner knows that the broker's disk is full."""

    def hear(self, now: int, frame: bytes) -> tuple[int, int] | None:
        """Take a frame; return the first order number in it that is new, and the one after all."""
        if self.phase in {Phase.UNCONNECTED, Phase.ENDED}:
            return None  # what was still under way when the connection ended
        try:
            heard = _wire.decode(frame)
        except DecodeError as error:
            self._undecodable(now, error)
            return None
        if isinstance(heard, _wire.Messages):
            return self._deliver(now, frame)
        self._is_alive(now, heard)
        if isinstance(heard, list):
            self._confirmed(now, heard)
        elif isinstance(heard, Welcome):
            self._welcomed(now, heard)
        elif isinstance(heard, Refusal):
            self._refused(now, heard)
        elif isinstance(heard, _wire.Goodbye):
            self.departed()
        elif isinstance(heard, _wire.Ping):
            self.is_pong_due = True
        return None

    def _is_alive(self, now: int, heard: _wire.Heard) -> None:
        """Note that the broker is there.

        Nothing else keeps a connection: bytes that come back to us because it leads to ourselves
        are no sign of a broker's life, and neither are pings of one that does not answer a hello.
        """
        if self.phase is Phase.GREETING and isinstance(heard, _wire.Ping | _wire.Pong):
            return
        self.liveness = Liveness.HEARD
        self.heard = now

    def _undecodable(self, now: int, error: DecodeError) -> None:
        if self.phase is Phase.GREETING:
            self.no_broker(now)
        else:
            self.events.append(Undecodable(error.reason))

    def _deliver(self, now: int, frame: bytes) -> tuple[int, int] | None:
        session = self.session
        if session is None:
            return None
        try:
            arrival = session.receiver.arrived(now, frame, session.log_id)
        except DecodeError as error:
            self._undecodable(now, error)
            return None
        self._is_alive(now, _wire.Messages())
        if arrival is Arrival.GAP:
            self.greet_again(now)
        return arrival if isinstance(arrival, tuple) else None

    def _welcomed(self, now: int, welcome: Welcome) -> None:
        """Open the session.

        A welcome that was not waited for answers a hello that was said twice.
        """
        if self.phase is not Phase.GREETING:
            return
        try:
            self._open(welcome)
        except EndedBy as error:
            if error.ending.kind is EndKind.UNKNOWN_NAME:
                self.refuse(now, error.ending)
            else:
                self.end(error.ending)
            return
        self._has_complained = False
        if self.welcomed_first():
            self.events.append(Welcomed(welcome))

    def _open(self, welcome: Welcome) -> None:
        session = self.session
        if session is None:
            self._open_first(welcome)
            return
        if session.log_id != welcome.log_id:
            text = "the broker has another log than before"
            raise EndedBy(Ending(EndKind.LOG_REGRESSED, welcome.end, text))
        _check_epoch(welcome, session.epoch)
        if not welcome.known:
            # What the broker remembered of our publishing is gone, and to repeat what is
            # unconfirmed could order it twice.
            raise EndedBy(Ending(EndKind.SESSION_ENDED))
        session.publishing.resumed(welcome)
        session.epoch = welcome.epoch
        self._skipped(session.receiver.resumed(welcome.begin))

    def _open_first(self, welcome: Welcome) -> None:
        settings = self.settings
        # A program that was started anew, and knows the log from the time before.
        goes_on = settings.log_id == welcome.log_id
        if goes_on:
            _check_epoch(welcome, settings.epoch)
        if goes_on and settings.first_sequence is not None and not welcome.known:
            raise EndedBy(Ending(EndKind.SESSION_ENDED))
        if settings.refuse_unknown and not welcome.known:
            raise EndedBy(Ending(EndKind.UNKNOWN_NAME))
        receiver = Receiver(welcome.begin, self.limits, by_application=settings.by_application)
        publishing = Publishing(welcome, settings.first_sequence, self.limits)
        self.session = Session(welcome.log_id, welcome.epoch, receiver, publishing)

    def _confirmed(self, now: int, runs: list[Run]) -> None:
        if self.session is None:
            return
        publishing = self.session.publishing
        for run in runs:
            news = publishing.confirm(now, run)
            if news is None:
                continue
            if not publishing.is_paused():
                self._has_complained = False
            last = self.events[-1] if self.events else None
            if isinstance(last, Confirmed) and _follows(last.run, news):
                before = last.run
                news = Run(before.sequence, before.order, before.length + news.length)
                self.events.pop()
            self.events.append(Confirmed(news))

    def _refused(self, now: int, refusal: Refusal) -> None:
        code, detail, text = refusal
        name = CODES.get(code)
        if name == "no_session":
            if self.phase is Phase.DEPARTING:
                self.departed()
            else:
                self.greet_again(now)
        elif name in _ENDINGS:
            self.end(Ending(_ENDINGS[name], detail, text))
        elif name in {"not_allowed", "too_large", "limit_reached", "removed"}:
            self.end(Ending(EndKind.REFUSED, code, text))
        elif name == "sequence_gap":
            self._sequence_gap(now, detail)
        elif name == "no_space":
            self._no_space(now, detail)
        elif name == "trimmed":
            if self.session is not None:
                self._skipped(self.session.receiver.skip_to(detail))
        elif name == "closing" and self.goes_elsewhere():
            self.goes_down(now, Complaint(code, text))
        else:
            self.events.append(Complaint(code, text))
            if name == "ack_ahead":
                self.greet_again(now)

    def _sequence_gap(self, now: int, expected: int) -> None:
        if self.session is None:
            return
        publishing = self.session.publishing
        if expected <= publishing.confirmed:
            # Either this is old news, or the broker has forgotten: its welcome will tell.
            self.greet_again(now)
        else:
            publishing.gap(expected)

    def _no_space(self, now: int, sequence: int) -> None:
        """Wait for room on the broker's disk: for a message, or a hello, which is a notice."""
        if self.session is not None:
            self.session.publishing.no_space(now, sequence)
        if not self._has_complained:
            self._has_complained = True
            self.events.append(NoSpace())

    def _skipped(self, missed: tuple[int, int] | None) -> None:
        if missed is not None:
            self.events.append(SkippedAhead(*missed))


_ENDINGS = {
    "superseded": EndKind.SUPERSEDED,
    "session_ended": EndKind.SESSION_ENDED,
    "log_regressed": EndKind.LOG_REGRESSED,
    "sequence_reused": EndKind.SEQUENCE_REUSED,
}


def _check_epoch(welcome: Welcome, known: int) -> None:
    """Raise EndedBy if the broker's epoch is lower than it was.

    It raises its epoch at each start, so a lower one is an older copy's: a restored backup,
    perhaps, in which numbers that were seen may go to other messages.
    """
    if welcome.epoch < known:
        text = f"the broker has an older copy of its log: epoch {welcome.epoch} after {known}"
        raise EndedBy(Ending(EndKind.LOG_REGRESSED, welcome.end, text))


def _follows(before: Run, run: Run) -> bool:
    return (
        before.sequence + before.length == run.sequence
        and before.order + before.length == run.order
    )
