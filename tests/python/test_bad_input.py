"""What is wrong gets an error of its own class, which says what has happened and what to do."""

import contextlib
import itertools
import shutil
import socket
import threading

import pytest
import zmq
from conftest import texts

import orden
from orden.testing import Broker

PATIENCE = 2


def refused(error, match, address="127.0.0.1:1", name="ana", **arguments):
    with pytest.raises(error, match=match) as caught:
        orden.connect(address, name, timeout=PATIENCE, **arguments)
    assert isinstance(caught.value, orden.Error)
    return caught.value


@pytest.fixture
def deaf():
    """A place where connections are accepted and nothing is said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "127.0.0.1:%d" % server.getsockname()[1]


@pytest.fixture
def mail():
    """A mail server, which speaks first."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connections.append(connection)
                    connection.sendall(b"220 mail.example ESMTP, what can we do for you?\r\n" * 3)

        thread = threading.Thread(target=serve)
        thread.start()
        yield "127.0.0.1:%d" % server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in connections:
            connection.close()
        assert len(connections) < 3 * PATIENCE + 3, "failures above TCP are to be damped"


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("8081", "has no port: write HOST:PORT"),
        ("", "has no port"),
        ("host:", "is no port"),
        ("host:+1", "is no port"),
        ("host:65536", "a number up to 65535"),
        ("::1:80", "is no host"),
        ("a b:80", "is no host"),
        ("*:80", "stands for any: name the one to connect to"),
        (":0", "stands for any"),
        ("http://a:80", "is not served: write HOST:PORT"),
        ("ipc://" + "x" * 108, "is no socket path"),
        ("ipc://*", "stands for any"),
        ([], "there is no address"),
        (["127.0.0.1:1", 7], "an address is a text"),
    ],
)
def test_addresses(address, match):
    error = refused(orden.BadArgument, match, address)
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("", "cannot be empty"),
        (b"\0ana", "zero byte"),
        ("Server", "belongs to the broker"),
        ("x" * 256, "at most 255 bytes"),
        ("ñ" * 128, "and this one has 256"),
        ("\udcff", "lone surrogate"),
        (7, "text or bytes"),
    ],
)
def test_names(name, match):
    refused(orden.BadArgument, match, name=name)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"start": "later"}, "is no place to start from: write 'now'"),
        ({"start": -1}, "is no place to start from"),
        ({"start": True}, "is no place to start from"),
        ({"start": "last:"}, "is no place to start from"),
        ({"start": 2**64}, "is no place to start from"),
        ({"start": orden.Position(0, 1)}, "is no position of a log"),
        ({"start": orden.Position(1, -1)}, "is no place to start from"),
        ({"first_sequence": 0}, "from 1 on"),
        ({"first_sequence": "1"}, "from 1 on"),
        ({"ack": "later"}, "ack is one of"),
        ({"on_exit": "wait"}, "on_exit is one of"),
        ({"keys": "ana.key_secret"}, "orden.Keys.read"),
    ],
)
def test_arguments(arguments, match):
    refused(orden.BadArgument, match, **arguments)


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_timeouts(timeout):
    with pytest.raises(orden.BadArgument, match="from 0 on, or None"):
        orden.connect("127.0.0.1:1", timeout=timeout)


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = "127.0.0.1:%d" % server.getsockname()[1]
    error = refused(orden.NoAnswer, "nothing answers at tcp://127.*start orden-broker", address)
    assert isinstance(error, TimeoutError)


def test_no_such_host():
    # The domain is kept free for this (RFC 6761).
    refused(orden.NoAnswer, "no host is called 'broker.invalid'", "broker.invalid:8081")


def test_what_listens_says_nothing(deaf):
    refused(orden.NoAnswer, "has not answered within 2 s", deaf)


def test_what_listens_is_no_broker(mail):
    refused(orden.NoAnswer, "it asks for keys.*or it is no orden broker", mail)


