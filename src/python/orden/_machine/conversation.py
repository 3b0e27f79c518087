"""The half of a participant that speaks: its phases, what it says next, what its owner may ask.

* `connected`, `disconnected`, `unreachable`, `hear` and `tick` say what has happened. For a frame
  of messages `hear` returns which of its order numbers are new.
* `next_frame` gives what to send, one frame at a time and only when asked, so that what waits for
  a busy connection is packed together.
* `next_event` gives what the owner should know.
* `deadline` says when to call `tick`, and then to ask for frames, at the latest.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from orden import _wire
from orden._machine.events import (
    Away,
    Ended,
    Ending,
    EndKind,
    Event,
    NotDelivered,
    NotWelcomed,
    Obstacle,
    OrderedBefore,
    Over,
    Unreachable,
)
from orden._machine.publishing import Publishing
from orden._machine.receiver import DUE, Receiver
from orden._machine.settings import Limits, Retry, Settings
from orden._wire import RESUME, Attempt, Start


class Phase(Enum):
    """Where a participant is."""

    UNCONNECTED = "there is no connection"
    GREETING = "hello is said until it is answered"
    MEMBER = "the session is open"
    DEPARTING = "goodbye is said until it is answered; the session may be closed already"
    ENDED = "nothing happens any more"


class Liveness(Enum):
    """Whether a member's broker is there."""

    HEARD = "nothing speaks against it"
    TO_ASK = "it has been silent, and is to be asked"
    ASKED = "it was asked"


class Session:
    """What there is from the first welcome on."""

    def __init__(self, log_id: int, epoch: int, receiver: Receiver, publishing: Publishing) -> None:
        self.log_id = log_id
        self.epoch = epoch
        """The broker's, as of its last welcome."""
        self.receiver = receiver
        self.publishing = publishing


