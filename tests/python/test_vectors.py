"""The frames in tests/vectors: what the package writes and reads of the native dialect, and what
a few lines of the standard library make of the fixed ones.
"""

import json

import pytest
from programs import ROOT

from orden import _batch, _wire

PROMISE = "this breaks a promise of docs/promises.md: version 1 of the wire only grows"
STARTS = ("now", "beginning", "at", "last", "resume")


def vectors(dialect, by):
    """The frames of a dialect that one side says."""
    text = (ROOT / f"tests/vectors/{dialect}.json").read_text()
    rows = [row for row in json.loads(text) if row["by"] == by]
    return [pytest.param(row, id=row["name"]) for row in rows if "fields" in row]


def as_bytes(value):
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value.encode()


def written(kind, fields):
    """What the package says, given the fields of a vector."""
    if kind == "hello":
        start = _wire.Start(STARTS.index(fields["start"]), fields["number"])
        name = as_bytes(fields["name"])
        options = {name: fields[name] for name in ("receive", "observe") if name in fields}
        return _wire.hello(name, start, log_id=fields["log_id"], **options)
    if kind == "publish":
        return _wire.publish(fields["first"], [as_bytes(text) for text in fields["payloads"]])
    if kind == "ack":
        return _wire.ack(fields["number"])
    if kind == "goodbye":
        return _wire.goodbye(stay=fields["stay"])
    return {"ping": _wire.ping, "pong": _wire.pong}[kind]()


@pytest.mark.parametrize("vector", vectors("native", "peer"))
def test_what_is_said(vector):
    if "attempt" in vector["fields"]:
        return  # the package says no hello with its connection's number
    assert written(vector["kind"], vector["fields"]).hex() == vector["hex"], PROMISE


def read(frame, kind):
    """What the package reads, as the fields of a vector."""
    heard = _wire.decode(frame)
    if kind == "welcome":
        fields = heard._asdict()
        return {"resumed": fields.pop("known"), **fields}
    if kind == "refusal":
        return heard._asdict()
    if kind == "confirm":
        runs = [
            {"sequence": run.sequence, "order": run.order, "count": run.length} for run in heard
        ]
        return {"runs": runs}
    assert type(heard).__name__.lower() == kind
    return {}


@pytest.mark.parametrize("vector", vectors("native", "broker"))
def test_what_is_heard(vector):
    frame = bytes.fromhex(vector["hex"])
    if vector["kind"] != "messages":
        assert read(frame, vector["kind"]) == vector["fields"], PROMISE
        return
    batches = vector["fields"]["batches"]
    records = [record for batch in batches for record in batch["records"]]
    ends = records[0]["order"], records[-1]["order"] + 1
    assert _batch.numbers(frame, batches[0]["log_id"]) == ends, PROMISE
    messages = _batch.records(frame, 0)
    for message, record in zip(messages, records, strict=True):
        assert message.order == record["order"], PROMISE
        assert message.sequence == record["client_sequence"], PROMISE
        assert message.payload == as_bytes(record["text"]), PROMISE
        assert message.sender_bytes == as_bytes(record["sender"]), PROMISE
        assert message.notice == record["notice"], PROMISE


@pytest.mark.parametrize("vector", vectors("binary", "peer") + vectors("binary", "broker"))
def test_the_binary_dialect(vector):
    frame, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    number = int.from_bytes(frame[:32], "big", signed=True)
    assert frame[32] == (vector["kind"] == "ack"), PROMISE
    assert number == fields.get("number", number), PROMISE
    assert frame[33:] == as_bytes(fields.get("payload", "")), PROMISE


@pytest.mark.parametrize("vector", vectors("json", "peer") + vectors("json", "broker"))
def test_the_json_dialect(vector):
    heard, fields = json.loads(bytes.fromhex(vector["hex"])), vector["fields"]
    assert heard["isACK"] is (vector["kind"] == "ack"), PROMISE
    assert heard["timeStamp"] == fields.get("number", heard["timeStamp"]), PROMISE
    if "payload" in fields and vector["name"] != "half of a surrogate pair":
        assert heard["message"] == fields["payload"], PROMISE
