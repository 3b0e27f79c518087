"""A pyzmq peer of the JSON dialect: one frame with an object of three keys."""

import fixed_peer


def send(socket, order, is_ack, payload):
    socket.send_json({"timeStamp": order, "isACK": is_ack, "message": payload.decode()})


def receive(socket):
    message = socket.recv_json()
    return message["timeStamp"], message["message"].encode()


if __name__ == "__main__":
    fixed_peer.run(__doc__, send, receive)
