"""The client for coroutines: the same names as in `orden`, to be awaited.

    async with orden.asyncio.connect("127.0.0.1:8081", "ana") as client:
        await client.publish("hola")
        async for message in client:
            print(message.order, message.sender, message.text)

What each call promises, what a crash at it loses or repeats and what it raises stands in the
docstrings of `orden.Client`. A call that is cancelled loses nothing: what has arrived waits for the
next one, and what was published is still being sent. It needs nothing of the event loop but
`call_soon_threadsafe`, so any will do. A client belongs to the loop in which it was connected.
"""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from types import TracebackType
from typing import Any

from orden._base import ClientBase, OnExit, Options
from orden._errors import Error
from orden._keys import Keys
from orden._message import Message
from orden._reader import Ack
from orden._receipt import Receipt as BlockingReceipt
from orden._start import StartAt
from orden._time import Deadline

__all__ = ["Client", "Connecting", "Receipt", "connect"]

_ROOM = 30.0
"""Seconds that `send` waits for room."""


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
) -> Connecting:
    """Join the order, or come back to it; to be awaited, or entered with `async with`.

    Nothing happens before it is awaited. Arguments, waits and errors are those of `orden.connect`.
    """
    options = Options(address, name, start, receive, ack, first_sequence, keys, on_exit)
    return Connecting(options, timeout)


class Connecting:
    """What `connect` returns: await it for the client, or enter it to have it closed at the end."""

    def __init__(self, options: Options, timeout: float | None) -> None:
        self._options = options
        self._timeout = timeout
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        return self._connect().__await__()

    async def _connect(self) -> Client:
        deadline = Deadline(self._timeout)
        client = Client(self._options)
        core = client._core
        try:
            await client._wait(lambda: core.welcome is None, deadline)
            client._check_answer(self._timeout)
        except BaseException:
            core.abandon(stay=True)
            raise
        return client

    async def __aenter__(self) -> Client:
        self._client = await self._connect()
        return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.__aexit__(kind, error, traceback)


class Receipt:
    """Stands for one message that was sent; see `orden.Receipt`."""

    __slots__ = ("_client", "_receipt", "sequence")

    def __init__(self, client: Client, receipt: BlockingReceipt) -> None:
        self._client = client
        self._receipt = receipt
        self.sequence: int = receipt.sequence
        """The client sequence of the message: the sender's own number for it, from 1."""

    def __repr__(self) -> str:
        return repr(self._receipt)

    def done(self) -> bool:
        """Whether the message is ordered and durable. Never waits."""
        return self._receipt.done()

    async def order(self, timeout: float | None = 30) -> int:
        """Return the order number of the message, once it is durable; see `orden.Receipt.order`."""
        return await self._client._ordered(self._receipt, Deadline(timeout), timeout)