def test_what_listens_speaks_zeromq_and_is_no_broker():
    """A socket that sends back what it is sent, as one does that is connected to itself."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as echo:
        port = echo.bind_to_random_port("tcp://127.0.0.1")
        frames = []

        def serve():
            while echo.poll(4000 * PATIENCE):
                frame = echo.recv_multipart()
                if frame[1] == b"end":
                    return
                frames.append(frame)
                echo.send_multipart(frame)

        thread = threading.Thread(target=serve)
        thread.start()
        refused(orden.NoAnswer, "is no orden broker: correct", f"127.0.0.1:{port}")
        with context.socket(zmq.DEALER) as end:
            end.connect(f"tcp://127.0.0.1:{port}")
            end.send(b"end")
            thread.join()
        assert 1 <= len(frames) < 3 * PATIENCE + 3, "failures above TCP are to be damped"


def test_a_goodbye_that_is_not_answered(durable):
    ana = orden.connect(durable.address, "ana")
    ana.publish("x")
    durable.kill()
    with pytest.raises(orden.NoAnswer, match="its session may still be there"):
        ana.leave(0.2)
    ana.close()


def test_an_older_copy_of_the_log(durable, tmp_path):
    durable.stop()
    shutil.copytree(durable.data, tmp_path / "copy")
    durable.start()
    with orden.connect(durable.address, "ana") as ana:
        ana.publish("x")
        durable.restart()
        ana.publish("y")
        durable.stop()
        durable.data = tmp_path / "copy"
        durable.start()
        with pytest.raises(orden.LogRegressed, match="not the log that the position came from"):
            ana.publish("z")


def test_too_large(broker):
    with orden.connect(broker.address, "ana") as ana:
        with pytest.raises(orden.TooLarge, match="--max-message-bytes") as caught:
            ana.publish(b"x" * ((4 << 20) + 1))
        assert isinstance(caught.value, ValueError)
        assert caught.value.most == 4 << 20
        order = ana.publish(b"x" * (4 << 20))
        [message] = texts(ana, 1)
        assert (message.order, len(message.payload)) == (order, 4 << 20)


def test_what_is_no_message(broker):
    with orden.connect(broker.address, "ana") as ana:
        with pytest.raises(TypeError, match="publish_json"):
            ana.publish({"a": 1})
        with pytest.raises(orden.BadArgument, match="lone surrogate"):
            ana.publish("\udc00")
        with pytest.raises(TypeError):
            ana.publish_json({"a": b""})
        with pytest.raises(ValueError, match="JSON"):
            ana.publish_json(float("nan"))
        assert ana.publish(bytearray(b"x")) + 1 == ana.publish(memoryview(b"y"))


def test_a_second_client_of_the_name(broker):
    ana = orden.connect(broker.address, "ana")
    with orden.connect(broker.address, "ana") as newer:
        for call in (ana.next, lambda: ana.publish("x"), lambda: ana.send("x")):
            with pytest.raises(orden.Superseded, match="let only one run under a name"):
                call()
        assert ana.state == "closed"
        ana.close()
        newer.publish("y")


def test_a_waiting_publish_is_told_that_it_is_over(durable, tmp_path):
    with orden.connect(durable.address, "ana") as ana:
        durable.kill()
        receipt = ana.send("x")
        durable.data = tmp_path / "another"
        durable.start()
        with pytest.raises(orden.LogRegressed):
            receipt.order(60)
        with pytest.raises(orden.LogRegressed):
            ana.publish("y")


def test_another_log(tmp_path, durable):
    with orden.connect(durable.address, "ana") as ana:
        ana.publish("x")
        position = texts(ana, 1)[0].position
    with Broker() as other:
        error = refused(
            orden.LogRegressed, "not the log.*start anew", other.address, start=position
        )
        assert isinstance(error, orden.SessionOver)
    with orden.connect(durable.address, "bea") as bea:
        durable.kill()
        durable.data = tmp_path / "another"
        durable.start()
        with pytest.raises(orden.LogRegressed, match="another log"):
            bea.next(60)


def test_the_broker_has_forgotten_the_session(tmp_path, durable):
    with orden.connect(durable.address, "ana") as ana:
        position = orden.Position(ana.position.log_id, 10**6)
    refused(orden.LogRegressed, "cut back", durable.address, start=position)


def test_sequences(broker):
    refused(
        orden.SessionOver,
        "expects client sequence 1 .*publish from 1 on",
        broker.address,
        first_sequence=5,
    )
    with orden.connect(broker.address, "bea", first_sequence=1) as bea:
        bea.publish("first")
        position = bea.position
    with orden.connect(broker.address, "bea", first_sequence=1) as bea:
        with pytest.raises(orden.SequenceReused, match="used before, for another message"):
            bea.publish("another")
        with pytest.raises(orden.SequenceReused):
            bea.next()
    with orden.connect(broker.address, "bea", on_exit="leave"):
        pass
    refused(orden.SessionOver, "has ended", broker.address, "bea", start=position, first_sequence=2)


def test_a_limit_of_the_broker():
    with Broker("127.0.0.1:0", "--max-name-bytes", "4") as broker:
        refused(orden.Refused, "limit_reached.*raise the limit", broker.address, "bertha")


def test_a_broker_that_is_away(durable):
    with orden.connect(durable.address, "ana") as ana:
        durable.kill()
        with pytest.raises(orden.Unconfirmed, match="the broker is away. It is still") as caught:
            ana.publish("x", timeout=1)
        assert isinstance(caught.value, TimeoutError)
        assert (caught.value.first, caught.value.count) == (1, 1)
        assert ana.state == "away"
        receipts = [ana.send("y"), ana.send("z")]
        with pytest.raises(orden.Unconfirmed, match="3 messages, 1 and following"):
            ana.flush(0.1)
        with pytest.raises(orden.Unconfirmed, match="message 3 of 'ana'"):
            receipts[1].order(0.1)
        assert ana.next(0.1) is None
        durable.start()
        ana.flush(60)
        assert ana.state == "connected"
        assert [message.text for message in texts(ana, 3)] == ["x", "y", "z"]


def test_closing_says_what_is_not_confirmed(durable):
    ana = orden.connect(durable.address, "ana")
    durable.kill()
    receipt = ana.send("x")
    with pytest.raises(orden.Unconfirmed, match="connect again with first_sequence=1"):
        ana.close(0.5)
    with pytest.raises(orden.Unconfirmed):
        receipt.order()
    with pytest.warns(RuntimeWarning, match="not confirmed"), pytest.raises(KeyError):
        durable.start()
        with orden.connect(durable.address, "bea") as bea:
            durable.kill()
            bea.send("x")
            raise KeyError


def test_no_more_is_kept_than_has_room(durable):
    with orden.connect(durable.address, "ana", receive=False) as ana:
        durable.kill()
        with pytest.raises(orden.Unconfirmed, match="not taken.*earlier messages") as caught:
            for _ in itertools.count():
                ana._push(b"x" * 1000, orden._time.Deadline(0.2), 0.2)
        assert caught.value.count == 0
        assert ana.last_sequence == 16384
        durable.start()
        ana.flush(60)


def test_what_is_no_longer_kept():
    retention = ("--retain-bytes", "65536")
    with Broker("127.0.0.1:0", *retention) as broker:
        with orden.connect(broker.address, "ana") as ana:
            ana.publish("first")
            assert texts(ana, 1)[0].text == "first"
        with orden.connect(broker.address, "bea", receive=False) as bea:
            for _ in range(50):  # more than the broker keeps in memory for those at the head
                bea.send(b"x" * 1_000_000)
            bea.flush()
        with orden.connect(broker.address, "ana") as ana:
            with pytest.raises(orden.Skipped, match="are no longer kept") as caught:
                next(iter(ana))
            skipped = caught.value
            assert 1 <= skipped.first < skipped.next
            assert ana.position.next == skipped.next
            message = next(iter(ana))
            assert message.order == skipped.next
