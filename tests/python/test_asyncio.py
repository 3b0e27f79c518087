"""orden.asyncio: the same names, awaited."""

import asyncio
import gc

import pytest
from conftest import Restartable

import orden
import orden.asyncio


def running(test):
    """Runs a coroutine as a test."""

    def run(broker):
        asyncio.run(asyncio.wait_for(test(broker.address), 120))

    run.__name__ = test.__name__
    return run


async def texts(client, count):
    found = []
    while len(found) < count:
        message = await client.next(60)
        assert message is not None
        if not message.notice:
            found.append(message)
    return found


@running
async def test_publish_and_iterate(address):
    async with orden.asyncio.connect(address, "ana") as ana:
        assert (ana.name, ana.state) == ("ana", "connected")
        order = await ana.publish("hola")
        assert await ana.publish_json([1]) == order + 1
        seen = []
        async for message in ana:
            seen.append((message.order, message.text))
            if len(seen) == 2:
                break
        assert seen == [(order, "hola"), (order + 1, "[1]")]
        assert await ana.next(0.05) is None
    with pytest.raises(orden.Closed):
        await ana.publish("x")
    await ana.close()


@running
async def test_awaited(address):
    ana = await orden.asyncio.connect(address, "ana", first_sequence=1)
    receipt = await ana.send("x")
    await ana.flush()
    assert receipt.done()
    assert await receipt.order() == 1
    assert receipt.sequence == ana.last_sequence == 1
    await ana.leave()


@running
async def test_many_tasks_publish(address):
    async with orden.asyncio.connect(address, "ana") as ana:
        orders = await asyncio.gather(*(ana.publish(str(number)) for number in range(500)))
        assert sorted(orders) == list(range(1, 501))
        seen = await texts(ana, 500)
        assert [orders[int(message.text)] for message in seen] == sorted(orders)


@running
async def test_batches(address):
    async with orden.asyncio.connect(address, "ana") as ana:
        for number in range(1000):
            await ana.send(str(number))
        seen = []
        async for batch in ana.batches():
            seen += batch
            if len(seen) == 1000:
                break
        assert [message.text for message in seen] == [str(number) for number in range(1000)]


@running
async def test_other_tasks_have_their_turn(address):
    """However fast messages come."""
    async with orden.asyncio.connect(address, "ana") as ana:
        turns = 0

        async def other():
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        for number in range(20_000):
            await ana.send(str(number))
        await ana.flush()
        while not ana._core.inbox:
            await asyncio.sleep(0.01)
        task = asyncio.create_task(other())
        count = 0
        async for _ in ana:
            count += 1
            if count == 20_000:
                break
        assert turns > 2  # one a frame, at least
        task.cancel()


@running
async def test_a_cancelled_wait_loses_nothing(address):
    async with orden.asyncio.connect(address, "ana") as ana:
        waiting = asyncio.create_task(ana.next())
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        publishing = asyncio.create_task(ana.publish("x"))
        await asyncio.sleep(0)
        publishing.cancel()
        await ana.publish("y")
        assert [message.text for message in await texts(ana, 2)] == ["x", "y"]


@running
async def test_acknowledged_by_hand(address):
    async with orden.asyncio.connect(address, "ana", ack="manual") as ana:
        for text in "abc":
            await ana.publish(text)
        a, _, _ = await texts(ana, 3)
        await ana.ack(a.order)
        assert ana.position == a.position
    async with orden.asyncio.connect(address, "ana") as ana:
        assert [message.text for message in await texts(ana, 2)] == ["b", "c"]


@running
async def test_superseded(address):
    ana = await orden.asyncio.connect(address, "ana")
    waiting = asyncio.create_task(ana.next())
    newer = await orden.asyncio.connect(address, "ana")
    with pytest.raises(orden.Superseded):
        await waiting
    await newer.close()


def test_errors_of_connecting():
    async def connect():
        with pytest.raises(orden.NoAnswer, match="nothing answers"):
            await orden.asyncio.connect("127.0.0.1:1", timeout=0.3)
        with pytest.raises(orden.BadArgument):
            async with orden.asyncio.connect("8081"):
                pass

    asyncio.run(connect())


def test_a_broker_that_is_away(tmp_path):
    broker = Restartable(tmp_path / "log")

    async def publish():
        async with orden.asyncio.connect(broker.address, "ana") as ana:
            broker.kill()
            with pytest.raises(orden.Unconfirmed, match="the broker is away"):
                await ana.publish("x", timeout=0.5)
            receipt = await ana.send("y")
            with pytest.raises(orden.Unconfirmed):
                await ana.flush(0.1)
            broker.start()
            order = await receipt.order(60)
            assert (await texts(ana, 2))[-1].order == order

    asyncio.run(publish())
    broker.stop()


def test_a_loop_that_ends_first(broker):
    """Nothing of the client's is left waiting for it."""
    kept = []

    async def connect():
        kept.append(await orden.asyncio.connect(broker.address, "ana"))

    asyncio.run(connect())
    [ana] = kept
    with orden.connect(broker.address, "bea") as bea:
        bea.publish("x")
        ana._core.is_reader_waiting = True
        bea.publish("y")
        ana._thread.join(60)
        assert not ana._thread.is_alive()
    kept.clear()
    del ana
    gc.collect()


def test_nothing_happens_before_it_is_awaited():
    orden.asyncio.connect("127.0.0.1:1")
