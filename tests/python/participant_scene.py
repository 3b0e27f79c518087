"""One client's machine, moved by a script of tests/participant; tells what happens, a line each.

The twin of tests/support/participant_scene.rs, where the language is described.
"""

import struct
import zlib

from orden import _wire
from orden._machine import Limits, Participant, Settings
from orden._machine import events as told
from orden._machine.events import EndKind, Obstacle
from orden._wire import CODES, Start, Welcome

LOG_ID = 7
ROUNDS_MAX = 1000
"""More rounds than any command needs: the machine must come to rest."""
ERRORS = {"trailing_bytes": "Trailing"}
STARTS = ("now", "beginning", "at", "last", "resume")
UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000}


class Scene:
    """What a script's commands do, and what then happens."""

    def __init__(self):
        self.settings, self.limits = Settings(b"ana", by_application=False), Limits()
        self.now = 86_400_000_000  # the machine must not take its clock's beginning for anything
        self.is_busy = self.is_together = False
        self.said = []
        self.remake()

    def remake(self):
        self.machine = Participant(self.settings, self.limits)

    def run(self, line):
        verb, _, rest = line.partition(" ")
        getattr(self, "do_" + verb.replace("-", "_"))(rest)

    def take_said(self):
        said, self.said = self.said, []
        return said

    # Before anything else.

    def do_from(self, rest):
        start, *options = rest.split(" ")
        number = int(options.pop(0)) if start in {"at", "last", "resume"} else 0
        self.settings.start = Start(STARTS.index(start), number)
        found = dict(option.split("=") for option in options)
        self.settings.log_id = int(found.get("log", 0))
        self.settings.epoch = int(found.get("epoch", 0))
        self.remake()

    def do_by_application(self, _):
        self.settings.by_application = True
        self.remake()

    def do_known(self, _):
        self.settings.refuse_unknown = True
        self.remake()

    def do_life(self, rest):
        self.settings.life = int(rest)
        self.remake()

    def do_publish_only(self, _):
        self.settings.receive = False
        self.remake()

    def do_numbering(self, rest):
        self.settings.first_sequence = int(rest)
        self.remake()

    def do_limits(self, rest):
        for setting in rest.split(" "):
            key, value = setting.split("=")
            assert hasattr(self.limits, key.replace("-", "_")), key
            setattr(self.limits, key.replace("-", "_"), int(value))
        self.remake()

    # The connection.

    def do_connected(self, _):
        self.machine.connected(self.now)
        self.settle()

    def do_disconnected(self, _):
        self.machine.disconnected(self.now)
        self.settle()

    def do_unreachable(self, rest):
        obstacles = {"key": Obstacle.KEY_REFUSED, "hung-up": Obstacle.HUNG_UP}
        self.machine.unreachable(self.now, obstacles.get(rest, Obstacle.NOBODY_THERE))
        self.settle()

    # The broker.

    def hear(self, frame):
        new = self.machine.hear(self.now, frame)
        if new is not None:
            self.said.append(f"delivered {new[0]}-{new[1] - 1}")
        self.settle()

    def do_welcome(self, rest):
        self.hear(welcome(rest))

    def do_messages(self, rest):
        numbers, _, length = rest.partition(" bytes=")
        first, last = span(numbers)
        self.hear(batch(LOG_ID, first, last, int(length or 4)))

    def do_confirm(self, rest):
        runs = [run.split(" as ") for run in rest.split(", ")]
        frame = bytes((0x4F, 1, _wire.CONFIRM, 0)) + struct.pack(">I", len(runs))
        for sequences, order in runs:
            first, last = span(sequences.removeprefix("#"))
            frame += struct.pack(">QQI", first, int(order), last - first + 1)
        self.hear(frame)

    def do_refuse(self, rest):
        name, detail = rest.split(" ")
        code = {name: code for code, name in CODES.items()}[name]
        head = bytes((0x4F, 1, _wire.REFUSAL, 0))
        self.hear(head + struct.pack(">HHQ", code, 7, int(detail)) + b"because")

    def do_ping(self, _):
        self.hear(_wire.ping())

    def do_pong(self, _):
        self.hear(_wire.pong())

    def do_goodbye(self, _):
        self.hear(_wire.goodbye(stay=True))

    def do_frame(self, rest):
        self.hear(bytes.fromhex(rest))

    # The application, and time.

    def do_publish(self, rest):
        for text in rest.split(", "):
            try:
                self.machine.publish(text.encode())
            except told.NotTaken as error:
                self.said.append(f"not published: {not_taken_shown(error)}")
        self.settle()

    def do_process(self, rest):
        try:
            self.machine.acknowledge(self.now, int(rest))
        except told.NotDelivered:
            self.said.append(f"not processed: {rest} was not delivered")
        self.settle()

    def do_flush(self, _):
        self.machine.flush()
        self.settle()

    def do_leave(self, _):
        self.machine.leave(stay=False)
        self.settle()

    def do_away(self, _):
        self.machine.leave(stay=True)
        self.settle()

    def do_busy(self, _):
        self.is_busy = True
        self.settle()

    def do_ready(self, _):
        self.is_busy = False
        self.settle()

    def do_together(self, _):
        self.is_together = True

    def do_end(self, _):
        self.is_together = False
        self.settle()

    def do_wait(self, rest):
        """Lets time pass; what has a deadline is done on time."""
        digits = rest.rstrip("ms")
        start, end = self.now, self.now + int(digits) * UNITS[rest.removeprefix(digits)]
        before = self.take_said()
        for _ in range(ROUNDS_MAX):
            due = self.machine.stale_at() if self.is_busy else self.machine.deadline()
            is_due = due is not None and due <= end
            self.now = max(self.now, due if is_due else end)
            self.machine.tick(self.now)
            self.settle()
            before += [f"+{shown_time(self.now - start)} {line}" for line in self.take_said()]
            if not is_due:
                self.said = before
                return
        raise AssertionError(f"the machine's deadline never comes: {self.machine.deadline()}")

    def settle(self):
        """Takes what the machine wants sent and told."""
        if self.is_together:
            return
        while not self.is_busy and (frame := self.machine.next_frame(self.now)) is not None:
            self.said.append(f"> {frame_shown(frame)}")
        while (event := self.machine.next_event()) is not None:
            self.said.append(event_shown(event))


