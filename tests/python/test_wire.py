"""The codec: the examples of docs/protocol.md, and whatever else may arrive."""

import random
import re

import pytest
from participant_scene import batch
from programs import ROOT

from orden import _batch, _wire
from orden._message import Position

LOG_ID = 0x0123456789ABCDEF
EXAMPLE = re.compile(r"^```hex ([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples():
    """The frames in docs/protocol.md, by their titles."""
    page = (ROOT / "docs/protocol.md").read_text()
    for title, text in EXAMPLE.findall(page):
        yield title, bytes.fromhex("".join(line.split(";")[0] for line in text.splitlines()))


def example(beginning):
    [frame] = [frame for title, frame in examples() if title.startswith(beginning)]
    return frame


def test_what_is_said_is_as_documented():
    start = _wire.Start(_wire.RESUME, 18)
    assert _wire.hello(b"ana", start, receive=True, log_id=LOG_ID) == example('hello of "ana"')
    payloads = ["hola".encode(), "¿qué?".encode()]
    assert _wire.publish(8, payloads) == example("publish of")
    assert _wire.ack(20) == example("ack of 20")


def test_what_is_heard_is_as_documented():
    welcome = _wire.Welcome(True, 2, LOG_ID, 18, 20, 7, 0x2000, 0x400000)
    assert _wire.decode(example("welcome of")) == welcome
    assert _wire.decode(example("confirm of")) == [_wire.Run(8, 20, 2)]
    refusal = _wire.Refusal(4, 8, "client sequences were skipped")
    assert _wire.decode(example("refusal of")) == refusal
    frame = example("batch of one record")
    assert _wire.decode(frame) == _wire.Messages()
    assert _batch.numbers(frame, LOG_ID) == (20, 21)
    [message] = _batch.records(frame, 20)
    assert (message.order, message.sender, message.text, message.sequence) == (20, "ana", "hola", 8)
    assert message.position == Position(LOG_ID, 21)
    assert message.time.year == 2023
    assert not message.notice


def test_every_code_of_the_page_is_known():
    page = (ROOT / "docs/protocol.md").read_text()
    table = page.split("| code | name |")[1].split("\n\n")[0]
    codes = re.findall(r"^\| (\d+) \| (\w+) \|", table, re.MULTILINE)
    documented = {int(code): name for code, name in codes}
    assert documented == {code: _wire.CODES[code] for code in documented}


def test_several_batches_are_one_frame():
    frame = batch(7, 3, 5, 10) + batch(7, 6, 6, 0) + batch(7, 7, 9, 1)
    assert _batch.numbers(frame, 7) == (3, 10)
    assert [message.order for message in _batch.records(frame, 5)] == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "frame",
    [
        batch(7, 3, 5, 1) + batch(7, 7, 8, 1),  # a gap
        batch(7, 3, 5, 1) + batch(8, 6, 8, 1),  # another log
        batch(7, 3, 5, 1) + b"O",
        b"",
    ],
)
def test_what_is_no_frame_of_messages(frame):
    with pytest.raises(_wire.DecodeError):
        _batch.numbers(frame, 7)


def test_every_flipped_bit_is_found():
    frame = batch(7, 3, 4, 5)
    for bit in range(len(frame) * 8):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(_wire.DecodeError):
            _batch.numbers(bytes(damaged), 7)
            _batch.records(bytes(damaged), 3)


def test_whatever_arrives_is_a_value_or_an_error_with_a_name():
    seeds = [frame for _, frame in examples()] + [batch(7, 3, 5, 9) * 2, _wire.ping()]
    draw = random.Random(7)
    errors = set()
    for _ in range(20_000):
        frame = bytearray(draw.choice(seeds))
        for _ in range(draw.randrange(4)):
            place = draw.randrange(len(frame) + 1)
            frame[place : place + draw.randrange(9)] = draw.randbytes(draw.randrange(9))
        for read in (
            _wire.decode,
            lambda frame: _batch.numbers(frame, 7),
            lambda frame: _batch.records(frame, 0),
        ):
            try:
                read(bytes(frame))
            except _wire.DecodeError as error:
                errors.add(error.reason)
    page = (ROOT / "docs/protocol.md").read_text()
    assert errors >= {"truncated", "trailing_bytes", "bad_checksum", "field_out_of_range"}
    for reason in errors:
        assert f"\n| {reason} |" in page
