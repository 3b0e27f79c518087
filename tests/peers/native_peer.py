"""A complete client of the native dialect, and a peer made of it; see docs/protocol.md."""

import sys

import peer

# The client begins here.
import struct
import time
import zlib

import zmq

HELLO, PUBLISH, ACK, GOODBYE, PING, PONG = range(0x01, 0x07)
MESSAGES, WELCOME, CONFIRM, REFUSAL = range(0x10, 0x14)
NOW, RESUME, RECEIVE, AWAY, VERBATIM = 0, 4, 1, 1, 2
NO_SESSION, SEQUENCE_GAP, NO_SPACE, ACK_AHEAD, TRIMMED, CLOSING = 2, 4, 7, 8, 9, 14
PATIENCE, FRAME_BYTES = 5, 65536  # seconds without news until a hello; of many small texts


class Client:
    """Whatever is published is ordered once; whatever is ordered is delivered once."""

    def __init__(self, address, name):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.connect(address)
        self.name, self.log_id, self.next = name.encode(), 0, None  # next: the next to deliver
        self.unconfirmed, self.sent = [], 0  # texts not known to be ordered; how many were sent
        self.first, self.window = None, 0  # unconfirmed[0]'s client sequence; how many may be sent
        self.unacknowledged = False
        self.hello()

    def send(self, kind, options, layout="", *fields):
        self.socket.send(bytes([ord("O"), 1, kind, options]) + struct.pack(">" + layout, *fields))

    def hello(self):
        """Opens the session, or goes on with it; the answer is a welcome."""
        start, number = (NOW, 0) if self.next is None else (RESUME, self.next)
        fields = (start, 0, len(self.name), number, self.log_id, self.name)
        self.send(HELLO, RECEIVE, f"BHBQQ{len(self.name)}s", *fields)
        self.news = time.monotonic()

    def welcome(self, epoch, log_id, begin, end, last_sequence, window, largest):
        self.log_id, self.window, self.sent = log_id, window, 0
        self.next = begin if self.next is None else self.next
        # A session that is new to the broker numbers its texts from the beginning.
        self.first = min(self.first or last_sequence + 1, last_sequence + 1)
        self.ordered(last_sequence + 1)

    def publish(self, text):
        self.unconfirmed.append(text)
        self.flush()

    def flush(self):
        """Sends what may be sent and was not, or has to be sent again."""
        while texts := self.unconfirmed[self.sent : self.window]:
            batch, count = b"", 0
            while count < len(texts) and (not batch or len(batch) < FRAME_BYTES):
                batch += struct.pack(">I", len(texts[count])) + texts[count]
                count += 1
            self.send(PUBLISH, 0, f"IQ{len(batch)}s", count, self.first + self.sent, batch)
            self.sent += count

    def ordered(self, end):
        """Everything of ours before this client sequence has its number."""
        count = max(0, end - self.first)
        del self.unconfirmed[:count]
        self.first, self.sent = self.first + count, max(0, self.sent - count)
        self.news = time.monotonic()
        self.flush()

    def receive(self):
        """Waits for a frame; gives the (order, flags, sender, text) in it, often none."""
        overdue = self.unconfirmed and time.monotonic() > self.news + PATIENCE
        if overdue or not self.socket.poll(PATIENCE * 1000):
            self.hello()
            return []
        frame = self.socket.recv()
        check(frame[:2] == b"O\1", "version")
        if frame[2] == MESSAGES:
            return list(self.deliveries(frame))
        if frame[2] == WELCOME:
            self.welcome(*struct.unpack_from(">IQQQQII", frame, 4))
        elif frame[2] == CONFIRM:
            for sequence, order, count in struct.iter_unpack(">QQI", frame[8:]):
                self.ordered(sequence + count)
        elif frame[2] == REFUSAL:
            self.refused(*struct.unpack_from(">HHQ", frame, 4), frame[16:].decode())
        elif frame[2] == PING:
            self.send(PONG, 0)
        return []

    def deliveries(self, frame):
        """The records of one batch or more: each is checked, each is delivered once."""
        at, self.unacknowledged = 0, True
        while at < len(frame):
            checksum, count = struct.unpack_from(">II", frame, at + 8)
            check(checksum == zlib.crc32(frame[at : at + 8] + frame[at + 12 : at + 48]), "batch")
            at += 48
            for _ in range(count):
                fields = struct.unpack_from(">IIQQQBB", frame, at)
                length, checksum, order, sequence, microseconds, flags, name = fields
                record = frame[at : at + length]
                check(checksum == zlib.crc32(record[:4] + record[8:]), "record")
                if order == self.next:  # a lower one was delivered; a higher one comes again
                    self.next += 1
                    yield order, flags, record[36 : 36 + name], record[36 + name :]
                at += length

    def ack(self):
        """Says that everything delivered is dealt with; the broker sends no more before."""
        if self.unacknowledged and self.next:
            self.send(ACK, 0, "IQ", 0, self.next - 1)
            self.unacknowledged = False

    def refused(self, code, length, detail, text):
        if code in (NO_SESSION, SEQUENCE_GAP):
            self.hello()
        elif code == TRIMMED:
            self.next = detail  # what lies between is no longer kept
        elif code not in (NO_SPACE, ACK_AHEAD, CLOSING):  # those pass
            raise ConnectionError(f"refused: {text} ({code}, {detail})")

    def close(self):
        """Goes away for a while: the session stays."""
        self.send(GOODBYE, AWAY)
        self.socket.close(linger=5000)


def check(is_right, what):
    if not is_right:
        raise ValueError(f"wrong {what}")


# The client ends here.


def main():
    args = peer.arguments(__doc__)
    client = Client(args.address, args.name)
    deliveries = peer.Deliveries(args.expect)
    held, stdin = args.hold, sys.stdin.fileno()
    while held or args.texts or client.unconfirmed or deliveries.missing > 0:
        if not held:
            for text in args.texts:
                client.publish(text.encode())
            args.texts = []
        elif stdin in zmq.select([client.socket, stdin], [], [])[0]:
            sys.stdin.readline()
            held = False
            continue
        for order, flags, sender, text in client.receive():
            deliveries.show(order, text if flags & VERBATIM else sender + b": " + text)
        if args.ack:
            client.ack()
    client.close()


if __name__ == "__main__":
    main()
