"""Kills: the importer and the replica of docs/examples, and their broker, with kill -9."""

import contextlib
import itertools
import random
import sqlite3

import pytest
from programs import EXAMPLES, kill, start, until

import orden

KILLS = 20
RATE = 4000
"""Lines a second while there are kills, so that none comes too late."""
STEP = 200
"""Messages between two kills."""


class Crew:
    """An importer and a replica, each started again under its name when it was killed."""

    def __init__(self, broker, folder, lines):
        self.broker, self.lines, self.database = broker, lines, folder / "replica.db"
        self.processes = {"importer": self.importer(RATE), "replica": self.replica()}
        self.kills = dict.fromkeys(("broker", "importer", "replica"), 0)

    def importer(self, rate):
        address = self.broker.address
        return start(EXAMPLES / "importer.py", address, "importer", self.lines, rate)

    def replica(self):
        return start(EXAMPLES / "replica.py", self.broker.address, self.database)

    def count(self):
        for who, process in self.processes.items():
            assert not process.poll(), f"the {who} has ended by itself"
        with contextlib.closing(sqlite3.connect(self.database, timeout=60)) as database:
            try:
                return database.execute("SELECT count(*) FROM message").fetchone()[0]
            except sqlite3.OperationalError:  # it has no tables yet
                return 0

    def wait_for(self, count):
        until(lambda: self.count() >= count, f"{count} messages in the replica")

    def kill(self, who):
        self.kills[who] += 1
        if who == "broker":
            return self.broker.restart()
        process = self.processes[who]
        assert process.poll() is None, f"the {who} is through: the kills have come too late"
        kill(process)
        again = self.replica() if who == "replica" else self.importer(RATE)
        self.processes[who] = again
        return None

    def finish(self, count):
        """Lets the importer go on without a pause, and waits for the end of both."""
        kill(self.processes["importer"])
        importer = self.processes["importer"] = self.importer(0)
        until(lambda: importer.poll() is not None, "the importer's end")
        assert importer.returncode == 0
        self.wait_for(count)

    def end(self):
        for process in self.processes.values():
            kill(process)


@pytest.mark.long
def test_kills_lose_nothing_and_repeat_nothing(durable, tmp_path):
    inputs = [f"line {number} {'x' * (number % 97)}" for number in range(120_000)]
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{line}\n" for line in inputs))
    whom = ["broker"] * KILLS + ["importer", "replica"] * (KILLS // 2)
    random.Random(14).shuffle(whom)
    crew = Crew(durable, tmp_path, lines)
    try:
        for who in whom:
            crew.wait_for(crew.count() + STEP)
            crew.kill(who)
        assert crew.count() < len(inputs), "the kills have come too late"
        crew.finish(len(inputs) + 2)
    finally:
        crew.end()
    assert crew.kills == {"broker": KILLS, "importer": KILLS // 2, "replica": KILLS // 2}
    judge(crew, inputs)


def judge(crew, inputs):
    """Compares what the replica has with the file, and with what the broker has in order."""
    with contextlib.closing(sqlite3.connect(crew.database)) as database:
        rows = database.execute("SELECT number, sender, payload FROM message ORDER BY number")
        rows = rows.fetchall()
    assert [number for number, _, _ in rows] == list(range(len(rows)))
    imported = [payload.decode() for _, sender, payload in rows if sender == "importer"]
    assert imported == inputs
    with orden.connect(crew.broker.address, start="start") as judge:
        messages = itertools.islice(judge, len(rows))
        assert [(message.order, message.sender, message.payload) for message in messages] == rows
