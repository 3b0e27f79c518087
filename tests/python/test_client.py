"""The blocking client against a real broker: what its docstrings promise."""

import gc
import os
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
import trio
from conftest import texts

import orden


def test_what_is_published_comes_to_everybody_in_one_order(connect):
    ana, bea = connect("ana"), connect("bea")
    orders = [ana.publish("hola"), bea.publish("¿qué?"), ana.publish(b"\xff\x00")]
    assert orders == sorted(orders)
    for client in (ana, bea):
        seen = texts(client, 3)
        assert [message.order for message in seen] == orders
        assert [message.sender for message in seen] == ["ana", "bea", "ana"]
        assert [message.text for message in seen] == ["hola", "¿qué?", "�\x00"]
        assert seen[2].payload == b"\xff\x00"


def test_a_message_says_who_when_and_where(connect):
    ana, bea = connect("ana"), connect("bea")
    bea.publish_json({"número": [1, None]})
    notice = ana.next(30)
    assert notice.notice
    assert (notice.sender, notice.text) == ("Server", "bea has joined the net")
    message = ana.next(30)
    assert not message.notice
    assert message.json() == {"número": [1, None]}
    assert message.payload == '{"número":[1,null]}'.encode()
    assert message.sequence == 1
    assert message.position == orden.Position(message.log_id, message.order + 1)
    assert abs(datetime.now(timezone.utc) - message.time) < timedelta(minutes=5)
    order, sender, payload, *_ = message
    assert (order, sender, payload) == (message.order, "bea", message.payload)


def test_names_are_bytes_and_can_be_printed(connect):
    ana = connect("ana")
    with connect(b"b\xff\n") as odd:
        assert odd.name == "b\\xff\n"
        odd.publish("x")
    [message] = texts(ana, 1)
    assert (message.sender, message.sender_bytes) == ("b\\xff\n", b"b\xff\n")


def test_a_known_name_goes_on_after_what_it_has_asked_beyond(broker):
    with orden.connect(broker.address, "ana") as ana:
        for text in "abc":
            ana.publish(text)
        assert texts(ana, 2)[-1].text == "b"
        assert ana.position.next == 2  # "b" is at hand: order 1 is "a"
    with orden.connect(broker.address, "ana") as ana:
        assert [message.text for message in texts(ana, 2)] == ["b", "c"]
        assert ana.next(0) is None  # asking has counted "c"
    with orden.connect(broker.address, "ana") as ana:
        assert ana.next(0.2) is None


def test_received_at_most_once(broker):
    with orden.connect(broker.address, "ana", ack="receive") as ana:
        for text in "abc":
            ana.publish(text)
        assert texts(ana, 2)[-1].text == "b"
    with orden.connect(broker.address, "ana", ack="receive") as ana:
        assert texts(ana, 1)[0].text == "c"


def test_acknowledged_by_hand(broker):
    with orden.connect(broker.address, "ana", ack="manual") as ana:
        for text in "abc":
            ana.publish(text)
        a, _, c = texts(ana, 3)
        ana.ack(a.order)
        with pytest.raises(orden.Error, match="not given to this client"):
            ana.ack(c.order + 1)
        assert ana.position == a.position
    with orden.connect(broker.address, "ana") as ana:
        assert texts(ana, 1)[0].text == "b"
        with pytest.raises(orden.Error, match="manual"):
            ana.ack(0)


def test_a_loop_can_be_left_and_entered_again(connect):
    ana = connect("ana")
    for number in range(10):
        ana.send(str(number))
    ana.flush()
    seen = []
    for message in ana:
        seen.append(message.text)
        if len(seen) == 3:
            break
    seen.append(ana.next(30).text)
    for message in ana:
        seen.append(message.text)
        if len(seen) == 10:
            break
    assert seen == [str(number) for number in range(10)]


def test_batches_count_as_a_whole(broker):
    with orden.connect(broker.address, "ana") as ana:
        for number in range(100):
            ana.send(str(number))
        ana.flush()
        seen = []
        for batch in ana.batches():
            assert ana.position == orden.Position(batch[0].log_id, batch[0].order)
            seen += batch
            if len(seen) >= 100:
                break
        assert [message.text for message in seen] == [str(number) for number in range(100)]
        first_of_last = batch[0].text
    with orden.connect(broker.address, "ana") as ana:
        assert texts(ana, 1)[0].text == first_of_last


def test_where_to_start(broker, connect):
    ana = connect("ana")
    for number in range(1, 6):
        assert ana.publish(str(number)) == number
    connect(start="start", receive=False)
    with orden.connect(broker.address, start="start") as start:
        assert start.next(30).text == "ana has joined the net"
    with orden.connect(broker.address, start=4) as four:
        assert four.next(30).text == "4"
    with orden.connect(broker.address, start="3") as three:
        assert three.next(30).text == "3"
    with orden.connect(broker.address, start="now") as now:
        ana.publish("now")
        assert now.next(30).text == "now"
    with orden.connect(broker.address, start="last:1") as last:
        assert last.next(30).sender == "Server"


def test_a_position_counts_whatever_the_broker_remembers(broker):
    with orden.connect(broker.address, "ana", on_exit="stay") as ana:
        for text in "abc":
            ana.publish(text)
        _, b, _ = texts(ana, 3)
        assert ana.next(0.1) is None
    with orden.connect(broker.address, "ana", start=orden.Position(*b.position)) as ana:
        assert ana.position == b.position
        assert texts(ana, 1)[0].text == "c"


