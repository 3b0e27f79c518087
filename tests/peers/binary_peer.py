"""A pyzmq peer of the binary dialect: one frame with an order number, a flag and a payload."""

import fixed_peer


def send(socket, order, is_ack, payload):
    socket.send(order.to_bytes(32, "big", signed=True) + bytes([is_ack]) + payload)


def receive(socket):
    frame = socket.recv()
    return int.from_bytes(frame[:32], "big", signed=True), frame[33:]


if __name__ == "__main__":
    fixed_peer.run(__doc__, send, receive)
