"""The client's own thread: it drives the machine and the sockets. No code of users' runs on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from orden._core import Arrived, Core
from orden._endings import damaged, error_of
from orden._errors import Closed, Error, Skipped
from orden._machine import Limits, Participant, Settings
from orden._machine import events as told
from orden._machine.settings import MILLISECOND, SECOND
from orden._route import Route
from orden._time import now as clock
from orden._transport import Link, wait
from orden._wire import CODES, Run

INBOX = 4096
"""Frames that wait for the application. The broker's window ends before, so this bounds what it
may be configured to."""
BURST = 64
"""Frames that are taken in before the thread looks at anything else."""
GOODBYE_SECONDS = 2
GOODBYE = GOODBYE_SECONDS * SECOND
"""How long a goodbye may wait for its answer."""
ACK_DELAY = 50 * MILLISECOND
"""How long after a frame has arrived it is looked whether it was processed, unasked."""
LOOK_AFTER_MOST = SECOND


class Stopped(Exception):
    """Ends the thread."""

    def __init__(self, reason: Callable[[], Error]) -> None:
        super().__init__()
        self.reason = reason


class Worker:
    """Runs until the session is over or the application goes."""

    def __init__(self, core: Core, route: Route, settings: Settings) -> None:
        self.core = core
        self.route = route
        self.machine = Participant(settings, Limits())
        self._unsent: bytes | None = None
        self._is_full = False
        """Whether the machine has no room for a message that waits."""
        self._processed = 0
        self._look_at: int | None = None
        """When to look whether what has arrived was processed."""
        self._look_after = ACK_DELAY
        self._until: int | None = None
        """Until when to wait for confirmations, or then for the answer to goodbye."""
        self._is_leaving = False

    def run(self) -> None:
        """Run to the end, and say why it has ended."""
        reason: Callable[[], Error] = _crashed
        try:
            while True:
                self._round()
        except Stopped as stopped:
            reason = stopped.reason
        finally:
            # If it is a fault of this package, it is raised in this thread and told to all.
            self.core.stop(reason)
            self.route.close()
            self.core.waker.close()

    def _round(self) -> None:
        now = clock()
        self._acknowledge(now)
        self._publish()
        self._pump(now)
        is_busy = self._deliver(now)
        self._hear()
        self._say_goodbye(now)
        if not is_busy:
            self._sleep(now)

    def _acknowledge(self, now: int) -> None:
        """Tell the machine what the application has processed."""
        processed = self.core.reader.processed()
        if processed > self._processed and self.machine.session is not None:
            self._processed = processed
            self.machine.acknowledge(now, processed - 1)

    def _publish(self) -> None:
        """Hand the machine what it has room for."""
        queue, machine = self.core.outbox, self.machine
        self._is_full = False
        try:
            while queue:
                machine.publish(queue[0])
                queue.popleft()
        except told.MessageTooLarge as error:
            raise Stopped(_shrunk(error.most)) from error
        except told.NotTaken:
            # There will be room later; or it is over, and an event says why.
            self._is_full = True

    def _pump(self, now: int) -> None:
        """Hear what has become of the connection, look at what is due, and send."""
        machine, route = self.machine, self.route
        while (event := route.link_event()) is not None:
            if event is Link.UP:
                self._unsent = None
                machine.connected(now)
                route.is_up(now)
            elif event is Link.DOWN:
                self._unsent = None
                was_served = machine.is_member()
                machine.disconnected(now)
                route.is_down(now, was_served=was_served)
            else:
                machine.unreachable(now, event)
                route.has_failed(now, event)
        machine.tick(now)
        if route.wants_another(now, is_given_up=machine.wants_connection()):
            self._unsent = None
            machine.disconnected(now)
            route.open_next(now)
        self._send(now)

    def _send(self, now: int) -> None:
        transport = self.route.transport
        if transport is None:
            return
        if self._unsent is not None:
            if not transport.send(self._unsent):
                return
            self._unsent = None
        while (frame := self.machine.next_frame(now)) is not None:
            if not transport.send(frame):
                self._unsent = frame
                return

    def _deliver(self, now: int) -> bool:
        """Take frames in, as many as there is room for; return whether there may be more."""
        machine, core, transport = self.machine, self.core, self.route.transport
        if transport is None:
            return False
        for _ in range(BURST):
            if len(core.inbox) >= INBOX:
                core.is_inbox_full = True
                return False
            frame = transport.receive()
            if frame is None:
                break
            if not self.route.has_been_up:
                # Older than ZMTP 3, as libzmq takes it for: whatever speaks before it is spoken to.
                machine.unreachable(now, told.Obstacle.OTHER_LANGUAGE)
                self.route.has_failed(now, told.Obstacle.OTHER_LANGUAGE)
                return False
            new = machine.hear(now, frame)
            if machine.events:
                self._hear()  # in the order in which it has happened
            if machine.wants_connection():
                self.route.has_failed(now, told.Obstacle.NO_BROKER)
                return False
            if new is not None:
                if self._look_at is None:
                    self._look_at, self._look_after = now + ACK_DELAY, ACK_DELAY
                core.arrived(Arrived(frame, *new))
            if machine.is_ack_due():
                self._send(now)  # the broker's window must not close while more is read
        else:
            return True
        self._send(now)  # what was heard may want an answer
        return False

    def _hear(self) -> None:
        """Pass on what has happened to the session."""
        core = self.core
        while (event := self.machine.next_event()) is not None:
            match event:
                case told.Confirmed(run):
                    core.ordered(run)
                    core.complaint = None
                    self._is_full = False
                case told.OrderedBefore(first, count):
                    core.ordered(Run(first, -1, count), numbers_known=False)
                    self._is_full = False
                case told.Welcomed(welcome):
                    session = self.machine.session
                    core.complaint = None
                    core.welcomed(welcome, session.publishing.last if session else 0)
                case told.Away():
                    core.away(told.Obstacle.NOBODY_THERE)
                case told.Unreachable(obstacle):
                    core.away(obstacle)
                case told.SkippedAhead(first, following):
                    core.arrived(Skipped(first, following))
                case told.Ended(ending):
                    core.is_goodbye_heard = ending.kind is told.EndKind.DEPARTED
                    raise Stopped(partial(error_of, ending, core.shown_name))
                case told.NoSpace():
                    core.complaint = "its disk is full"
                case told.Complaint(code, text):
                    core.complaint = text
                    if CODES.get(code) == "damaged":
                        core.arrived(damaged(text))
                case told.Undecodable():
                    pass  # as good as lost: it comes again, or the connection is made anew

    def _say_goodbye(self, now: int) -> None:
        """Go, if the application wants to, step by step."""
        farewell = self.core.farewell
        if farewell is None:
            return
        if self._until is None:
            self._until = now + int(farewell.patience * SECOND)
        if not self._is_leaving:
            is_done = not self.core.outbox and self.machine.is_done()
            if not is_done and now < self._until:
                return
            self._acknowledge(now)
            # With messages unconfirmed the session has to stay: it alone knows whether they are
            # ordered.
            self.machine.leave(stay=farewell.stay or not is_done)
            self._is_leaving = True
            self._until = now + GOODBYE
            self._send(now)
            self._hear()
        elif now >= self._until:
            raise Stopped(_closed)

    def _sleep(self, now: int) -> None:
        core, machine, route = self.core, self.machine, self.route
        self._look(now)
        core.waker.is_sleeping = True
        if not self._is_wanted():
            due = machine.stale_at() if self._unsent is not None else machine.deadline()
            times = [due, self._look_at, self._until, route.deadline()]
            at = min((time for time in times if time is not None), default=None)
            timeout = None if at is None else (at - clock()) / SECOND
            wait(route.transport, core.waker, timeout, reads=not core.is_inbox_full)
        elif route.transport is not None:
            route.transport.look()
        core.waker.is_sleeping = False

    def _look(self, now: int) -> None:
        """Arrange to look again, ever more rarely, while what has arrived is not processed.

        So that an application that is slow inside a frame, and wakes nobody there, has what it is
        done with acknowledged all the same.
        """
        if self._look_at is None or self._look_at > now:
            return
        session = self.machine.session
        if session is None or session.receiver.processed == session.receiver.next:
            self._look_at = None
        else:
            self._look_after = min(self._look_after * 2, LOOK_AFTER_MOST)
            self._look_at = now + self._look_after

    def _is_wanted(self) -> bool:
        """Whether the application wants something that it cannot have woken this thread for."""
        core = self.core
        return (
            (bool(core.outbox) and not self._is_full)
            or (core.is_inbox_full and len(core.inbox) < INBOX)
            or (core.farewell is not None and self._until is None)
        )


def _closed() -> Error:
    return Closed("this client is closed")


def _crashed() -> Error:
    return Error("the client's I/O thread has failed: its traceback is on stderr; please report it")


def _shrunk(most: int) -> Callable[[], Error]:
    return lambda: Error(
        f"the broker takes {most} bytes a message now, fewer than when a message was accepted: "
        "start it with its former --max-message-bytes and connect again"
    )
