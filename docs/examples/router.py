"""Routes requests to the worker that has most of a prompt in its KV cache.

Workers publish which blocks they have stored and dropped, from as many processes as there are:

    python router.py worker 127.0.0.1:8081 gpu-0 < events.jsonl

A router keeps the index of who has what. All routers see the events in one order, so all have the
same index at the same number; one that is new or was restarted rebuilds exactly that, from the
start or from a snapshot, and knows if events are missing:

    python router.py route 127.0.0.1:8081 snapshot.json < prompts.jsonl

An event is {"stored": [BLOCK, ...]}, {"removed": [BLOCK, ...]} or {"cleared": true}; a prompt is a
list of blocks, each a hash that stands for all tokens up to its end.
"""

import json
import os
import sys
from pathlib import Path

import orden


class Index:
    """Which workers hold which blocks, as of a position in the order."""

    def __init__(self) -> None:
        self.holders: dict[str, set[str]] = {}
        self.position: orden.Position | None = None

    def apply(self, message: orden.Message) -> None:
        """Take the next message of the order; notices say which workers are gone."""
        if message.notice:
            worker, _, what = message.text.rpartition(" has ")
            if what.startswith("left"):
                self.clear(worker)
        else:
            event = message.json()
            for block in map(str, event.get("stored", ())):
                self.holders.setdefault(block, set()).add(message.sender)
            for block in map(str, event.get("removed", ())):
                self.holders.get(block, set()).discard(message.sender)
            if event.get("cleared"):
                self.clear(message.sender)
        self.position = message.position

    def clear(self, worker: str) -> None:
        for workers in self.holders.values():
            workers.discard(worker)

    def best(self, prompt: list[object]) -> tuple[str | None, int]:
        """The worker with the longest prefix of a prompt, and how many blocks that is."""
        length, candidates, chosen = 0, None, None
        for block in map(str, prompt):
            holders = self.holders.get(block, set())
            candidates = holders if candidates is None else candidates & holders
            if not candidates:
                break
            length, chosen = length + 1, min(candidates)
        return chosen, length

    def save(self, path: Path) -> None:
        """Write a snapshot, whole or not at all."""
        holders = {block: sorted(workers) for block, workers in self.holders.items() if workers}
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"position": self.position, "holders": holders}))
        os.replace(new, path)

    @classmethod
    def load(cls, path: Path) -> "Index":
        index = cls()
        if path.exists():
            snapshot = json.loads(path.read_text())
            index.position = orden.Position(*snapshot["position"])
            index.holders = {b: set(workers) for b, workers in snapshot["holders"].items()}
        return index


def catch_up(client: orden.Client, index: Index) -> None:
    """Apply what was ordered so far: up to this client's own mark in the order."""
    mark = client.publish_json({})
    while index.position is None or index.position.next <= mark:
        message = client.next()
        assert message is not None
        index.apply(message)


def worker(address: str, name: str) -> None:
    with orden.connect(address, name, receive=False) as client:
        for line in sys.stdin:
            client.send(line.strip())
        client.flush()


def route(address: str, path: str) -> None:
    index = Index.load(Path(path))
    with orden.connect(address, start=index.position or "start") as client:
        for line in sys.stdin:
            catch_up(client, index)
            chosen, blocks = index.best(json.loads(line))
            print(json.dumps({"worker": chosen, "blocks": blocks}), flush=True)
        index.save(Path(path))


if __name__ == "__main__":
    {"worker": worker, "route": route}[sys.argv[1]](*sys.argv[2:])
