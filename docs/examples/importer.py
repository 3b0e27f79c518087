"""Publishes each line of a file once, however often it is killed and started again.

    python importer.py 127.0.0.1:8081 stations stations.csv

A line's number is its client sequence. A run publishes all lines again, from the first on; what the
broker has ordered before it does not order again. The file may grow, but what was published once
must stay: that a line has changed among the newest 8192 is found out (orden.SequenceReused).
"""

import sys
import time

import orden


def main(address: str, name: str, path: str, rate: str = "0") -> None:
    """Publish the file's lines; `rate` new ones a second, or with 0 as fast as can be."""
    pause = 1 / float(rate) if float(rate) else 0
    # The session is what remembers, so it has to stay: the client needs a name.
    with orden.connect(address, name, receive=False, first_sequence=1) as client:
        with open(path, "rb") as lines:
            for line in lines:
                receipt = client.send(line.rstrip(b"\n"))
                if pause and not receipt.done():
                    time.sleep(pause)
        client.flush(timeout=None)
        print(f"{client.last_sequence} lines are in the order", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
