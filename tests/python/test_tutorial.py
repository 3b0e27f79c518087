"""docs/tutorial.md: its program and every command, as they stand there."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys

from programs import ROOT

from orden.testing import find_broker

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        return f"{host}:{port}"


def test_the_tutorial_runs(tmp_path):
    text = (ROOT / "docs/tutorial.md").read_text().replace("127.0.0.1:8081", free_address())
    blocks = BLOCK.findall(text)
    [program] = [code for language, code in blocks if language == "python"]
    (tmp_path / "store.py").write_text(program)
    programs = tmp_path / "bin"
    programs.mkdir()
    # Not a link: through one outside its environment an interpreter does not find its packages.
    (programs / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (programs / "python").chmod(0o755)
    shutil.copy(find_broker(), programs / "orden-broker")
    script = "set -eu\n" + "\n".join(code for language, code in blocks if language == "sh")
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src/python"),
    }
    # A file, since brokers and replicas still run when the last command has ended.
    output = tmp_path / "output"
    with (
        output.open("w") as file,
        subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as bash,
    ):
        try:
            status = bash.wait(timeout=180)
        except subprocess.TimeoutExpired:
            status = "too late"
        finally:
            os.killpg(bash.pid, signal.SIGKILL)
    said = output.read_text()
    assert status == 0, said
    for language, code in blocks:
        for line in code.splitlines() if language == "text" else ():
            assert line in said.splitlines(), said
