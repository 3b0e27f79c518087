"""The client's machine: one participant in the order, over whatever carries its frames.

It has no socket, thread, lock or clock: time is an argument, bytes come in and go out. It is the
twin of the Rust client's machine, and the scripts in tests/participant run on both.
"""

from orden._machine.participant import Participant
from orden._machine.settings import Limits, Settings

__all__ = ["Limits", "Participant", "Settings"]
