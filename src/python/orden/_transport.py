"""The sockets: the only file that names `zmq` for them. It moves bytes, and waits in `wait` only.

A DEALER carries the frames. A second socket tells what happens to its connection, as a DEALER that
has reconnected by itself looks like one that never lost anything.
"""

from __future__ import annotations

import contextlib
import math
import socket
import struct
from enum import Enum

import zmq

from orden._address import is_ipv6
from orden._errors import BadArgument
from orden._keys import Keys
from orden._machine.events import Obstacle

SEND_HIGH_WATER_MARK = 64
"""Frames on their way before the socket takes no more. What is not sent yet is packed into fewer,
larger frames, so a long queue would only make messages late."""
RECEIVE_HIGH_WATER_MARK = 4096
"""Frames read ahead: more than the broker's window, so that it alone decides."""
LARGEST_FRAME = 256 << 20
RECONNECT_MS, RECONNECT_MOST_MS = 100, 3_000
CONNECT_TIMEOUT_MS = 5_000
HANDSHAKE_MS = 5_000
HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 30_000, 120_000
"""ZMTP heartbeats end connections whose host is gone, far above any stall."""
KEEPALIVE_IDLE_S = 60
SEVERAL_MS = 2_000
"""How long to try one address where there are others."""
LINGER_MS = 100
"""How long a goodbye may take to leave; nothing else is in the queues then."""

_UP = zmq.EVENT_HANDSHAKE_SUCCEEDED
_DOWN = zmq.EVENT_DISCONNECTED
_RETRIED = zmq.EVENT_CONNECT_RETRIED
_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
_WATCHED = _UP | _DOWN | _RETRIED | _REFUSED | _FAILED


Context = zmq.Context[zmq.Socket[bytes]]


class Link(Enum):
    """What has become of the connection."""

    UP = "both sides have agreed how to speak"
    DOWN = "it is gone; libzmq makes another"