def span(text):
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def welcome(rest):
    fields = Welcome(False, 1, LOG_ID, 0, 0, 0, 8192, 4 << 20)._asdict()
    keys = {"log": "log_id", "last": "last_sequence", "window": "publish_window"}
    keys |= {"largest": "largest_message", "begin": "begin", "end": "end"}
    keys |= {"epoch": "epoch"}
    for word in rest.split(" "):
        key, is_set, value = word.partition("=")
        if is_set:
            fields[keys[key]] = int(value)
        else:
            fields["known"] = key == "back"
    known, *numbers = fields.values()
    return bytes((0x4F, 1, _wire.WELCOME, known)) + struct.pack(">IQQQQII", *numbers)


def batch(log_id, first, last, length, name=b"ben", payload=None, sequence=0, flags=0):
    """A batch of messages that all have so many bytes."""
    payload = b"." * length if payload is None else payload
    records = b""
    for order in range(first, last + 1):
        body = struct.pack(">QQQBBH", order, sequence, 0, flags, len(name), 0) + name + payload
        size = struct.pack(">I", len(body) + 8)
        records += size + struct.pack(">I", zlib.crc32(size + body)) + body
    head = struct.pack(">BBBBI", 0x4F, 1, 0x10, 0, 48 + len(records))
    tail = struct.pack(">IQQQII", last - first + 1, first, first, log_id, 1, 0)
    return head + struct.pack(">I", zlib.crc32(head + tail)) + tail + records


