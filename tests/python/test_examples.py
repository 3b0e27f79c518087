"""The examples in docs/examples, as a reader would run them. test_faults.py has two more."""

import itertools
import json
import queue
import re
import subprocess
import threading
import urllib.request

import pytest
from programs import EXAMPLES, PATIENCE, running, until

import orden

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}


class Lines:
    """The lines that a program or a response gives, one after the other, each with a deadline."""

    def __init__(self, stream):
        self.queue = queue.Queue()
        self.thread = threading.Thread(target=self.read, args=(stream,), daemon=True)
        self.thread.start()

    def read(self, stream):
        with stream:
            for line in stream:
                self.queue.put(line)

    def next(self):
        line = self.queue.get(timeout=PATIENCE)
        return (line if isinstance(line, str) else line.decode()).rstrip("\n")


def tell(process, text):
    process.stdin.write(text + "\n")
    process.stdin.flush()


def test_chat(broker):
    with running(EXAMPLES / "chat.py", broker.address, "ana", **PIPES) as ana:
        tell(ana, "hola")
        ana_sees = Lines(ana.stdout)
        assert ana_sees.next() == "1 ana: hola"
        with running(EXAMPLES / "chat.py", broker.address, "bea", **PIPES) as bea:
            assert ana_sees.next() == "2 Server: bea has joined the net"
            bea_sees = Lines(bea.stdout)
            tell(bea, "\x1b[2J¿qué?")
            assert bea_sees.next() == ana_sees.next() == "3 bea: \\x1b[2J¿qué?"
            bea.stdin.close()
            assert bea.wait(PATIENCE) == 0
        tell(ana, "are you there?")
        assert ana_sees.next() == "4 ana: are you there?"
        with running(EXAMPLES / "chat.py", broker.address, "bea", **PIPES) as bea:
            bea_sees = Lines(bea.stdout)
            line = bea_sees.next()
            if line.startswith("3 "):
                # She may have left before that was counted as processed.
                line = bea_sees.next()
            assert line == "4 ana: are you there?"
            bea.stdin.close()
            bea.wait(PATIENCE)
        ana.stdin.close()
        assert ana.wait(PATIENCE) == 0


def test_importer_and_replica(broker, tmp_path):
    """Without kills; with them see test_faults.py."""
    lines = tmp_path / "lines"
    lines.write_text("a\nb\n")
    importer = (EXAMPLES / "importer.py", broker.address, "importer", lines)
    for expected in ("2", "2"):
        with running(*importer, **PIPES) as process:
            assert Lines(process.stdout).next() == f"{expected} lines are in the order"
            assert process.wait(PATIENCE) == 0
    lines.write_text("a\nB\n")
    with running(*importer, **PIPES, stderr=subprocess.PIPE) as process:
        _, said = process.communicate(timeout=PATIENCE)
        assert "orden._errors.SequenceReused: client sequence 2" in said


def events(worker, count):
    """What a worker's cache goes through."""
    for number in range(count):
        yield {"stored": [f"{worker % 2}-{number}", f"{worker}-{number}"]}
        if number % 3 == 2:
            yield {"removed": [f"{worker}-{number - 1}"]}
        if number == count // 2:
            yield {"cleared": True}


def test_router(broker, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    import router

    script = EXAMPLES / "router.py"
    names = [f"gpu-{number}" for number in range(4)]
    workers = [(script, "worker", broker.address, name) for name in names]
    with orden.connect(broker.address, start="start") as reader:
        processes = []
        for number, command in enumerate(workers):
            with running(*command, **PIPES) as process:
                lines = "".join(json.dumps(event) + "\n" for event in events(number, 60))
                process.communicate(lines, timeout=PATIENCE)
                processes.append(process.returncode)
        assert processes == [0] * 4
        live = router.Index()
        history = []  # the index at each number
        router.catch_up(reader, live)
    with orden.connect(broker.address, start="start") as reader:
        index = router.Index()
        for message in itertools.islice(reader, live.position.next):
            index.apply(message)
            history.append(json.dumps(index.holders, default=sorted, sort_keys=True))
    assert index.holders == live.holders
    # Rebuilt from any point, over a snapshot, it is the same.
    path = tmp_path / "snapshot.json"
    for point in range(0, live.position.next, 37):
        index = router.Index()
        with orden.connect(broker.address, start="start") as reader:
            for message in itertools.islice(reader, point + 1):
                index.apply(message)
        index.save(path)
        index = router.Index.load(path)
        with orden.connect(broker.address, start=index.position) as reader:
            for message in itertools.islice(reader, live.position.next - point - 1):
                index.apply(message)
                now = {block: held for block, held in index.holders.items() if held}
                before = json.loads(history[message.order])
                assert {block: sorted(held) for block, held in now.items()} == {
                    block: held for block, held in before.items() if held
                }


def test_router_as_a_program(broker, tmp_path):
    script = EXAMPLES / "router.py"
    with running(script, "worker", broker.address, "gpu-0", **PIPES) as worker:
        worker.communicate('{"stored": [1, 2]}\n', timeout=PATIENCE)
    for stored, expected in (("", ("gpu-0", 2)), ('{"stored": [1, 2, 3]}\n', ("gpu-1", 3))):
        with running(script, "worker", broker.address, "gpu-1", **PIPES) as worker:
            worker.communicate(stored, timeout=PATIENCE)
        snapshot = tmp_path / "snapshot.json"
        with running(script, "route", broker.address, snapshot, **PIPES) as route:
            said, _ = route.communicate("[1, 2, 3, 4]\n[7]\n", timeout=PATIENCE)
        best, none = map(json.loads, said.splitlines())
        assert (best["worker"], best["blocks"]) == expected
        assert none == {"worker": None, "blocks": 0}


@pytest.fixture
def site(broker, monkeypatch):
    monkeypatch.setenv("ORDEN_ADDRESS", broker.address)
    pytest.importorskip("fastapi", reason="tests/python/requirements.txt is not installed")
    command = ("-m", "uvicorn", "browser:app", "--app-dir", EXAMPLES, "--port", "0")
    with running(*command, stderr=subprocess.PIPE, text=True) as server:
        lines = Lines(server.stderr)
        yield until(lambda: re.search(r"http://[\d.:]+", lines.next()), "the server's port")[0]


def stream(site, last_event_id=""):
    request = urllib.request.Request(f"{site}/messages", headers={"Last-Event-ID": last_event_id})
    return Lines(urllib.request.urlopen(request, timeout=PATIENCE))


def event(lines):
    """The next event: its id and its data."""
    fields = {}
    while True:
        line = lines.next()
        if not line and "id" in fields:
            return fields["id"], json.loads(fields["data"])
        key, _, value = line.partition(": ")
        fields[key] = value


def post(site, text):
    data = json.dumps(text).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{site}/messages", data, headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.load(response)["order"]


def test_browser(broker, site):
    with urllib.request.urlopen(site, timeout=PATIENCE) as page:
        assert b"EventSource" in page.read()
    first, second = stream(site), stream(site)
    with orden.connect(broker.address, "ana") as ana:
        order = ana.publish("hola")
        for lines in (first, second):
            while (found := event(lines))[1] != f"{order} ana: hola":
                pass
        mine = post(site, "¿qué?")
        assert event(first) == event(second)
        # A browser that comes back is sent what it has missed, and nothing twice.
        back = stream(site, found[0])
        assert event(back)[1].startswith(f"{mine} ")
        assert ana.next(30).text == "hola"
        assert ana.next(30).text == "¿qué?"
