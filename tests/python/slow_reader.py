"""A client that is slower than its publisher: checks the order of what it is given.

Prints its memory (VmRSS, in KiB) every so many messages, and at last how many there were.
"""

import re
import sys
import time
from pathlib import Path

import orden

EVERY = 20_000


def memory():
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def main(address, count, pause):
    number = last = 0
    with orden.connect(address, "slow", start="start") as client:
        for message in client:
            assert message.order == last, f"{message.order} came after {last - 1}"
            last += 1
            if message.notice:
                continue
            assert int(message.text[:9]) == number
            number += 1
            if number % 100 == 0:
                time.sleep(pause)
            if number % EVERY == 0:
                print("memory", memory(), flush=True)
            if number == count:
                break
    print("seen", number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
