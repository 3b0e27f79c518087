"""Several addresses: the next one when one does not answer, on one socket at a time."""

import socket
import threading

import pytest
from conftest import texts

import orden


class Relay:
    """An address that leads to a broker, and can be shut."""

    def __init__(self, address):
        self.target = address.removeprefix("tcp://").split(":")
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        self.connections, self.accepted, self.is_open = [], 0, True
        self.threads = []
        self.start(self.accept)

    def start(self, *job):
        thread = threading.Thread(target=job[0], args=job[1:], daemon=True)
        thread.start()
        self.threads.append(thread)

    def accept(self):
        while True:
            try:
                near, _ = self.server.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            self.accepted += 1
            self.connections += [near, far]
            self.start(self.copy, near, far)
            self.start(self.copy, far, near)

    def copy(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def shut(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(30)
        for connection in self.connections:
            connection.close()


@pytest.fixture
def relays(broker):
    both = Relay(broker.address), Relay(broker.address)
    yield both
    for relay in both:
        if relay.server.fileno() >= 0:
            relay.shut()


def test_the_next_address_when_nothing_listens_at_the_first(broker):
    with orden.connect(["127.0.0.1:1", broker.address], "ana") as ana:
        ana.publish("x")
        assert texts(ana, 1)[0].text == "x"


def test_the_next_address_when_the_first_says_nothing(broker):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = "127.0.0.1:%d" % deaf.getsockname()[1]
        with orden.connect([address, broker.address], "ana") as ana:
            ana.publish("x")


def test_no_address_answers():
    with pytest.raises(orden.NoAnswer, match="tcp://127.0.0.1:1 or tcp://127.0.0.1:2"):
        orden.connect(["127.0.0.1:1", "127.0.0.1:2"], timeout=1)


def test_on_to_the_next_when_one_goes_away(relays):
    first, second = relays
    with orden.connect([first.address, second.address], "ana") as ana:
        sent = [str(number) for number in range(200)]
        for text in sent[:100]:
            ana.send(text)
        assert [message.text for message in texts(ana, 50)] == sent[:50]
        assert (first.accepted, second.accepted) == (1, 0)
        first.shut()
        for text in sent[100:]:
            ana.send(text)
        ana.flush()
        assert [message.text for message in texts(ana, 150)] == sent[50:]
        assert second.accepted == 1
