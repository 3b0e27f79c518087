"""A broker for tests: a process of its own that keeps its log in memory, on any free port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from types import TracebackType

from orden._errors import Error

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


def find_broker() -> str:
    """Return the path of orden-broker: ORDEN_BROKER, else this environment's, else PATH's.

    Raises Error if there is none.
    """
    named = os.environ.get("ORDEN_BROKER")
    if named:
        return named
    here = Path(sysconfig.get_path("scripts")) / "orden-broker"
    found = str(here) if here.is_file() else shutil.which("orden-broker")
    if found is None:
        raise Error(
            "there is no orden-broker: pip installs it with this package on Linux; elsewhere build "
            "it (cargo build --release) and say where it is with ORDEN_BROKER"
        )
    return found


class Broker:
    """A running broker; a context manager that stops it at the end.

    With `data` its log lies in that directory and survives; without, it is in memory and gone with
    it. `arguments` are further flags of orden-broker.
    """

    address: str
    """Where it listens, to be given to `connect`."""

    def __init__(
        self,
        address: str = "127.0.0.1:0",
        *arguments: str,
        data: str | os.PathLike[str] | None = None,
    ) -> None:
        """Start a broker and wait until it serves.

        Raises Error if it does not within half a minute, with what it has said.
        """
        place = ["--in-memory"] if data is None else ["--data", os.fspath(data)]
        command = [find_broker(), "--address", address, *place, *arguments]
        self._log = ""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the broker)
        # No flag of the developer's own broker may reach this one.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ORDEN_")}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=environment,
                text=True,
            )
        except OSError as error:
            self._said.close()
            raise Error(f"cannot start {command[0]}: {error.strerror}") from error
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, name="orden-broker-stdout", daemon=True).start()
        self.address = self._listening()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put("")

    def _listening(self) -> str:
        try:
            line = self._lines.get(timeout=_START_SECONDS)
        except Empty:
            line = ""
        prefix, _, address = line.strip().partition("listening on ")
        if prefix or not address:
            self.kill()
            raise Error(f"orden-broker does not serve: {line}{self.log()}")
        return address

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def log(self) -> str:
        """Return what the broker has written to stderr so far."""
        if not self._said.closed:
            self._said.seek(0)
            self._log = self._said.read().decode(errors="replace")
        return self._log

    def stop(self) -> None:
        """Stop it in good order, as SIGTERM does; at the latest after ten seconds by force."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self.log()
        self._said.close()

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


__all__ = ["Broker", "find_broker"]