class Client(ClientBase):
    """A member of the order; `connect` makes one. See `orden.Client`.

    An asynchronous context manager and iterator. Any number of tasks may publish; one at a time
    takes messages.
    """

    def __init__(self, options: Options) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Future[None]] = set()
        self._settled: deque[asyncio.Future[None]] = deque()
        """Futures of receipts that have their answer."""
        self._is_told = False
        super().__init__(options)
        self._core.listener = self._tell
        self._wake()  # for what has happened before there was a listener

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.close()
        except Error as closing:
            if error is None:
                raise
            # What has gone wrong first is what to raise; this is added to it.
            warnings.warn(f"while closing: {closing}", RuntimeWarning, stacklevel=2)

    # The way from the I/O thread into the loop: one wake-up for all that has happened.

    def _tell(self) -> None:
        """Have the loop look; called by the I/O thread."""
        if not self._is_told:
            self._is_told = True
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                # The loop is closed, and with it whoever could wait.
                self._core.abandon(stay=True)

    def _wake(self) -> None:
        self._is_told = False
        while self._settled:
            _finish(self._settled.popleft())
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            _finish(future)

    async def _wait(self, is_pending: Callable[[], bool], deadline: Deadline) -> None:
        """Wait while `is_pending`, the client lives and there is time."""
        core = self._core
        while is_pending() and not core.has_stopped() and not deadline.has_passed():
            future: asyncio.Future[None] = self._loop.create_future()
            self._waiting.add(future)
            try:
                if is_pending() and not core.has_stopped():
                    await asyncio.wait({future}, timeout=deadline.left())
            finally:
                self._waiting.discard(future)

    async def _ordered(
        self, receipt: BlockingReceipt, deadline: Deadline, timeout: float | None
    ) -> int:
        if not receipt.done():
            future: asyncio.Future[None] = self._loop.create_future()
            if receipt._add_waiter(lambda: self._settled.append(future)):
                await asyncio.wait({future}, timeout=deadline.left())
        return receipt._wait(Deadline(0), timeout)

    # Publishing.

    async def publish(self, data: bytes | str, timeout: float | None = 30) -> int:
        """Have a message ordered; return its order number; see `orden.Client.publish`."""
        deadline = Deadline(timeout)
        receipt = await self._push(self._encode(data), deadline, timeout)
        return await self._ordered(receipt, deadline, timeout)

    async def publish_json(self, value: object, timeout: float | None = 30) -> int:
        """Have a value ordered as JSON; see `orden.Client.publish_json`."""
        return await self.publish(self._encode_json(value), timeout)

    async def send(self, data: bytes | str) -> Receipt:
        """Have a message ordered without waiting for its number; see `orden.Client.send`.

        Waits for room only, which there nearly always is.
        """
        return Receipt(self, await self._push(self._encode(data), Deadline(_ROOM), _ROOM))

    async def flush(self, timeout: float | None = 30) -> None:
        """Wait until everything sent so far is ordered and durable; see `orden.Client.flush`."""
        core = self._core
        core.check_process()
        last = core.last_sequence
        await self._wait(lambda: core.confirmed < last, Deadline(timeout))
        if core.confirmed < last:
            raise core.unconfirmed(None, timeout)

    async def _push(
        self,
        payload: bytes,
        deadline: Deadline,
        timeout: float | None,
    ) -> BlockingReceipt:
        core, size = self._core, len(payload)
        while True:
            with core.mutex:
                if core.is_over():
                    raise core.reason()
                if core.has_room(size):
                    receipt = core.push(payload)
                    break
            if deadline.has_passed():
                raise core.no_room(timeout)
            await self._wait(lambda: not core.has_room(size) and not core.is_over(), deadline)
        core.waker.wake()
        return receipt

    # Messages.

    async def next(self, timeout: float | None = None) -> Message | None:
        """Return the next message, or None if there is none in time; see `orden.Client.next`."""
        self._core.check_process()
        deadline = Deadline(timeout)
        message = next(self._reader.messages, None)
        while message is None:
            if not await self._fill(deadline):
                return None
            message = next(self._reader.messages, None)
        return message

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Give each message of the order, in order, once; see `orden.Client.__iter__`."""
        for_ever = Deadline(None)
        while True:
            for message in self._reader.messages:
                yield message
            await self._fill(for_ever)

    async def batches(self) -> AsyncIterator[list[Message]]:
        """Give the messages as they have arrived together; see `orden.Client.batches`."""
        for_ever = Deadline(None)
        while True:
            batch = self._reader.take_rest()
            if batch:
                yield batch
            await self._fill(for_ever)

    async def _fill(self, deadline: Deadline) -> bool:
        """Wait for the next frame and begin to give it out; return whether there was one."""
        core = self._core
        self._ask()
        if core.inbox:
            # One turn for other tasks a frame, however fast frames come.
            await asyncio.sleep(0)
        while True:
            core.check_open()
            if core.inbox:
                self._open(core.took())
                return True
            core.is_reader_waiting = True
            await self._wait(lambda: not core.inbox and not core.is_over(), deadline)
            if not core.inbox and not core.is_over():
                return False

    async def ack(self, order: int) -> None:
        """Count everything up to and including `order` as processed; see `orden.Client.ack`."""
        self._acknowledge(order)

    # Going.

    async def leave(self, timeout: float | None = 2) -> None:
        """Go for good: the session ends, and everybody is told; see `orden.Client.leave`."""
        await self._go(timeout, stay=False)

    async def close(self, timeout: float | None = 2) -> None:
        """Go: the session stays, or ends, as `on_exit` says; see `orden.Client.close`."""
        await self._go(timeout, stay=self._on_exit == "stay")

    async def _go(self, timeout: float | None, *, stay: bool) -> None:
        deadline = Deadline(self._depart(timeout, stay=stay))
        await self._wait(lambda: True, deadline)
        self._departed(timeout, stay=stay)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