def test_what_is_published_again_is_ordered_once(broker):
    with orden.connect(broker.address, "ana", first_sequence=1) as ana:
        assert ana.last_sequence == 0
        first = [ana.publish(text) for text in "abc"]
        assert ana.last_sequence == 3
    with orden.connect(broker.address, "ana", first_sequence=1) as ana:
        assert [ana.publish(text) for text in "abcd"] == [*first, first[-1] + 1]
    with orden.connect(broker.address, "ana") as ana:
        assert ana.last_sequence == 4
        assert ana.publish("e") == first[-1] + 2


def test_what_was_ordered_long_ago_is_not_sent_again(broker):
    with orden.connect(broker.address, "ana", receive=False, first_sequence=1) as ana:
        receipts = [ana.send(str(number)) for number in range(9000)]
        ana.flush()
        last = receipts[-1].order()
    with orden.connect(broker.address, "ana", receive=False, first_sequence=1) as ana:
        receipts = [ana.send(str(number)) for number in range(9000)]
        ana.flush()
        assert receipts[0].order(0) == -1
        assert receipts[-1].order(0) == last
        assert ana.publish("new") == last + 1


def test_receipts(connect):
    ana = connect("ana")
    receipts = [ana.send("x") for _ in range(100)]
    assert [receipt.sequence for receipt in receipts] == list(range(1, 101))
    ana.flush()
    assert all(receipt.done() for receipt in receipts)
    assert [receipt.order() for receipt in receipts] == list(range(1, 101))
    assert "order 1" in repr(receipts[0])


def test_many_threads_publish(connect):
    ana, bea = connect("ana"), connect("bea")
    orders = []

    def publish(number):
        orders.extend((ana.publish(f"{number} {i}"), number, i) for i in range(50))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = [(m.order, *map(int, m.text.split())) for m in texts(bea, 400)]
    assert seen == sorted(orders)


def test_only_publishing(broker):
    with orden.connect(broker.address, "ana", receive=False) as ana:
        ana.publish("x")
        with pytest.raises(orden.Error, match="only publishes"):
            ana.next(0)
        with pytest.raises(orden.Error, match="only publishes"):
            next(iter(ana))


def test_leaving_and_staying(broker, connect):
    ana = connect("ana")
    with orden.connect(broker.address, "bea"):
        pass
    with orden.connect(broker.address, "carla", on_exit="leave"):
        pass
    with orden.connect(broker.address, "dora") as dora:
        dora.leave()
        dora.close()
    with orden.connect(broker.address) as guest:
        name = guest.name
    seen = [ana.next(30).text for _ in range(7)]
    assert seen == [
        "bea has joined the net",
        "carla has joined the net",
        "carla has left the net",
        "dora has joined the net",
        "dora has left the net",
        f"{name} has joined the net",
        f"{name} has left the net",
    ]
    assert ana.next(0) is None


def test_closed(broker):
    ana = orden.connect(broker.address, "ana")
    receipt = ana.send("x")
    ana.close()
    assert receipt.order() == 1
    assert ana.state == "closed"
    for call in (
        lambda: ana.publish("x"),
        lambda: ana.send("x"),
        ana.next,
        lambda: next(iter(ana)),
    ):
        with pytest.raises(orden.Closed):
            call()
    ana.flush()
    ana.close()


def test_closing_ends_a_wait_in_another_thread(broker):
    ana = orden.connect(broker.address, "ana")
    ended = []

    def wait():
        with pytest.raises(orden.Closed):
            ana.next()
        ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    ana.close()
    thread.join(30)
    assert ended == [True]


def test_a_client_that_is_forgotten_ends_its_thread(broker):
    before = threading.active_count()
    ana = orden.connect(broker.address, "ana")
    assert threading.active_count() > before
    thread = ana._thread
    del ana
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.long
def test_a_slow_handler_keeps_its_session(durable):
    """Longer than the broker waits for a sign of life, in one message."""
    with orden.connect(durable.address, "slow") as slow, orden.connect(durable.address) as fast:
        fast.publish("first")
        assert texts(slow, 1)[0].text == "first"
        time.sleep(65)
        assert slow.state == "connected"
        fast.publish("second")
        assert texts(slow, 1)[0].text == "second"
        assert "slow is away" not in durable.broker.log()  # before it is closed


def test_after_a_fork(connect):
    ana = connect("ana")
    ana.publish("x")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = []
        for call in (
            lambda: ana.publish("x"),
            lambda: ana.next(1),
            ana.close,
            lambda: ana.flush(1),
        ):
            try:
                call()
            except orden.Closed as error:
                said.append(str(error))
        os.write(writer, f"{len(said)} {ana.state} {said[0]}".encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 4096).decode()
    os.close(reader)
    os.waitpid(child, 0)
    assert said.startswith("4 closed this client belongs to process")
    assert "connect here, after the fork" in said
    ana.publish("y")
    assert [message.text for message in texts(ana, 2)] == ["x", "y"]


def test_under_trio(broker):
    async def main():
        client = await trio.to_thread.run_sync(orden.connect, broker.address, "ana")
        await trio.to_thread.run_sync(client.publish, "hola")
        message = await trio.to_thread.run_sync(texts, client, 1)
        assert message[0].text == "hola"
        await trio.to_thread.run_sync(client.close)

    trio.run(main)
