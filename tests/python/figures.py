#!/usr/bin/env python3
"""Measures the Python client beside the Rust one, in one run, on an idle machine.

    cargo build --release --bins --example publish_each
    ORDEN_BROKER=target/release/orden-broker PYTHONPATH=src/python \\
        python tests/python/figures.py target/release/examples/publish_each

Prints tables for docs/performance.md, and beneath them what has to hold; exits with 1 if it does
not.
"""

import argparse
import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import zmq

import orden
import orden.asyncio
from orden.testing import Broker

SIZE = 120
ITERATED_LEAST, ASYNC_LEAST, SLOWER_MOST = 0.5e6, 0.3e6, 1.3


def fill(address, count):
    """Has so many messages ordered, for those who read them."""
    with orden.connect(address, receive=False) as client:
        for _ in range(count):
            client.send(b"x" * SIZE)
        client.flush(None)


def iterated(address, count):
    with orden.connect(address, start="start") as client:
        left, start = count, time.perf_counter()
        for _ in client:
            left -= 1
            if not left:
                break
        return count / (time.perf_counter() - start)


def batched(address, count):
    with orden.connect(address, start="start") as client:
        seen, start = 0, time.perf_counter()
        for batch in client.batches():
            seen += len(batch)
            if seen >= count:
                break
        return seen / (time.perf_counter() - start)


def async_iterated(address, count):
    async def run():
        async with orden.asyncio.connect(address, start="start") as client:
            left, start = count, time.perf_counter()
            async for _ in client:
                left -= 1
                if not left:
                    break
            return count / (time.perf_counter() - start)

    return asyncio.run(run())


def sent(address, count):
    with orden.connect(address, receive=False) as client:
        start = time.perf_counter()
        for _ in range(count):
            client.send(b"x" * SIZE)
        client.flush(None)
        return count / (time.perf_counter() - start)


def published_each(address, count):
    """Seconds from each publish to its number, one after the other; their median."""
    taken = []
    with orden.connect(address, receive=False) as client:
        for _ in range(count):
            start = time.perf_counter()
            client.publish(b"x" * SIZE)
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


async def awaited_each(address, count):
    taken = []
    async with orden.asyncio.connect(address, receive=False) as client:
        for _ in range(count):
            start = time.perf_counter()
            await client.publish(b"x" * SIZE)
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def rust_each(program, address, count):
    command = [program, address, str(count), str(SIZE)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output) / 1e6


def median_of(runs, measure, *arguments):
    return statistics.median(measure(*arguments) for _ in range(runs))


def beside(args, address):
    """The three clients in turns, so that a busy moment meets all; the median of each."""
    rust, blocking, awaited = [], [], []
    for _ in range(args.runs):
        rust.append(rust_each(args.rust, address, args.publishes))
        blocking.append(published_each(address, args.publishes))
        awaited.append(asyncio.run(awaited_each(address, args.publishes)))
    return [statistics.median(times) for times in (rust, blocking, awaited)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rust", help="the program of tests/python/publish_each.rs")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--publishes", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    load = os.getloadavg()[0]
    print(
        f"Python {platform.python_version()}, pyzmq {zmq.__version__}, orden {orden.__version__};"
    )
    print(f"{os.cpu_count()} processors, load {load:.1f} before; {args.runs} runs, their medians\n")

    with Broker("127.0.0.1:0", "--retain-bytes", str(1 << 30)) as broker:
        fill(broker.address, args.messages)
        speeds = {
            f"`{name}`": median_of(args.runs, measure, broker.address, args.messages)
            for name, measure in (
                ("for message in client", iterated),
                ("async for message in client", async_iterated),
                ("client.batches()", batched),
                ("client.send(), then flush()", sent),
            )
        }
        in_memory = beside(args, broker.address)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        with Broker("127.0.0.1:0", data=folder) as broker:
            synced = beside(args, broker.address)

    print(f"| {SIZE} bytes a message | messages/s |\n| --- | --- |")
    for name, speed in speeds.items():
        print(f"| {name} | {speed / 1e6:.2f} M |")
    print("\n| publish and confirm, one after the other | Rust | Python | `orden.asyncio` |")
    print("| --- | --- | --- | --- |")
    for name, (rust, blocking, awaited) in (("in memory", in_memory), ("synced", synced)):
        shown = " | ".join(
            f"{time * 1e3:.3f} ms ({time / rust:.2f})" for time in (rust, blocking, awaited)
        )
        print(f"| {name} | {shown} |")
    iterates, iterates_async, *_ = speeds.values()
    must_hold = {
        f"iteration, at least {ITERATED_LEAST / 1e6} M/s": iterates >= ITERATED_LEAST,
        f"async for, at least {ASYNC_LEAST / 1e6} M/s": iterates_async >= ASYNC_LEAST,
        f"publish in memory, at most {SLOWER_MOST} of Rust": in_memory[1]
        <= SLOWER_MOST * in_memory[0],
        f"publish synced, at most {SLOWER_MOST} of Rust": synced[1] <= SLOWER_MOST * synced[0],
    }
    print()
    for what, holds in must_hold.items():
        print(f"{'holds' if holds else 'DOES NOT HOLD'}: {what}")
    sys.exit(not all(must_hold.values()))


if __name__ == "__main__":
    main()
