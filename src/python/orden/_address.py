"""Where a broker is and what a client is called: what people write, checked."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Sequence

from orden._errors import BadArgument
from orden._wire import NAME_LEN_MAX

_LOCALHOST = "127.0.0.1"
"""What `:PORT` and `localhost` mean: the name could resolve to another family."""
_IPC_PATH_MAX = 107
_PORT_MAX = 65_535
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")


def endpoints(address: str | Sequence[str]) -> list[str]:
    """Return the ZeroMQ endpoints of one address or several. Raises BadArgument."""
    addresses = [address] if isinstance(address, str) else list(address)
    if not addresses:
        raise BadArgument("there is no address: write HOST:PORT, such as 127.0.0.1:8081")
    return [endpoint(text) for text in addresses]


def endpoint(address: str) -> str:
    """Return the ZeroMQ endpoint for HOST:PORT, :PORT, tcp://HOST:PORT or ipc://PATH.

    Raises BadArgument.
    """
    if not isinstance(address, str):
        raise BadArgument(f"an address is a text such as '127.0.0.1:8081', not {address!r}")
    scheme, has_scheme, rest = address.partition("://")
    if not has_scheme:
        return _tcp(address, address)
    if scheme == "tcp":
        return _tcp(rest, address)
    if scheme == "ipc":
        return _ipc(rest, address)
    raise BadArgument(
        f"{address!r}: {scheme}:// is not served: write HOST:PORT, tcp://HOST:PORT or ipc://PATH"
    )


def host_of(endpoint: str) -> str | None:
    """Return the host of a TCP endpoint if it is a name that has to be looked up."""
    if not endpoint.startswith("tcp://"):
        return None
    host = endpoint.removeprefix("tcp://").rpartition(":")[0]
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return host
    return None


def is_ipv6(endpoint: str) -> bool:
    """Whether the socket must be told to speak IPv6."""
    return endpoint.startswith("tcp://[")


def _tcp(text: str, address: str) -> str:
    host, has_port, port = text.rpartition(":")
    if not has_port:
        raise BadArgument(f"{address!r} has no port: write HOST:PORT")
    if host == "*" or port in {"*", "0"}:
        raise BadArgument(f"{address!r} stands for any: name the one to connect to")
    if not (port.isascii() and port.isdigit() and int(port) <= _PORT_MAX):
        raise BadArgument(f"{port!r} in {address!r} is no port: it is a number up to 65535")
    if host in {"", "localhost"}:
        host = _LOCALHOST
    if not (_HOST.fullmatch(host) or _is_bracketed(host)):
        raise BadArgument(
            f"{host!r} in {address!r} is no host: write a name, or a number such as 127.0.0.1 "
            "or [::1]"
        )
    return f"tcp://{host}:{port}"


def _is_bracketed(host: str) -> bool:
    if not (host.startswith("[") and host.endswith("]")):
        return False
    number, has_interface, interface = host[1:-1].partition("%")
    try:
        ipaddress.IPv6Address(number)
    except ValueError:
        return False
    return not has_interface or bool(_HOST.fullmatch(interface))


def _ipc(path: str, address: str) -> str:
    length = len(path.encode(errors="surrogateescape"))
    if path == "*":
        raise BadArgument(f"{address!r} stands for any: name the one to connect to")
    if not 1 <= length <= _IPC_PATH_MAX or not path.isprintable():
        raise BadArgument(
            f"{address!r} is no socket path: it has 1 to {_IPC_PATH_MAX} bytes and no control "
            "characters"
        )
    return f"ipc://{path}"


def name_bytes(name: str | bytes | None) -> bytes:
    """Return a client's name as it is on the wire, or a random one. Raises BadArgument."""
    if name is None:
        return f"py-{secrets.token_hex(6)}".encode()
    if not isinstance(name, (str, bytes)):
        raise BadArgument(f"a name is text or bytes, not {name!r}")
    try:
        raw = name.encode() if isinstance(name, str) else name
    except UnicodeEncodeError:
        raise BadArgument(f"{name!r} is no name: it holds a lone surrogate; give bytes") from None
    if not raw:
        raise BadArgument("a name cannot be empty; leave it out for a random one")
    if len(raw) > NAME_LEN_MAX:
        raise BadArgument(f"a name has at most {NAME_LEN_MAX} bytes, and this one has {len(raw)}")
    if raw[0] == 0:
        raise BadArgument("a name cannot begin with a zero byte: ZeroMQ keeps those for itself")
    if raw == b"Server":
        raise BadArgument("the name 'Server' belongs to the broker: choose another")
    return raw
