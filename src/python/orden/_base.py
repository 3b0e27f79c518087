"""What the blocking client and that of `orden.asyncio` share."""

from __future__ import annotations

import atexit
import json
import weakref
from collections.abc import Sequence
from threading import Thread
from typing import Literal, NamedTuple

from orden._address import endpoints, host_of, name_bytes
from orden._core import Arrived, Core, Farewell
from orden._errors import BadArgument, Error, NoAnswer, Refused, Skipped
from orden._keys import Keys
from orden._machine.events import Obstacle
from orden._message import Position
from orden._reader import Ack, Reader
from orden._resolver import Resolver
from orden._route import Route
from orden._start import StartAt, settings_of
from orden._time import Deadline
from orden._worker import GOODBYE_SECONDS, Worker

OnExit = Literal["stay", "leave"]
State = Literal["connected", "away", "closed"]

_SLACK = 1.0
"""Seconds that the I/O thread may take to end beyond what it was given."""


class Options(NamedTuple):
    """The arguments of `connect`."""

    address: str | Sequence[str]
    name: str | bytes | None
    start: StartAt
    receive: bool
    ack: Ack
    first_sequence: int | None
    keys: Keys | None
    on_exit: OnExit | None


class ClientBase:
    """A member of the order, and the thread behind it."""

    def __init__(self, options: Options) -> None:
        self._is_started = False
        name = name_bytes(options.name)
        places = endpoints(options.address)
        settings = settings_of(
            name,
            options.start,
            receive=options.receive,
            first_sequence=options.first_sequence,
            is_one_of_several=len(places) > 1,
        )
        _check_choice("ack", options.ack, ("next", "manual", "receive"))
        _check_choice("on_exit", options.on_exit, ("stay", "leave", None))
        if options.keys is not None and not isinstance(options.keys, Keys):
            raise BadArgument("keys are what orden.Keys.read(secret_file, server_file) returns")
        self._on_exit = options.on_exit or ("leave" if options.name is None else "stay")
        self._is_named = options.name is not None
        self._receives = options.receive
        self._frame_len = 0
        self._reader = Reader(options.ack)
        self._route = Route(places, options.keys)
        self._core = Core(name, self._reader)
        self._resolver = Resolver([host for host in map(host_of, places) if host is not None])
        worker = Worker(self._core, self._route, settings)
        self._thread = Thread(target=worker.run, name="orden-client", daemon=True)
        self._thread.start()
        self._is_started = True
        _CLIENTS.add(self)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.name!r}, {self.state}>"

    def __del__(self) -> None:
        if self._is_started:
            self._core.abandon(stay=self._on_exit == "stay")

    @property
    def name(self) -> str:
        """The name of this client, with what is no UTF-8 escaped. Never waits."""
        return self._core.shown_name

    @property
    def state(self) -> State:
        """Whether the broker is there: what is published while it is away waits. Never waits."""
        if self._core.is_forked or self._core.is_over():
            return "closed"
        return "connected" if self._core.is_connected else "away"

    @property
    def position(self) -> Position | None:
        """Where a client that starts anew goes on: right after what counts as processed.

        None before the broker has answered for the first time. Never waits. To have each message
        take effect once, store `message.position` in the same transaction as the effect instead.
        """
        welcome = self._core.welcome
        if welcome is None:
            return None
        return Position(welcome.log_id, self._reader.processed())

    @property
    def last_sequence(self) -> int:
        """The client sequence of the last message that was published under this name.

        Right after `connect` that is the last one that the broker has ordered, or the one before
        `first_sequence`. An importer that numbers its inputs from 1 goes on after it. Never waits.
        """
        return self._core.last_sequence

    def _check_answer(self, timeout: float | None) -> None:
        """Raise the reason why the broker has not answered, unless it has."""
        if self._core.welcome is None:
            raise self._no_answer(timeout)

    def _no_answer(self, timeout: float | None) -> Error:
        """Return the error for a broker that has not answered, with all that is known of it."""
        if self._core.has_stopped():
            return self._core.reason()
        places = " or ".join(self._route.endpoints)
        within = "" if timeout is None else f" within {timeout:g} s"
        obstacle, keys = self._core.obstacle, self._route.keys
        if obstacle is Obstacle.KEY_REFUSED:
            return Refused(
                f"the broker at {places} does not know this client's key: have its .key file put "
                "among those that the broker's --authorized names"
            )
        if obstacle is Obstacle.GOES_DOWN:
            return NoAnswer(f"the broker at {places} goes down{within}: wait for its successor")
        if obstacle is Obstacle.NO_BROKER:
            return NoAnswer(f"what listens at {places} is no orden broker: correct the address")
        if obstacle is Obstacle.OTHER_LANGUAGE and keys is not None:
            return NoAnswer(
                f"what listens at {places} does not agree to the keys in {keys.source}: the "
                "broker has another key than that file says, or none (then connect without "
                "keys), or it is no orden broker"
            )
        if obstacle is Obstacle.OTHER_LANGUAGE:
            return NoAnswer(
                f"what listens at {places} does not speak as this client does: it asks for keys "
                "(connect with keys=orden.Keys.read(secret_file, server_file)), or it is no orden "
                "broker"
            )
        unknown = self._resolver.unknown_host()
        if unknown is not None:
            return NoAnswer(f"no host is called {unknown!r}: correct the address {places}")
        if obstacle is Obstacle.NOBODY_THERE:
            return NoAnswer(
                f"nothing answers at {places}{within}: start orden-broker there, or correct the "
                "address"
            )
        return NoAnswer(
            f"{places} has not answered{within}: is it an orden broker, is it overloaded, is a "
            "firewall between?"
        )

    def _encode(self, data: bytes | str) -> bytes:
        """Return what to publish as bytes. Raises TooLarge, BadArgument, TypeError."""
        if isinstance(data, str):
            try:
                payload = data.encode()
            except UnicodeEncodeError:
                raise BadArgument("this text holds a lone surrogate: publish bytes") from None
        elif isinstance(data, (bytes, bytearray, memoryview)):
            payload = bytes(data)
        else:
            raise TypeError(
                f"publish bytes or text, or use publish_json, not {type(data).__name__}"
            )
        self._core.check_open()
        self._core.check_size(payload)
        return payload

    def _encode_json(self, value: object) -> bytes:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()

    def _check_receives(self) -> None:
        if not self._receives:
            raise Error("this client only publishes: connect without receive=False to iterate")

    def _ask(self) -> None:
        """Note that the application asks for more: what it has counts as processed."""
        self._check_receives()
        self._reader.asked()
        if self._frame_len:
            self._core.processed(self._frame_len)
            self._frame_len = 0

    def _open(self, item: Arrived | Error) -> None:
        """Begin to give out what has arrived. Raises Skipped, or Error if it is damaged."""
        if isinstance(item, Skipped):
            self._reader.skip_to(item.next)
        if isinstance(item, Error):
            raise item
        try:
            self._reader.open(item.frame, item.first, item.end)
        except Error as error:
            message = str(error)
            self._core.fail(lambda: Error(message))
            raise
        self._frame_len = len(item.frame)

    def _acknowledge(self, order: int) -> None:
        self._core.check_open()
        self._check_receives()
        self._reader.acknowledge(order)
        self._core.waker.wake()

    def _depart(self, timeout: float | None, *, stay: bool) -> float | None:
        """Ask the I/O thread to go; return how long that may take at most."""
        self._core.check_process()
        Deadline(timeout)  # whether it is one
        patience = _FOR_EVER if timeout is None else timeout
        self._core.say_farewell(Farewell(stay, patience))
        return None if timeout is None else timeout + GOODBYE_SECONDS + _SLACK

    def _departed(self, timeout: float | None, *, stay: bool) -> None:
        """Raise what is to be said about a client that has gone, once."""
        core = self._core
        if core.was_told:
            return
        if core.confirmed < core.last_sequence:
            raise core.unconfirmed(None, timeout)
        is_left = core.is_goodbye_heard or core.has_ended() or core.welcome is None
        if not (stay or is_left) and self._is_named:
            core.was_told = True
            raise NoAnswer(
                f"the broker has not answered the goodbye of {self.name!r}: its session may still "
                "be there. Connect and leave() again, or have the broker's operator end it"
            )

    def _depart_blocking(self, timeout: float | None, *, stay: bool) -> None:
        self._thread.join(self._depart(timeout, stay=stay))
        self._departed(timeout, stay=stay)


_FOR_EVER = 10.0**9
_CLIENTS: weakref.WeakSet[ClientBase] = weakref.WeakSet()


def _check_choice(argument: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise BadArgument(f"{argument} is one of {choices}, not {value!r}")


def _close_all() -> None:
    """At the end of the program, close what was not closed, with the patience of `close()`."""
    for client in list(_CLIENTS):
        if client.state == "closed":
            continue
        client._depart_blocking(2, stay=client._on_exit == "stay")


atexit.register(_close_all)
