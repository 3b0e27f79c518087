"""The keys of an encrypted connection, from the files that `orden-broker keygen` and pyzmq make."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from zmq.utils import z85

from orden._errors import BadArgument

_FILE_LEN_MAX = 64 << 10
"""No key file is longer; what is longer is another file."""
_KEY_LEN = 40
_LINE = re.compile(r"\s*(public-key|secret-key)\s*=\s*(.*?)\s*")


@dataclass(frozen=True)
class Keys:
    """A client's own pair, and the public key that the broker has to prove."""

    public: bytes
    """This client's public key (Z85), by which the broker knows it."""
    secret: bytes = field(repr=False)
    """This client's secret key (Z85)."""
    server: bytes
    """The broker's public key (Z85)."""
    source: str = ""
    """The files that they come from, for messages."""

    @classmethod
    def read(cls, secret_file: str | os.PathLike[str], server_file: str | os.PathLike[str]) -> Keys:
        """Read this client's `.key_secret` file and the broker's `.key` file.

        They are those of `zmq.auth.create_certificates` and of `orden-broker keygen`. The secret
        file, as it is opened, must belong to this user or to root; others may do nothing with it;
        its group may read it only if root owns it, as orchestrators mount secrets.

        Raises BadArgument, which says what is wrong with which file and what to type.
        """
        if not zmq.has("curve"):
            raise BadArgument("this pyzmq has no encryption (CURVE): install pyzmq from its wheel")
        own, server = Path(secret_file), Path(server_file)
        ours, status = _read(own)
        theirs, _ = _read(server)
        if "secret-key" not in ours:
            raise BadArgument(f"{own}: holds no secret-key: give the file that ends in .key_secret")
        _check_secrecy(own, status)
        public, secret = ours["public-key"], ours["secret-key"]
        if zmq.curve_public(secret) != public:
            raise BadArgument(
                f"{own}: its public-key does not belong to its secret-key: make a new pair with "
                "orden-broker keygen"
            )
        return cls(public, secret, theirs["public-key"], f"{own} and {server}")


def _read(path: Path) -> tuple[dict[str, bytes], os.stat_result]:
    """Read a key file; return what it holds, and whose it is."""
    try:
        # Not to wait for the other end, should it be a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise BadArgument(f"{path}: cannot be opened: {error.strerror}") from error
    # Of the file that is open: another could take its place between two looks by name.
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise BadArgument(f"{path}: is no file that holds a key")
    with open(descriptor, "rb") as file:
        try:
            content = file.read(_FILE_LEN_MAX)
        except OSError as error:
            raise BadArgument(f"{path}: cannot be read: {error.strerror}") from error
    return _parse(path, content), status


def _check_secrecy(path: Path, status: os.stat_result) -> None:
    """Hold the one rule for secret files, which the broker and the Rust client hold, too."""
    mode, file = stat.S_IMODE(status.st_mode), shlex.quote(str(path))
    if status.st_uid not in {os.geteuid(), 0}:
        raise BadArgument(
            f"{path}: this secret key belongs to {_user(status.st_uid)}, neither to this user nor "
            f"to root: chown {_user(os.geteuid())} {file}"
        )
    if mode & stat.S_IRWXO:
        raise BadArgument(
            f"{path}: others may use this secret key (mode {mode:04o}): chmod o= {file}, and make "
            "a new one if they could have"
        )
    allowed = stat.S_IRGRP if status.st_uid == 0 else 0
    if mode & stat.S_IRWXG & ~allowed:
        may = "more than read" if allowed else "use"
        right = "g=r" if allowed else "g="
        raise BadArgument(
            f"{path}: its group may {may} this secret key (mode {mode:04o}): chmod {right} {file}"
        )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _parse(path: Path, content: bytes) -> dict[str, bytes]:
    """Read a key file. No error repeats what a line holds: it may be a secret."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadArgument(f"{path}: is no key file: it is not a text") from None
    found: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        kind, key = match[1], match[2].strip("\"'").encode()
        if kind in found:
            raise BadArgument(f"{path}: line {number}: a second {kind}")
        if len(key) != _KEY_LEN:
            raise BadArgument(
                f"{path}: line {number}: a key has {_KEY_LEN} characters, and this one {len(key)}"
            )
        try:
            z85.decode(key)
        except (ValueError, KeyError, struct.error):
            raise BadArgument(f"{path}: line {number}: is no key in Z85") from None
        found[kind] = key
    if "public-key" not in found:
        raise BadArgument(
            f"{path}: is no key file: it holds no public-key; make a pair with orden-broker keygen"
        )
    return found
