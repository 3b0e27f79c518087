"""The original client over plain TCP: a thread prints and acknowledges, lines are sent.

Each `send` is one message, and whatever one `recv(2048)` returns is one message. Without
`--publish` it is a chat for a person, as the original was.
"""

import socket
import sys
import threading

import peer


class Client:
    """A connection, which is its own session: connecting joins, closing leaves."""

    def __init__(self, args):
        self.args = args
        self.deliveries = peer.Deliveries(args.expect)
        self.own = threading.Semaphore(0)
        self.complete = threading.Event()
        host, _, port = args.address.rpartition(":")
        self.connection = socket.create_connection((host, int(port)))
        # Otherwise a text after an ACK waits 40 ms, for the broker's system to confirm the ACK.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        threading.Thread(target=self.receive, daemon=True).start()

    def send(self, order, is_ack, payload):
        header = order.to_bytes(32, "big", signed=True) + bytes([is_ack])
        self.connection.sendall(header + payload)

    def say(self, text):
        self.send(0, False, f"{self.args.name}: {text}".encode())

    def receive(self):
        """Prints and acknowledges; the broker sends nothing more before it has heard the ACK."""
        while message := self.connection.recv(2048):
            order, payload = int.from_bytes(message[:32], "big", signed=True), message[33:]
            is_next = self.deliveries.take(order, payload)
            if self.args.ack:
                self.send(order, True, b"")
            if is_next and payload.startswith(f"{self.args.name}: ".encode()):
                self.own.release()
            if self.deliveries.missing <= 0:
                self.complete.set()


def main():
    args = peer.arguments(__doc__)
    client = Client(args)
    if args.hold:
        input()
    for text in args.texts:
        # TCP keeps no bounds: of many texts sent at once, one could be cut where a read of the
        # broker's ends. So each waits for the one before it to come back.
        client.say(text)
        client.own.acquire()
    if args.expect:
        client.complete.wait()
    elif not args.publish:
        for line in sys.stdin:
            client.say(line.rstrip("\n"))
    client.connection.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
