"""A chat in a terminal: everybody sees the same lines in the same order.

    python chat.py 127.0.0.1:8081 ana

Come back under the same name, and it goes on after the last line that was shown.
"""

import sys
import threading

import orden


def printable(text: str) -> str:
    """The text with control characters escaped, so that nobody rewrites another's screen."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def show(client: orden.Client) -> None:
    try:
        for message in client:
            line = f"{message.order} {printable(message.sender)}: {printable(message.text)}"
            print(line, flush=True)
    except orden.Closed:
        pass


def main(address: str, name: str) -> None:
    with orden.connect(address, name) as client:
        threading.Thread(target=show, args=(client,), daemon=True).start()
        for line in sys.stdin:
            client.publish(line.rstrip("\n"))


if __name__ == "__main__":
    main(*sys.argv[1:])
