"""Records a log and sessions with the broker of today, for every later one to be held to.

Run it when a version is released whose log or wire has grown, and keep what earlier versions left:

    target/peers-venv/bin/python tests/compatibility/record.py target/debug/orden-broker NAME

It makes tests/compatibility/NAME: `closed`, the log of a broker that was stopped, `killed`, the log
of one that was not, and sessions of which `UPDATE_COMPATIBILITY=NAME cargo test --test processes
compatibility` writes down the answers. README.md there says more.
"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

import zmq

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "peers"))
import native_peer  # noqa: E402

SMALL = ["--max-message-bytes", "1024", "--segment-bytes", "8392704"]


def broker(program, data):
    flags = ["--address", "127.0.0.1:0", "--data", data, *SMALL]
    process = subprocess.Popen([program, *flags], stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().split()[-1]


def publish(address, name, texts):
    client = native_peer.Client(address, name)
    client.publish(*texts)
    while client.unconfirmed:
        for _ in client.receive():
            pass
    client.close()


def fixed(address, name, frames, until):
    """A peer of a fixed dialect that says these frames and acknowledges up to a message."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, name)
    socket.connect(address)
    for frame in frames:
        socket.send(frame)
    while True:
        frame = socket.recv()
        if frame[:1] == b"{":
            order = json.loads(frame)["timeStamp"]
            socket.send_json({"timeStamp": order, "isACK": True})
        else:
            order = int.from_bytes(frame[:32], "big")
            socket.send(binary(order, True))
        if frame.find(until) >= 0:
            break
    socket.close(linger=1000)


def binary(number, is_ack, payload=b""):
    return number.to_bytes(32, "big", signed=True) + bytes([is_ack]) + payload


def keep(data, folder):
    """The segments, without the zeros that they end with."""
    folder.mkdir()
    for segment in pathlib.Path(data).glob("*.segment"):
        (folder / segment.name).write_bytes(segment.read_bytes().rstrip(b"\0"))


def record_log(program, folder):
    data = tempfile.mkdtemp()
    process, address = broker(program, data)
    publish(address, "ana", ["hola".encode(), "¿qué?".encode(), b"", b"\x00\xff"])
    fixed(address, b"berta", [binary(-1, True), binary(0, False, b"berta: buenas")], b"buenas")
    line = {"timeStamp": 0, "isACK": False, "message": "no name before it"}
    fixed(address, b"carla", [json.dumps(line).encode()], b"no name")
    process.kill()
    process.wait()
    process, address = broker(program, data)
    publish(address, "dora", [b"%d" % number for number in range(1, 11)])
    process.kill()
    process.wait()
    keep(data, folder / "killed")
    process, address = broker(program, data)
    publish(address, "ana", ["in the third epoch".encode()])
    process.terminate()
    assert process.wait() == 0
    keep(data, folder / "closed")
    shutil.rmtree(data)


def sessions(log_id):
    """What peers say: by the name of the file, the transport and each frame."""
    say = lambda kind, options, layout, *fields: (  # noqa: E731
        bytes([ord("O"), 1, kind, options]) + struct.pack(">" + layout, *fields)
    )
    hello = lambda name, start, number, log: (  # noqa: E731
        say(native_peer.HELLO, 1, "BHBQQ", start, 0, len(name), number, log) + name
    )
    text = lambda text: struct.pack(">I", len(text)) + text  # noqa: E731
    resumed = [
        hello(b"reader", native_peer.RESUME, 0, log_id),
        say(native_peer.ACK, 0, "IQ", 0, 15),
        say(native_peer.PING, 0, ""),
        say(native_peer.GOODBYE, 1, ""),
    ]
    repeated = [
        hello(b"ana", native_peer.RESUME, 20, log_id),
        say(native_peer.ACK, 0, "IQ", 0, 20),
        say(native_peer.PUBLISH, 0, "IQ", 1, 2) + text("¿qué?".encode()),
        say(native_peer.PUBLISH, 0, "IQ", 1, 6) + text(b"new"),
        say(native_peer.PUBLISH, 0, "IQ", 1, 8) + text(b"a gap"),
        say(native_peer.PUBLISH, 0, "IQ", 1, 6) + text(b"another text"),
    ]
    refused = [
        say(native_peer.PING, 0, ""),
        say(native_peer.PUBLISH, 0, "IQ", 1, 1) + text(b"x"),
        hello(b"eva", native_peer.RESUME, 3, log_id ^ 1),
        hello(b"eva", native_peer.RESUME, 1 << 40, log_id),
        say(0x20, 0, ""),
        b"O\1\3",
    ]
    json_ack = lambda number: json.dumps({"timeStamp": number, "isACK": True}).encode()  # noqa: E731
    line = {"timeStamp": 0, "isACK": False, "message": "carla: más"}
    line = json.dumps(line, ensure_ascii=False).encode()
    return {
        "native-resumes": ("anyone", resumed),
        "native-repeats": ("anyone", repeated),
        "native-refused": ("anyone", refused),
        "binary": (
            "berta",
            [binary(-1, True), binary(20, True), binary(0, False, b"berta: again")],
        ),
        "json": ("carla", [json_ack(-1), json_ack(20), line]),
        "binary-from-a-number": ("flora", [binary(2, True)]),
    }


def main():
    program, name = sys.argv[1:]
    folder = pathlib.Path(__file__).parent / name
    folder.mkdir()
    record_log(program, folder)
    segments = sorted((folder / "closed").glob("*.segment"))
    log_id = int.from_bytes(segments[0].read_bytes()[16:24], "big")
    for title, (peer, frames) in sessions(log_id).items():
        lines = [f"peer {peer}", *(f"> {frame.hex()}" for frame in frames)]
        (folder / f"{title}.session").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
