"""What the client of docs/protocol.md refuses to do, as a program that uses it sees it."""

import sys

import native_peer
import peer


def refused(action, *arguments):
    """Says what an action raises, or that it does not."""
    try:
        action(*arguments)
    except (ValueError, RuntimeError) as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    else:
        sys.exit("it raises nothing")


def main():
    args = peer.arguments(__doc__)
    client = native_peer.Client(args.address, args.name)
    while client.largest is None:
        list(client.receive())
    refused(client.publish, b"fits", bytes(client.largest + 1))
    print(f"{len(client.unconfirmed)} are kept", flush=True)
    client.publish(b"hola")
    refused(client.close)


if __name__ == "__main__":
    main()
