"""The client whose calls wait; `orden.asyncio` has the same one for coroutines."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from threading import Lock
from types import TracebackType

from orden._base import ClientBase, OnExit, Options
from orden._errors import Error
from orden._keys import Keys
from orden._message import Message
from orden._reader import Ack
from orden._receipt import Receipt
from orden._start import StartAt
from orden._time import Deadline


def connect(
    address: str | Sequence[str],
    name: str | bytes | None = None,
    *,
    start: StartAt = "now",
    receive: bool = True,
    ack: Ack = "next",
    first_sequence: int | None = None,
    keys: Keys | None = None,
    timeout: float | None = 10,
    on_exit: OnExit | None = None,
) -> Client:
    """Join the order, or come back to it.

    `address` is HOST:PORT, tcp://HOST:PORT or ipc://PATH; of several the next is tried when one
    does not answer. `name` is who this client is, over all connections, crashes and restarts: what
    it was given and has published is remembered under it. Without one it gets a random name.

    `start` says where messages begin when the broker does not know the name yet: "now", "start",
    an order number, or "last:N"; a known name goes on after what it had processed. A `Position`
    always counts: messages begin exactly there. With `receive=False` there are none.

    `ack` says when a message counts as processed, so that it never comes again: "next", when the
    next one is asked for (a crash repeats the one at hand); "manual", when `ack()` says so;
    "receive", as soon as it is given out (a crash loses the one at hand).

    `first_sequence` is the client sequence of the first message that will be published: a program
    that publishes again what it may have published before a crash, numbered and ordered as then,
    has each message ordered once. None goes on after the last one of the session.

    `on_exit` says what `close()` does with the session: "stay", for this name to come back to, or
    "leave"; without saying, it stays if the client has a name.

    Waits for the broker's answer at most `timeout` seconds (None: for ever). A crash at this line
    loses and repeats nothing.

    Raises BadArgument, NoAnswer, Refused, LogRegressed (the position is of another log),
    SessionOver (first_sequence leaves something out, or the session it belongs to has ended).
    """
    options = Options(address, name, start, receive, ack, first_sequence, keys, on_exit)
    deadline = Deadline(timeout)
    client = Client(options)
    core = client._core
    try:
        with core.changed:
            core.wait(lambda: core.welcome is None, deadline)
        client._check_answer(timeout)
    except BaseException:
        core.abandon(stay=True)
        raise
    return client


class Client(ClientBase):
    """A member of the order; `connect` makes one.

    A context manager, which closes it at the end, and an iterator. Any thread may publish; one at
    a time takes messages. Whatever becomes of the connection, it is made again and everything goes
    on where it was. What the application does not take waits at the broker, so a slow application
    costs no memory. A forked process connects anew: there every call raises Closed.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._filling = Lock()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except Error as closing:
            if error is None:
                raise
            # What has gone wrong first is what to raise; this is added to it.
            warnings.warn(f"while closing: {closing}", RuntimeWarning, stacklevel=2)

    # Publishing.

    def publish(self, data: bytes | str, timeout: float | None = 30) -> int:
        """Have a message ordered; return its order number, once it is durable.

        Waits for that at most `timeout` seconds (None: for ever); a broker that is away meanwhile
        only makes it longer. Text is published as UTF-8.

        A crash at this line leaves open whether the message is ordered. Publish it again in the
        next run under the same client sequence (`first_sequence`), and it is ordered once; it has
        its first number then, or -1 if that is so long ago that the broker does not know it.

        Raises Unconfirmed if it takes longer: then it is still being sent, so do not publish it
        again. Raises TooLarge, Closed, SessionOver and what is below it.
        """
        deadline = Deadline(timeout)
        return self._push(self._encode(data), deadline, timeout)._wait(deadline, timeout)

    def publish_json(self, value: object, timeout: float | None = 30) -> int:
        """Have a value ordered as JSON.

        Waits as `publish` does, and a crash at this line leaves as much open.

        Raises what `publish` does, TypeError and ValueError if the value cannot be JSON.
        """
        return self.publish(self._encode_json(value), timeout)

    def send(self, data: bytes | str) -> Receipt:
        """Have a message ordered, without waiting for its number: the receipt knows it later.

        Returns at once, unless so much is unconfirmed (16384 messages, 20 MiB) that there is no
        room: then it waits for some, at most 30 seconds. Messages are ordered as they were sent.

        A crash after this line may lose the message: it is safe once the receipt is done or
        `flush()` has returned. Publish it again under the same client sequence, as with `publish`.

        Raises Unconfirmed if there was no room in time: the message was not taken. Raises TooLarge,
        Closed, SessionOver and what is below it.
        """
        return self._push(self._encode(data), Deadline(_ROOM), _ROOM)

    def flush(self, timeout: float | None = 30) -> None:
        """Wait until everything that was sent so far is ordered and durable.

        At most `timeout` seconds (None: for ever). After a crash behind this line nothing sent
        before it needs to be published again.

        Raises Unconfirmed, which says how many messages are open; they are still being sent. Raises
        Closed, SessionOver and what is below it, unless everything is confirmed.
        """
        core, deadline = self._core, Deadline(timeout)
        core.check_process()
        with core.changed:
            last = core.last_sequence
            core.wait(lambda: core.confirmed < last, deadline)
        if core.confirmed < last:
            raise core.unconfirmed(None, timeout)

    def _push(self, payload: bytes, deadline: Deadline, timeout: float | None) -> Receipt:
        core = self._core
        with core.changed:
            core.wait(lambda: not core.has_room(len(payload)) and not core.is_over(), deadline)
            if core.is_over():
                raise core.reason()
            if not core.has_room(len(payload)):
                raise core.no_room(timeout)
            receipt = core.push(payload)
        core.waker.wake()
        return receipt

    # Messages.

    def next(self, timeout: float | None = None) -> Message | None:
        """Return the next message of the order, or None if there is none for `timeout` seconds.

        None waits for ever. Asking counts the message before as processed (`ack="next"`).

        A crash before the next call repeats this message to the next run, or loses it with
        `ack="receive"`; with `ack="manual"` everything since the last `ack()` is repeated.

        Raises Skipped once if what comes next is no longer kept: then it goes on behind that.
        Raises Closed, SessionOver and what is below it.
        """
        self._core.check_process()
        deadline = Deadline(timeout)
        message = next(self._reader.messages, None)
        while message is None:
            if not self._fill(deadline):
                return None
            message = next(self._reader.messages, None)
        return message

    def __iter__(self) -> Iterator[Message]:
        """Give each message of the order, in order, once; wait for the next as long as it takes.

        Leave the loop and iterate again to go on. What a crash loses or repeats, and what is
        raised, is as with `next`.
        """
        for_ever = Deadline(None)
        while True:
            yield from self._reader.messages
            self._fill(for_ever)

    def batches(self) -> Iterator[list[Message]]:
        """Give the messages of the order as they have arrived together, a list at a time.

        As many as there are, so that their effects fit into one transaction. Waits for the next
        list as long as it takes; asking for it counts the whole one before as processed, and a
        crash before repeats all of it. Otherwise as `__iter__`.
        """
        for_ever = Deadline(None)
        while True:
            batch = self._reader.take_rest()
            if batch:
                yield batch
            self._fill(for_ever)

    def _fill(self, deadline: Deadline) -> bool:
        """Wait for the next frame and begin to give it out; return whether there was one."""
        if not self._filling.acquire(timeout=deadline.lock_timeout()):
            return False
        try:
            self._ask()
            item = self._core.take(deadline)
            if item is not None:
                self._open(item)
            return item is not None
        finally:
            self._filling.release()

    def ack(self, order: int) -> None:
        """Count everything up to and including `order` as processed (`ack="manual"`).

        Call it after the effects are stored. Never waits: it is sent within a moment, and a crash
        before that repeats what was acknowledged last.

        Raises Error if the message was never given out or `ack` is not "manual"; Closed,
        SessionOver and what is below it.
        """
        self._acknowledge(order)

    # Going.

    def leave(self, timeout: float | None = 2) -> None:
        """Go for good: the session ends, and everybody is told that it has left.

        Waits until everything sent is confirmed, at most `timeout` seconds, and two more for the
        goodbye. With messages unconfirmed the session stays, as it alone knows whether they are
        ordered. A crash at this line loses nothing that is confirmed; the session may stay.

        Raises Unconfirmed if some are not; NoAnswer if the goodbye was not answered, so that the
        session may still be there; or what has ended the session before all that.
        """
        self._depart_blocking(timeout, stay=False)

    def close(self, timeout: float | None = 2) -> None:
        """Go: the session stays for this name to come back to, or ends, as `on_exit` says.

        Waits and raises as `leave`. The message at hand is not counted as processed by this: it
        comes again to the next client of the name. To close twice is no mistake.
        """
        self._depart_blocking(timeout, stay=self._on_exit == "stay")


_ROOM = 30.0
"""Seconds that `send` waits for room."""
