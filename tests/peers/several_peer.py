"""A member that knows several brokers, by the package or by the client of docs/protocol.md.

Each line of standard input is published; each delivery is a line of its number and its text. It
ends with its standard input, once everything is confirmed.
"""

import argparse
import os
import sys
import time

import native_peer
import zmq


class Lines:
    """Standard input, without waiting."""

    def __init__(self):
        self.rest, self.is_over = b"", False

    def now(self):
        """What has come: whole lines."""
        while not self.is_over and zmq.select([0], [], [], 0)[0]:
            more = os.read(0, 65536)
            self.is_over = not more
            self.rest += more
        *lines, self.rest = self.rest.split(b"\n")
        return lines


def show(order, text):
    sys.stdout.buffer.write(b"%d\t%s\n" % (order, text))
    sys.stdout.buffer.flush()


def pyzmq(addresses, name):
    """The client of docs/protocol.md."""
    client, lines = native_peer.Client(addresses, name), Lines()
    while not lines.is_over or client.unconfirmed:
        sources = [client.socket] if lines.is_over else [client.socket, 0]
        ready = zmq.select(sources, [], [], client.patience)[0]
        if said := lines.now():
            client.publish(*said)
        overdue = client.unconfirmed and time.monotonic() > client.news + client.patience
        if client.socket in ready or overdue:
            for order, flags, sender, text in client.receive():
                is_whole = flags & native_peer.VERBATIM
                show(order, text if is_whole else sender + b": " + text)
        elif not ready:
            client.hello()
    client.close()


def package(addresses, name):
    """The package."""
    import orden

    with orden.connect(addresses, name, timeout=60) as client:
        lines = Lines()
        while not lines.is_over:
            for line in lines.now():
                client.send(line)
            while (message := client.next(timeout=0.005)) is not None:
                show(message.order, message.sender.encode() + b": " + message.payload)
                if zmq.select([0], [], [], 0)[0]:
                    break
        client.flush(60)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", choices=["pyzmq", "package"], required=True)
    parser.add_argument("--address", required=True, type=lambda text: text.split(","))
    parser.add_argument("--name", required=True)
    args = parser.parse_args()
    (pyzmq if args.client == "pyzmq" else package)(args.address, args.name)


if __name__ == "__main__":
    main()
