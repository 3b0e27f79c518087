"""What the peers in this folder share: their flags, a deadline, the lines that they print."""

import argparse
import signal
import sys

NOTICE = b"Server: "


def arguments(description):
    """The command line. All peers know the same flags, so that a test can swap one for another."""
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    add("--address", required=True, help="tcp://HOST:PORT; HOST:PORT for plain TCP; "
        "native: perhaps several, with commas between")
    add("--name", required=True)
    add("--publish", type=int, default=0, metavar="N", help="publish 'TEXT 1' to 'TEXT N'")
    add("--text-prefix", default="message", metavar="TEXT")
    add("--hold", action="store_true", help="publish only once a line comes in on standard input")
    add("--expect", type=int, default=0, metavar="M", help="leave after M messages; notices, which "
        "are shown as well, do not count")
    add("--ack", type=stride, default="each", metavar="each|every:K|never")
    add("--join", default="ack", metavar="ack|probe|publish|N", help="what a pyzmq peer of a fixed "
        "dialect says first: an ACK of -1, an empty message, what it publishes, or an ACK of N")
    add("--curve-key", metavar="FILE", help="encrypt, and be known by this secret key")
    add("--server-key", metavar="FILE", help="the broker's public key")
    add("--deadline", type=float, default=60, metavar="SECONDS", help="fail if it takes longer")
    args = parser.parse_args()
    args.texts = [f"{args.text_prefix} {i + 1}" for i in range(args.publish)]
    if args.publish or args.expect:
        fail_after(args.deadline)
    return args


def curve(args):
    """The options of a socket that encrypts what it sends, for the broker with that key only."""
    if not args.curve_key:
        return {}
    from zmq.auth import load_certificate

    public, secret = load_certificate(args.curve_key)
    server, _ = load_certificate(args.server_key)
    return dict(curve_publickey=public, curve_secretkey=secret, curve_serverkey=server)


def stride(text):
    """How many messages an ACK stands for; 0 for never."""
    return {"each": 1, "never": 0}[text] if ":" not in text else int(text.removeprefix("every:"))


def fail_after(seconds):
    """Ends the program, whatever it waits for then."""

    def too_late(*_):
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.exit(f"the deadline of {seconds:g} s is over")

    signal.signal(signal.SIGALRM, too_late)
    # Again and again: a signal that comes just before a wait begins does not end it.
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)


class Deliveries:
    """Prints messages as lines of order number and payload, and counts them."""

    def __init__(self, expect):
        self.next = None
        self.missing = expect

    def take(self, order, payload):
        """Shows the next message, and says whether it is; others were seen, or come too early."""
        is_next = self.next in (None, order)
        if is_next:
            self.show(order, payload)
        return is_next

    def show(self, order, payload):
        self.next = order + 1
        self.missing -= not payload.startswith(NOTICE)
        sys.stdout.buffer.write(b"%d\t%s\n" % (order, payload))
        sys.stdout.buffer.flush()
