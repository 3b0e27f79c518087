"""A broker, native clients and a browser for the tests of the page; everything ends with them."""

import json
import os
import pathlib
import queue
import re
import subprocess
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("ORDEN_PROGRAMS", ROOT / "target/debug"))
PATIENCE = 60

# As root there is no sandbox to be had; the rest keeps the browser from calling its makers.
CHROMIUM = {
    "executable_path": os.environ.get("CHROMIUM", "/usr/bin/chromium"),
    "args": """--no-sandbox --disable-gpu --disable-quic --no-first-run
        --disable-background-networking --disable-component-update --disable-sync""".split(),
}


def until(ask, what):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what} does not come")


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("ORDEN_")}


class Broker:
    """orden-broker, on free ports the first time and on the same ones after that."""

    def __init__(self, *flags):
        self.directory = tempfile.TemporaryDirectory(prefix="orden-")
        self.addresses = ["127.0.0.1:0", "127.0.0.1:0"]
        self.flags = flags
        self.start()

    def start(self):
        self.said = open(pathlib.Path(self.directory.name) / "said", "a")
        command = [PROGRAMS / "orden-broker", "--address", self.addresses[0]]
        command += ["--http-address", self.addresses[1], "--data", f"{self.directory.name}/log"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [*command, *self.flags], stdout=pipe, stderr=self.said, text=True, env=environment()
        )
        lines = [self.process.stdout.readline() for _ in self.addresses]
        self.addresses = [re.search(r"//(.*)$", line)[1] for line in lines]

    @property
    def url(self):
        return f"http://{self.addresses[1]}"

    def log(self):
        return pathlib.Path(self.said.name).read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def messages(self):
        """Everything in the order, as lines of JSON."""
        with urllib.request.urlopen(f"{self.url}/messages?from=start&follow=false") as answer:
            return [json.loads(line) for line in answer.read().splitlines()]


class Client:
    """orden-client, which says lines and hears the order."""

    def __init__(self, broker, name, *flags):
        command = [PROGRAMS / "orden-client", "--address", broker.addresses[0], "--name", name]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [*command, "--format", "json", "--follow", *flags],
            stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=environment(),
        )
        self.heard = []
        self.lines = queue.Queue()
        threading.Thread(target=self.hear, daemon=True).start()

    def hear(self):
        for line in self.process.stdout:
            self.heard.append(json.loads(line))

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.kill()
        self.process.wait()


def lines(page):
    """The messages that a page shows: number, sender, text."""
    script = """() => [...document.querySelectorAll("#messages li[data-order]")].map((line) => [
        Number(line.dataset.order),
        line.querySelector(".from").textContent,
        line.querySelector(".text").textContent,
    ])"""
    return [tuple(line) for line in page.evaluate(script)]


def say(page, text):
    page.fill("#line", text)
    page.press("#line", "Enter")
