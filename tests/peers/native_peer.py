"""A complete client of the native dialect, and a peer made of it; see docs/protocol.md."""

import sys

import peer

# The client begins here.
import itertools
import secrets
import struct
import time
import zlib

import zmq

HELLO, PUBLISH, ACK, GOODBYE, PING, PONG = range(0x01, 0x07)
MESSAGES, WELCOME, CONFIRM, REFUSAL = range(0x10, 0x14)
NOW, RESUME, RECEIVE, ATTEMPT, AWAY, VERBATIM = 0, 4, 1, 2, 1, 2
NO_SESSION, SEQUENCE_GAP, NO_SPACE, ACK_AHEAD, TRIMMED, CLOSING = 2, 4, 7, 8, 9, 14
PATIENCE, FRAME_BYTES = 5, 50_000  # seconds without news; bytes of texts to a frame
PATIENCE_OF_SEVERAL, HELLOS = 2, 2  # the same, and hellos in vain, where there are other brokers


class Skipped(Exception):
    """Messages that were to be delivered are no longer kept: deliveries go on behind them."""


class Client:
    """Whatever is published is ordered once; whatever is ordered is delivered once."""

    def __init__(self, addresses, name, **options):
        """One address, or those of several brokers of one order, to be tried in turn."""
        self.addresses = [addresses] if isinstance(addresses, str) else addresses
        self.has_others = len(self.addresses) > 1
        self.patience = PATIENCE_OF_SEVERAL if self.has_others else PATIENCE
        self.socket, self.options = None, options
        self.life, self.attempt = secrets.randbits(64), 0  # which connection of which client
        self.name, self.log_id, self.next = name.encode(), 0, None  # the next to deliver
        self.epoch, self.largest = 0, None  # of the log; the most bytes of a text
        self.unconfirmed, self.sent = [], 0  # texts, and how many of them were sent
        self.first, self.window = None, 0  # client sequence of the first; how many may be sent
        self.connect()

    def connect(self):
        """Goes to the next broker, on a socket of its own: one with two would deal to both."""
        if self.socket is not None:
            self.socket.close(linger=0)
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        for option, value in self.options.items():
            setattr(self.socket, option, value)
        self.socket.connect(self.addresses[self.attempt % len(self.addresses)])
        self.attempt, self.hellos, self.window = self.attempt + 1, 0, 0  # until it is welcome
        self.hello()

    def send(self, kind, options=0, layout="", *fields, rest=b""):
        head = bytes([ord("O"), 1, kind, options])
        self.socket.send(head + struct.pack(">" + layout, *fields) + rest)

    def hello(self):
        """Opens the session, or goes on with it where it is; the answer is a welcome."""
        if self.has_others and self.hellos == HELLOS:
            return self.connect()
        options, rest = RECEIVE, self.name
        if self.has_others:
            options, rest = RECEIVE | ATTEMPT, rest + struct.pack(">QI", self.life, self.attempt)
        start, number = (NOW, 0) if self.next is None else (RESUME, self.next)
        fields = start, 0, len(self.name), number, self.log_id
        self.send(HELLO, options, "BHBQQ", *fields, rest=rest)
        self.hellos, self.news = self.hellos + 1, time.monotonic()

    def publish(self, *texts):
        """Sends as many texts as may be under way, many in a frame; the others later."""
        self.check(texts)
        self.unconfirmed += texts
        while texts := self.unconfirmed[self.sent : self.window]:
            ends = itertools.accumulate(map(len, texts))
            count = sum(end <= FRAME_BYTES for end in ends) or 1
            rest = b"".join(struct.pack(">I", len(text)) + text for text in texts[:count])
            self.send(PUBLISH, 0, "IQ", count, self.first + self.sent, rest=rest)
            self.sent += count

    def check(self, texts):
        """Before the first welcome nothing is known to be too large."""
        if self.largest is not None and any(len(text) > self.largest for text in texts):
            raise ValueError(f"a text can have {self.largest} bytes")

    def ordered(self, end):
        """Notes that whatever was published before this client sequence has its number."""
        count = max(0, end - self.first)
        del self.unconfirmed[:count]
        self.first, self.sent = self.first + count, max(0, self.sent - count)
        self.news = time.monotonic()
        self.publish()

    def receive(self):
        """Waits for a frame; yields each (order, flags, sender, text) in it, then acknowledges."""
        overdue = self.unconfirmed and time.monotonic() > self.news + self.patience
        if overdue or not self.socket.poll(self.patience * 1000):
            return self.hello()
        frame, self.hellos = self.socket.recv(), 0
        if frame[:2] != b"O\1":
            raise ValueError("this is not version 1 of the native dialect")
        if frame[2] == MESSAGES:
            yield from self.records(frame)
            self.ack()
        elif frame[2] == WELCOME:
            fields = struct.unpack(">IQQQQII", frame[4:])
            epoch, self.log_id, begin, _, last, self.window, self.largest = fields
            if epoch < self.epoch:  # a restored backup: its numbers may be other messages'
                raise ConnectionError(f"the broker's log is older than it was: {epoch}")
            self.epoch, self.next = epoch, begin if self.next is None else self.next
            self.check(self.unconfirmed)
            # All that is not ordered is sent again; under a new session, from 1.
            self.first, self.sent = min(self.first or last + 1, last + 1), 0
            self.ordered(last + 1)
            self.skip(begin)
        elif frame[2] == CONFIRM:
            for sequence, order, count in struct.iter_unpack(">QQI", frame[8:]):
                self.ordered(sequence + count)
        elif frame[2] == REFUSAL:
            code, _, detail = struct.unpack_from(">HHQ", frame, 4)
            if code in (NO_SESSION, SEQUENCE_GAP):
                self.hello()
            elif code == TRIMMED:
                self.skip(detail)
            elif code == CLOSING and self.has_others:
                self.connect()
            elif code not in (NO_SPACE, ACK_AHEAD, CLOSING):  # those pass
                raise ConnectionError(f"{frame[16:].decode()} ({code}, {detail})")
        elif frame[2] == PING:
            self.send(PONG)

    def skip(self, oldest):
        """Goes on with the oldest message that is kept, and never back."""
        if oldest > self.next:
            missed, self.next = self.next, oldest
            raise Skipped(f"messages {missed} to {oldest - 1} are no longer kept")

    def records(self, frame):
        """Checks the records of one or more batches, and yields those not delivered before."""
        at = 0
        while at < len(frame):
            checksum, count = struct.unpack_from(">II", frame, at + 8)
            if zlib.crc32(frame[at : at + 8] + frame[at + 12 : at + 48]) != checksum:
                raise ValueError("wrong checksum of a batch")
            at += 48
            for _ in range(count):
                fields = struct.unpack_from(">IIQQQBB", frame, at)
                length, checksum, order, sequence, microseconds, flags, name = fields
                record = frame[at : at + length]
                if zlib.crc32(record[:4] + record[8:]) != checksum:
                    raise ValueError(f"wrong checksum of message {order}")
                if order == self.next:  # lower ones were delivered, higher ones come again
                    yield order, flags, record[36 : 36 + name], record[36 + name :]
                    self.next += 1
                at += length

    def ack(self):
        if self.next:
            self.send(ACK, 0, "IQ", 0, self.next - 1)

    def close(self):
        """Goes away; the session stays. What is not confirmed would be lost without a word."""
        if self.unconfirmed:
            raise RuntimeError(f"{len(self.unconfirmed)} texts are not confirmed: receive() first")
        self.send(GOODBYE, AWAY)
        self.socket.close(linger=5000)
# The client ends here.


class Deaf(Client):
    """A client that never acknowledges."""

    def ack(self):
        pass


def main():
    args = peer.arguments(__doc__)
    addresses = args.address.split(",")
    client = (Client if args.ack else Deaf)(addresses, args.name, **peer.curve(args))
    deliveries = peer.Deliveries(args.expect)
    held, stdin = args.hold, sys.stdin.fileno()
    while held or args.texts or client.unconfirmed or deliveries.missing > 0:
        if held and stdin in zmq.select([client.socket, stdin], [], [])[0]:
            sys.stdin.readline()
            held = False
        if not held:
            client.publish(*(text.encode() for text in args.texts))
            args.texts = []
        if not held or client.socket.poll(0):
            try:
                for order, flags, sender, text in client.receive():
                    deliveries.show(order, text if flags & VERBATIM else sender + b": " + text)
            except Skipped as skipped:
                print(skipped, file=sys.stderr)
    client.close()


if __name__ == "__main__":
    main()
