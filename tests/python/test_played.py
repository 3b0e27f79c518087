"""The client against a broker that the test plays: what a real one does not do on demand."""

import struct
import threading

import pytest
import zmq
from participant_scene import batch
from programs import until

import orden
from orden import _wire

LOG_ID = 7


class Played:
    """A ROUTER that answers a hello, and then does what the test says."""

    def __init__(self):
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.linger = self.router.sndhwm = 0
        self.address = f"127.0.0.1:{self.router.bind_to_random_port('tcp://127.0.0.1')}"
        self.peer = None

    def hear(self, timeout=30):
        """The next frame, or nothing in so many seconds."""
        if not self.router.poll(timeout * 1000):
            return None
        self.peer, frame = self.router.recv_multipart()
        return frame

    def say(self, frame):
        self.router.send_multipart([self.peer, frame])

    def welcome(self):
        assert self.hear()[2] == _wire.HELLO
        fields = (1, LOG_ID, 0, 0, 0, 8192, 4 << 20)
        self.say(bytes((0x4F, 1, _wire.WELCOME, 0)) + struct.pack(">IQQQQII", *fields))

    def connect(self, **arguments):
        clients = []
        thread = threading.Thread(
            target=lambda: clients.append(orden.connect(self.address, "ana", **arguments))
        )
        thread.start()
        self.welcome()
        thread.join(30)
        return clients[0]

    def close(self):
        self.router.close()
        self.context.term()


@pytest.fixture
def played():
    broker = Played()
    yield broker
    broker.close()


def test_damaged_messages_are_not_given_out_and_not_acknowledged(played):
    client = played.connect()
    damaged = bytearray(batch(LOG_ID, 0, 9, 20))
    damaged[-1] ^= 1
    played.say(bytes(damaged))
    with pytest.raises(orden.Error, match="damaged .bad_checksum.: nothing of them was given out"):
        client.next(30)
    with pytest.raises(orden.Error, match="damaged"):
        client.publish("x")
    client.close()
    while (frame := played.hear(0.2)) is not None:
        assert frame[2] != _wire.ACK


def test_pings_are_answered_while_the_application_sits_in_a_message(played):
    with played.connect() as client:
        played.say(batch(LOG_ID, 0, 0, 20))
        assert client.next(30).order == 0
        for _ in range(3):
            played.say(_wire.ping())
            assert played.hear() == _wire.pong()
        client.next(0)
        assert played.hear() == _wire.ack(0)


def test_what_is_slow_inside_a_frame_is_acknowledged_all_the_same(played):
    with played.connect() as client:
        played.say(batch(LOG_ID, 0, 99, 20))
        for message in client:
            if message.order == 50:
                break
        # It asks for nothing more; the client looks by itself.
        assert played.hear() == _wire.ack(49)


def test_frames_wait_unread_when_the_application_takes_none(played):
    """Whatever the broker's window is."""
    with played.connect() as client:
        for order in range(6000):
            played.say(batch(LOG_ID, order, order, 20))
        until(lambda: client._core.is_inbox_full, "the client's bound")
        assert len(client._core.inbox) == 4096
        for order in range(6000):
            assert client.next(30).order == order


def test_what_is_slow_later_in_a_frame_is_acknowledged_as_well(played):
    with played.connect() as client:
        played.say(batch(LOG_ID, 0, 99, 20))
        assert client.next(30).order == 0
        assert played.hear(0.4) is None  # it has looked, and nothing was processed
        assert [client.next(0).order for _ in range(50)][-1] == 50
        assert played.hear(5) == _wire.ack(49)


def test_with_messages_unconfirmed_the_session_stays(played):
    client = played.connect(receive=False)
    client.send("x")
    assert played.hear()[2] == _wire.PUBLISH
    leaving = threading.Thread(target=lambda: pytest.raises(orden.Unconfirmed, client.leave, 0.2))
    leaving.start()
    assert played.hear() == _wire.goodbye(stay=True)
    played.say(_wire.goodbye(stay=True))
    leaving.join(30)
    assert not leaving.is_alive()


def test_the_next_address_when_the_first_answers_no_hello(played, broker):
    with orden.connect([played.address, broker.address], "ana") as client:
        assert played.hear()[2] == _wire.HELLO
        assert client.publish("x") == 1


def refusal(code, text):
    head = bytes((0x4F, 1, _wire.REFUSAL, 0))
    return head + struct.pack(">HHQ", code, len(text), 0) + text.encode()


def test_what_the_broker_complains_of_is_passed_on(played):
    with played.connect(receive=False) as client:
        played.say(refusal(999, "the moon is full"))
        with pytest.raises(orden.Unconfirmed, match="slow, and has said: the moon is full"):
            client.publish("x", timeout=1)
        assert played.hear()[2] == _wire.PUBLISH
        confirm = bytes((0x4F, 1, _wire.CONFIRM, 0)) + struct.pack(">IQQI", 1, 1, 0, 1)
        played.say(confirm)
        client.flush(30)
        assert client._core.complaint is None


def test_a_log_that_the_broker_cannot_read(played):
    with played.connect() as client:
        played.say(batch(LOG_ID, 0, 0, 20))
        played.say(refusal(16, "message 1 is damaged"))
        messages = iter(client)
        assert next(messages).order == 0
        with pytest.raises(orden.Error, match="cannot read.*message 1 is damaged.*operator"):
            next(messages)
        played.say(batch(LOG_ID, 1, 1, 20))
        assert client.next(30).order == 1


def test_removed_by_an_operator(played):
    with played.connect() as client:
        played.say(refusal(15, "an operator has ended the connection"))
        with pytest.raises(orden.Refused, match="removed.. The session stays"):
            client.next(30)


def test_a_broker_that_sends_nonsense_is_not_believed(played):
    with played.connect() as client:
        played.say(b"O\1\x7f\0")
        played.say(b"nonsense")
        played.say(batch(LOG_ID + 1, 0, 0, 20))
        played.say(batch(LOG_ID, 0, 0, 20))
        assert client.next(30).log_id == LOG_ID