def frame_shown(frame):
    kind, options = frame[2:4]
    if kind == _wire.HELLO:
        start, _, length, number, log_id = struct.unpack_from(">BHBQQ", frame, 4)
        shown = f"hello {frame[24 : 24 + length].decode()} {STARTS[start]}"
        shown += f" {number}" if start >= _wire.AT else ""
        shown += "" if options & 1 else " publish-only"
        shown += f" log={log_id}" if log_id else ""
        if options & 2:
            life, number = struct.unpack_from(">QI", frame, 24 + length)
            shown += f" attempt={life}.{number}"
        return shown
    if kind == _wire.PUBLISH:
        count, first = struct.unpack_from(">IQ", frame, 4)
        texts, at = [], 16
        for _ in range(count):
            (length,) = struct.unpack_from(">I", frame, at)
            texts.append(shortened(frame[at + 4 : at + 4 + length].decode()))
            at += 4 + length
        assert at == len(frame)
        return f"publish #{first} {', '.join(texts)}"
    if kind == _wire.ACK:
        return f"ack {struct.unpack_from('>Q', frame, 8)[0]}"
    if kind == _wire.GOODBYE:
        return f"goodbye, {'Away' if options & 1 else 'Leave'}"
    return {_wire.PING: "ping", _wire.PONG: "pong"}[kind]


def shortened(text):
    return text if len(text) <= 20 else f"{text[:8]}… ({len(text)} bytes)"


def shown_time(microseconds):
    seconds, rest = divmod(microseconds, 1_000_000)
    if seconds == 0:
        return f"{rest / 1000:g}ms"
    return f"{microseconds / 1_000_000:g}s"


def event_shown(event):
    match event:
        case told.Welcomed(welcome):
            return "welcomed back" if welcome.known else "welcomed"
        case told.Away():
            return "Away"
        case told.Unreachable(obstacle):
            return f"Unreachable({camel(obstacle.name.lower())})"
        case told.Confirmed((sequence, order, count)):
            return f"confirmed #{sequence}-{sequence + count - 1} as {order}"
        case told.OrderedBefore(first, count):
            return f"ordered before: {count} from #{first}"
        case told.SkippedAhead(first, following):
            return f"skipped {first}-{following - 1}"
        case told.NoSpace():
            return "NoSpace"
        case told.Complaint(code, text):
            name = camel(CODES[code]) if code in CODES else f"Unknown({code})"
            return f'Refused {{ code: {name}, text: "{text}" }}'
        case told.Undecodable(reason):
            return f"Undecodable({ERRORS.get(reason, camel(reason))})"
        case told.Ended(ending):
            return f"ended: {ending_shown(ending)}"
    raise AssertionError(event)


def camel(name):
    return "".join(word.title() for word in name.split("_"))


def ending_shown(ending):
    number, text = ending.number, ending.text
    return {
        EndKind.DEPARTED: "said goodbye",
        EndKind.UNANSWERED: "the broker has not answered the goodbye: "
        "the session may still be there",
        EndKind.UNKNOWN_NAME: "the broker does not know this name",
        EndKind.SUPERSEDED: "another connection has taken this name",
        EndKind.SEQUENCES_TAKEN: "another connection has published under this name, "
        f"up to client sequence {number}",
        EndKind.LOG_REGRESSED: f"{text} (it goes on with number {number})",
        EndKind.CONFIRMED_LOST: "the broker has lost confirmed messages: "
        f"it expects client sequence {number}",
        EndKind.SESSION_ENDED: "the session has ended in the meantime",
        EndKind.SEQUENCE_REUSED: f"client sequence {number} was used for another message",
        EndKind.SEQUENCE_AHEAD: f"the session goes on with client sequence {number}, "
        f"not with {text}",
        EndKind.REFUSED: f"the broker refuses: {text} ({CODES.get(number)})",
    }[ending.kind]


def not_taken_shown(error):
    match error:
        case told.NotWelcomed():
            return "the broker has not answered yet"
        case told.WindowFull():
            return "too many messages are unconfirmed"
        case told.MessageTooLarge():
            return f"a message can have {error.most} bytes"
    return "the session is over"