class Conversation:
    """The state of a participant, and what it says: the half that `Participant` listens with."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self.settings = settings
        self.limits = limits
        self.phase = Phase.UNCONNECTED
        self.liveness = Liveness.HEARD
        self.session: Session | None = None
        self.heard = 0
        """When the broker was last heard, or its connection made."""
        self._connections = 0
        """How many connections it has had."""
        self.is_pong_due = False
        self.leaving: bytes | None = None
        """The goodbye to say, once told to leave."""
        self.events: deque[Event] = deque()
        self._retry = Retry(0, limits.hello_retry)
        """When to say hello, or goodbye, again."""
        self._greeted: int | None = None
        """When hello was last said."""
        self._is_there = False
        """Whether the owner was told that the broker is there."""
        self._told: dict[Obstacle, int] = {}
        """When each obstacle was told last, since the broker was there."""
        self._verdict: Ending | None = None
        """Why it goes, if its owner has not told it to."""
        self._goodbye = b""
        """What it says while it departs."""

    def connected(self, now: int) -> None:
        """There is a new connection to the broker."""
        if self.phase is Phase.ENDED:
            return
        self.heard = now
        self._connections += 1
        self._greet(now)

    def disconnected(self, now: int) -> None:
        """The connection is gone, with what was under way on it."""
        if self.phase is Phase.ENDED:
            return
        self.is_pong_due = False
        was_departing = self.phase is Phase.DEPARTING
        self.phase = Phase.UNCONNECTED
        if self._is_there:
            self._is_there = False
            self._told[Obstacle.NOBODY_THERE] = now
            self.events.append(Away())
        # A connection that is gone is as good as a goodbye that keeps the session; one that does
        # not keep it may have arrived, and must not be followed by another hello.
        stay = _wire.goodbye(stay=True)
        if was_departing and self._goodbye != stay:
            self.end(self._verdict or Ending(EndKind.UNANSWERED))
        elif was_departing or self.leaving == stay:
            self.end(Ending(EndKind.DEPARTED))

    def unreachable(self, now: int, obstacle: Obstacle) -> None:
        """Note that an attempt to connect has failed.

        The owner is told once for each reason, and rarely again: reasons may come by turns,
        several times a second, for ever.
        """
        if self.phase is Phase.ENDED or self._is_there:
            return
        told = self._told.get(obstacle)
        if told is None or now - told >= self.limits.obstacle_again:
            self._told[obstacle] = now
            self.events.append(Unreachable(obstacle))

    def no_broker(self, now: int) -> None:
        """Drop a connection over which comes what no broker says: another may lead to one."""
        self.disconnected(now)
        self.unreachable(now, Obstacle.NO_BROKER)

    def tick(self, now: int) -> None:
        """Look at silence; all else that has a deadline is looked at when frames are asked for."""
        if self.phase in {Phase.UNCONNECTED, Phase.ENDED}:
            return
        silence = now - self.heard
        if silence >= self._stale_after() or self._is_better_elsewhere(now):
            self.unreachable(now, Obstacle.NOBODY_THERE)
            self.disconnected(now)
        elif (
            self.phase is Phase.MEMBER
            and self.liveness is Liveness.HEARD
            and silence >= self._ping_after()
        ):
            self.liveness = Liveness.TO_ASK

    def goes_elsewhere(self) -> bool:
        """Whether the broker is given up when it is silent or goes down: there are others.

        Not before it has answered a goodbye, which must not be followed by a hello anywhere.
        """
        return self.settings.life is not None and self.phase is not Phase.DEPARTING

    def _ping_after(self) -> int:
        limits = self.limits
        return limits.ping_elsewhere if self.goes_elsewhere() else limits.ping_after

    def _stale_after(self) -> int:
        limits = self.limits
        return limits.stale_elsewhere if self.goes_elsewhere() else limits.stale_after

    def _is_better_elsewhere(self, now: int) -> bool:
        """Whether hello was said in vain for so long that another broker may sooner answer."""
        is_greeting = self.phase is Phase.GREETING and self.goes_elsewhere()
        is_enough = self._retry.tries >= self.limits.hellos_elsewhere
        return is_greeting and is_enough and self._retry.is_due(now)

    def goes_down(self, now: int, complaint: Event) -> None:
        """Go, as the broker does: another one serves us from here on."""
        if self._is_there:
            self.events.append(complaint)
        self.unreachable(now, Obstacle.GOES_DOWN)
        self.disconnected(now)

    def next_frame(self, now: int) -> bytes | None:
        """Return the next frame to send, which then counts as sent. Ask until there is none."""
        if self.phase is Phase.MEMBER:
            return self._next_member_frame(now)
        if self.phase is Phase.GREETING and self._retry.is_due(now):
            self._retry.tried(now, self.limits.hello_retry_most)
            self._greeted = now
            return self._hello()
        if self.phase is Phase.DEPARTING and self._retry.is_due(now):
            self._retry.tried(now, self.limits.hello_retry_most)
            return self._goodbye
        return None

    def _next_member_frame(self, now: int) -> bytes | None:
        session = self.session
        if session is None:
            return None
        if self.is_pong_due:
            self.is_pong_due = False
            return _wire.pong()
        order = session.receiver.next_ack(now)
        if order is not None:
            return _wire.ack(order)
        if self.leaving is not None:
            self.depart(now, self.leaving)
            self._retry.tried(now, self.limits.hello_retry_most)
            return self.leaving
        if self.liveness is Liveness.TO_ASK:
            self.liveness = Liveness.ASKED
            return _wire.ping()
        return session.publishing.next_frame(now)

    def _hello(self) -> bytes:
        settings, session = self.settings, self.session
        start, log_id = settings.start, settings.log_id
        if session is not None:
            # It knows what is processed; what was only handed out could be lost with us.
            start, log_id = Start(RESUME, session.receiver.processed), session.log_id
        attempt = None
        if settings.life is not None:
            attempt = Attempt(settings.life, self._connections)
        return _wire.hello(
            settings.name, start, receive=settings.receive, log_id=log_id, attempt=attempt
        )

    def greet_again(self, now: int) -> None:
        """Tell the broker again where we are, as it disagrees; but not twice in a moment."""
        if self.phase is not Phase.MEMBER:
            return
        if self._greeted is not None:
            now = max(now, self._greeted + self.limits.hello_least)
        self._greet(now)

    def _greet(self, at: int) -> None:
        self.phase = Phase.GREETING
        self._retry = Retry(at, self.limits.hello_retry)

    def depart(self, now: int, goodbye: bytes) -> None:
        """Say goodbye until it is answered."""
        self.phase = Phase.DEPARTING
        self._goodbye = goodbye
        self._retry = Retry(now, self.limits.hello_retry)

    def refuse(self, now: int, verdict: Ending) -> None:
        """End, and take back the session that the hello has begun.

        Otherwise the next to say the name would take it for an older one.
        """
        self._verdict = verdict
        self.depart(now, _wire.goodbye(stay=False))

    def departed(self) -> None:
        """Note that the goodbye was heard, this time or an earlier one."""
        if self.phase is Phase.DEPARTING:
            self.end(self._verdict or Ending(EndKind.DEPARTED))

    def welcomed_first(self) -> bool:
        """Open the session; return whether the owner does not know yet that the broker is there."""
        self.phase = Phase.MEMBER
        self.liveness = Liveness.HEARD
        self._told.clear()
        was_there, self._is_there = self._is_there, True
        return not was_there

    def end(self, ending: Ending) -> None:
        """Let nothing happen any more."""
        self.phase = Phase.ENDED
        self.events.append(Ended(ending))

    # What the owner does and asks.

    def publish(self, payload: bytes) -> int:
        """Take a message to be ordered; return its client sequence.

        Raises NotTaken: Over, NotWelcomed, MessageTooLarge, WindowFull.
        """
        if self.phase is Phase.ENDED or self.leaving is not None:
            raise Over
        if self.session is None:
            raise NotWelcomed
        publishing = self.session.publishing
        if not publishing.publish(payload):
            self._note_ordered_before(publishing.last)
        return publishing.last

    def _note_ordered_before(self, sequence: int) -> None:
        first, count = sequence, 0
        last = self.events[-1] if self.events else None
        if isinstance(last, OrderedBefore) and last.first + last.count == sequence:
            first, count = last.first, last.count
            self.events.pop()
        self.events.append(OrderedBefore(first, count + 1))

    def acknowledge(self, now: int, order: int) -> None:
        """Note that the application has processed everything up to and including `order`.

        Raises NotDelivered if it was never given that one.
        """
        if self.session is None:
            raise NotDelivered(order)
        self.session.receiver.acknowledge(now, order)

    def flush(self) -> None:
        """Acknowledge what was processed at once, without waiting for more."""
        if self.session is not None:
            self.session.receiver.flush()

    def leave(self, *, stay: bool) -> None:
        """Go, after a last acknowledgement; with `stay` the session remains.

        What is not confirmed by then is given up, so wait for `is_done` before.
        """
        self.leaving = _wire.goodbye(stay=stay)
        self.flush()
        is_away = self.phase is Phase.UNCONNECTED and stay
        if is_away or self.session is None:
            self.end(Ending(EndKind.DEPARTED))

    def next_event(self) -> Event | None:
        """Return what the owner should know. Ask until there is nothing."""
        return self.events.popleft() if self.events else None

    def deadline(self) -> int | None:
        """When to call `tick` and ask for frames at the latest, if nothing else happens."""
        phase = self.phase
        if phase in {Phase.UNCONNECTED, Phase.ENDED}:
            return None
        times = [self.heard + self._stale_after()]
        if phase is not Phase.MEMBER:
            times.append(self._retry.at)
        elif self.liveness is Liveness.HEARD:
            times.append(self.heard + self._ping_after())
        elif self.liveness is Liveness.TO_ASK:
            times.append(DUE)
        if phase is Phase.MEMBER and self.session is not None:
            for time in (self.session.receiver.ack_at, self.session.publishing.deadline()):
                if time is not None:
                    times.append(time)
        return min(times)

    def stale_at(self) -> int | None:
        """When the connection counts as dead: all that matters while it takes no frame."""
        if self.phase in {Phase.UNCONNECTED, Phase.ENDED}:
            return None
        return self.heard + self._stale_after()

    def wants_connection(self) -> bool:
        """Whether there is no connection, or none that answers: its owner should make another."""
        return self.phase is Phase.UNCONNECTED

    def is_member(self) -> bool:
        """Whether the session is open over the connection that there is."""
        return self.phase is Phase.MEMBER

    def is_ack_due(self) -> bool:
        """Whether an acknowledgement should be sent before more is read."""
        if self.phase is not Phase.MEMBER or self.session is None:
            return False
        return self.session.receiver.ack_at == DUE

    def is_done(self) -> bool:
        """Whether everything that was published is confirmed."""
        return self.session is None or self.session.publishing.is_done()
