"""Programs that tests run: the examples in docs/examples, and peers of the tests' own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples"
PATIENCE = 120


def start(script, *arguments, **options):
    """Starts a Python program with this interpreter and this package."""
    paths = [str(ROOT / "src/python"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, **options)


@contextlib.contextmanager
def running(script, *arguments, **options):
    """The same, ended at the end whatever happens."""
    with start(script, *arguments, **options) as process:
        try:
            yield process
        finally:
            kill(process)


def kill(process):
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


def until(condition, what, patience=PATIENCE):
    """Waits for what a condition returns, as long as that is nothing."""
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, f"this has not come: {what}"
        time.sleep(0.01)
    return found
