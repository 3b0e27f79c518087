"""Half a million messages through a client that is slower than its publisher, with restarts."""

import subprocess
import threading

from programs import ROOT, running, until
from slow_reader import memory

import orden

COUNT = 500_000
RESTARTS = 5
PAUSE = 0.001  # seconds in a hundred messages
GROWTH = 24 << 10
"""KiB that a process may grow: some windows of 2 MiB, and what the allocator keeps of them."""


def test_memory_stays_flat(durable):
    arguments = durable.address, COUNT, PAUSE
    reader_script = ROOT / "tests/python/slow_reader.py"
    with orden.connect(durable.address, "publisher", receive=False) as publisher:
        with running(reader_script, *arguments, stdout=subprocess.PIPE, text=True) as reader:
            said = []
            listener = threading.Thread(target=lambda: said.extend(reader.stdout))
            listener.start()
            own = publish(durable, publisher)
            behind = COUNT - 20_000 * len(said)
            until(lambda: reader.poll() is not None, "the reader's end")
            listener.join()
    assert said[-1] == f"seen {COUNT}\n"
    readers = [int(line.split()[1]) for line in said[:-1]]
    assert len(readers) == COUNT // 20_000
    assert behind > 0, "the reader was not slower than its publisher"
    for name, sizes in (("the reader", readers), ("the publisher", own)):
        settled = sizes[2]
        assert max(sizes) - settled < GROWTH, f"{name} has grown: {sizes} KiB"


def publish(broker, publisher):
    """Publishes all, while the broker is killed and started; returns sizes of this process."""
    sizes = []
    for number in range(COUNT):
        publisher.send(b"%09d %s" % (number, b"x" * 100))
        if number % 20_000 == 0:
            sizes.append(memory())
        if number % (COUNT // RESTARTS) == COUNT // RESTARTS // 2:
            broker.restart()
    publisher.flush(120)
    return sizes
