"""Looks hosts' names up beside everything else, to be able to say that there is no such host."""

from __future__ import annotations

import socket
from threading import Thread


class Resolver:
    """The names of hosts, looked up once, by a thread that nothing waits for."""

    def __init__(self, hosts: list[str]) -> None:
        self._hosts = hosts
        self._unknown: list[str] = []
        if hosts:
            Thread(target=self._look_up, name="orden-resolver", daemon=True).start()

    def _look_up(self) -> None:
        for host in self._hosts:
            try:
                socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                self._unknown.append(host)

    def unknown_host(self) -> str | None:
        """Return a name that is no host's, if every host's name is known to be none."""
        if self._hosts and len(self._unknown) == len(self._hosts):
            return self._unknown[0]
        return None
