"""What the tests of the Python package share: brokers, and a deadline for every test."""

import contextlib
import faulthandler
import os
import signal

import pytest

import orden
from orden.testing import Broker
from orden.testing.plugin import orden_broker

__all__ = ["orden_broker"]

DEADLINE = 240
"""Seconds after which a test has failed, whatever it waits for then."""


@pytest.fixture(autouse=True)
def deadline():
    def too_late(*_):
        faulthandler.dump_traceback()
        pytest.fail(f"the deadline of {DEADLINE} s is over")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def broker(orden_broker):
    return orden_broker


class Restartable:
    """A broker with a log on disk, which can be killed and comes back at the same address."""

    def __init__(self, data, *arguments):
        self.data, self.arguments = data, arguments
        self.broker = Broker("127.0.0.1:0", *arguments, data=data)
        self.address = self.broker.address

    def start(self):
        self.broker = Broker(self.address, *self.arguments, data=self.data)

    def kill(self):
        self.broker.kill()

    def restart(self):
        self.kill()
        self.start()

    def stop(self):
        self.broker.stop()


@pytest.fixture
def durable(tmp_path):
    broker = Restartable(tmp_path / "log")
    yield broker
    broker.stop()


@contextlib.contextmanager
def together(*clients):
    """Closes all of them, whatever becomes of the others."""
    with contextlib.ExitStack() as stack:
        for client in clients:
            stack.enter_context(client)
        yield clients


def texts(client, count, timeout=60):
    """The next so many messages that are no notices."""
    found = []
    while len(found) < count:
        message = client.next(timeout)
        assert message is not None, f"only {len(found)} of {count} messages have come: {client}"
        if not message.notice:
            found.append(message)
    return found


def is_alive(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def connect(broker):
    """Connects to this test's broker; what was not closed is closed at the end."""
    with contextlib.ExitStack() as stack:

        def connected(name=None, **arguments):
            client = orden.connect(broker.address, name, **arguments)
            stack.callback(client.close)
            return client

        yield connected
