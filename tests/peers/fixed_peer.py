"""A pyzmq peer of a fixed dialect. binary_peer.py and json_peer.py say how it speaks."""

import sys

import zmq

import peer


def run(description, send, receive):
    """Joins, publishes, prints and acknowledges until everything expected has come.

    `send(socket, order, is_ack, payload)` and `receive(socket)`, which gives order and payload,
    are the dialect.
    """
    args = peer.arguments(description)
    deliveries = peer.Deliveries(args.expect)
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.routing_id = args.name.encode()
        socket.linger = 5000
        socket.probe_router = args.join == "probe"
        for option, value in peer.curve(args).items():
            setattr(socket, option, value)
            # With a key one speaks first on each connection: it proves who is there now.
            socket.probe_router = socket.immediate = True
        socket.connect(args.address)
        if args.join not in ("probe", "publish"):
            send(socket, -1 if args.join == "ack" else int(args.join), True, b"")
        held = args.hold
        stdin = sys.stdin.fileno()
        while held or args.texts or deliveries.missing > 0:
            may_publish = args.texts and not held
            readable, writable, _ = zmq.select(
                [socket, stdin] if held else [socket], [socket] if may_publish else [], []
            )
            if stdin in readable:
                sys.stdin.readline()
                held = False
            if socket in writable:
                send(socket, 0, False, f"{args.name}: {args.texts.pop(0)}".encode())
            if socket in readable:
                order, payload = receive(socket)
                is_next = deliveries.take(order, payload)
                # What comes again was not heard to be acknowledged: it is said once more.
                if args.ack and (not is_next or deliveries.next % args.ack == 0):
                    send(socket, deliveries.next - 1, True, b"")
        if args.ack and deliveries.next:
            send(socket, deliveries.next - 1, True, b"")