class Waker:
    """Wakes the thread that sleeps in `Transport.wait`.

    A flag spares the system call while that thread is awake.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self.is_sleeping = False

    def wake(self) -> None:
        """Wake the thread, if it sleeps or is about to. What it is to see is in place before."""
        if self.is_sleeping:
            self.is_sleeping = False
            # Full: wake-ups that were not read yet wake as well. Closed: there is no thread.
            with contextlib.suppress(BlockingIOError, OSError):
                self._writer.send(b"\0")

    def clear(self) -> None:
        """Take back what wake-ups there were."""
        self.is_sleeping = False
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)

    def fileno(self) -> int:
        """Return the descriptor to be polled for reading."""
        return self._reader.fileno()

    def close(self) -> None:
        """Give the descriptors back."""
        self._reader.close()
        self._writer.close()


class Transport:
    """A DEALER that connects to one endpoint, and the socket that watches it."""

    def __init__(
        self,
        context: Context,
        endpoint: str,
        keys: Keys | None,
        *,
        is_one_of_several: bool,
    ) -> None:
        self.endpoint = endpoint
        self._dealer = context.socket(zmq.DEALER)
        self._configure(endpoint, keys)
        if is_one_of_several:
            self._dealer.connect_timeout = self._dealer.handshake_ivl = SEVERAL_MS
        self._watcher = self._dealer.get_monitor_socket(_WATCHED)
        # libzmq's I/O thread must never wait for an owner that does not look for long.
        self._watcher.set_hwm(0)
        self._watcher.linger = 0
        try:
            self._dealer.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise BadArgument(f"cannot connect to {endpoint}: {error}") from error
        self.is_blocked = False
        """Whether the socket did not take the last frame."""
        self._has_frames = self._has_news = True
        """Whether there may be something to read. To ask a socket that has nothing costs as much
        as to read, so both are false once it had nothing, until `wait` says otherwise."""
        self._pollers: dict[int, zmq.Poller] = {}

    def _configure(self, endpoint: str, keys: Keys | None) -> None:
        dealer = self._dealer
        if keys is not None:
            dealer.curve_serverkey = keys.server
            dealer.curve_publickey = keys.public
            dealer.curve_secretkey = keys.secret
        dealer.ipv6 = is_ipv6(endpoint)
        dealer.linger = LINGER_MS
        dealer.sndhwm = SEND_HIGH_WATER_MARK
        dealer.rcvhwm = RECEIVE_HIGH_WATER_MARK
        dealer.maxmsgsize = LARGEST_FRAME
        dealer.reconnect_ivl = RECONNECT_MS
        dealer.reconnect_ivl_max = RECONNECT_MOST_MS
        dealer.connect_timeout = CONNECT_TIMEOUT_MS
        dealer.handshake_ivl = HANDSHAKE_MS
        dealer.heartbeat_ivl = HEARTBEAT_MS
        dealer.heartbeat_timeout = HEARTBEAT_TIMEOUT_MS
        dealer.tcp_keepalive = 1
        dealer.tcp_keepalive_idle = KEEPALIVE_IDLE_S
        # Without this, what was said to one connection would be the first that the next hears.
        dealer.immediate = True

    def send(self, frame: bytes) -> bool:
        """Hand a frame to the socket; return whether it has taken it."""
        try:
            self._dealer.send(frame, zmq.DONTWAIT)
        except zmq.Again:
            self.is_blocked = True
            return False
        self.is_blocked = False
        return True

    def receive(self) -> bytes | None:
        """Return the next frame from the broker, if one is here.

        Of a message of more frames, which the broker does not send, it is the first.
        """
        if not self._has_frames:
            return None
        try:
            frame = self._dealer.recv(zmq.DONTWAIT)
        except zmq.Again:
            self._has_frames = False
            return None
        while self._dealer.rcvmore:
            self._dealer.recv(zmq.DONTWAIT)
        return frame

    def link_event(self) -> Link | Obstacle | None:
        """Return what has happened to the connection since the last time."""
        if not self._has_news:
            return None
        try:
            head, *_ = self._watcher.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            self._has_news = False
            return None
        event = struct.unpack("=Hi", head)[0]
        if event == _UP:
            return Link.UP
        if event == _DOWN:
            return Link.DOWN
        if event == _RETRIED:
            return Obstacle.NOBODY_THERE
        return Obstacle.KEY_REFUSED if event == _REFUSED else Obstacle.OTHER_LANGUAGE

    def close(self) -> None:
        """Close both sockets; what was sent has a moment to leave."""
        self._dealer.disable_monitor()
        self._watcher.close()
        self._dealer.close()

    def look(self) -> None:
        """Have both sockets asked again, although `wait` was not called since."""
        self._has_frames = self._has_news = True

    def poller(self, waker: Waker, *, reads: bool) -> zmq.Poller:
        """Return what waits for `waker`, news of this transport, and frames if it `reads`."""
        interest = zmq.POLLIN if reads else 0
        if self.is_blocked:
            interest |= zmq.POLLOUT
        poller = self._pollers.get(interest)
        if poller is None:
            poller = self._pollers[interest] = zmq.Poller()
            poller.register(waker.fileno(), zmq.POLLIN)
            poller.register(self._watcher, zmq.POLLIN)
            if interest:
                poller.register(self._dealer, interest)
        return poller

    def is_ready(self, socket: object) -> None:
        """Note that there is something to read at a socket that the poller has named."""
        if socket is self._dealer:
            self._has_frames = True
        elif socket is self._watcher:
            self._has_news = True


def wait(transport: Transport | None, waker: Waker, timeout: float | None, *, reads: bool) -> None:
    """Sleep until something happens to the transport or the waker, at most `timeout` seconds."""
    if transport is None:
        poller = zmq.Poller()
        poller.register(waker.fileno(), zmq.POLLIN)
    else:
        poller = transport.poller(waker, reads=reads)
        if not reads:
            transport.look()  # by then there may be room for frames
    # Rounded up: who wakes early only finds that it is too early.
    milliseconds = None if timeout is None else math.ceil(max(0.0, timeout) * 1000)
    for ready, _ in poller.poll(milliseconds):
        if ready == waker.fileno():
            waker.clear()
        elif transport is not None:
            transport.is_ready(ready)
    waker.is_sleeping = False
