"""A client of orden: one number for every message, one order for everybody, exactly once.

    import orden

    with orden.connect("127.0.0.1:8081", "ana") as client:
        client.publish("hola")
        for message in client:
            print(message.order, message.sender, message.text)

`orden.asyncio` has the same names as coroutines, `orden.testing` a broker in memory for tests.
"""

from orden._base import OnExit, State
from orden._client import Client, connect
from orden._errors import (
    BadArgument,
    Closed,
    Error,
    LogRegressed,
    NoAnswer,
    Refused,
    SequenceReused,
    SessionOver,
    Skipped,
    Superseded,
    TooLarge,
    Unconfirmed,
)
from orden._keys import Keys
from orden._message import Message, Position
from orden._reader import Ack
from orden._receipt import Receipt
from orden._version import __version__

__all__ = [
    "Ack",
    "BadArgument",
    "Client",
    "Closed",
    "Error",
    "Keys",
    "LogRegressed",
    "Message",
    "NoAnswer",
    "OnExit",
    "Position",
    "Receipt",
    "Refused",
    "SequenceReused",
    "SessionOver",
    "Skipped",
    "State",
    "Superseded",
    "TooLarge",
    "Unconfirmed",
    "__version__",
    "connect",
]
