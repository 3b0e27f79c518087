"""docs/tutorial.md: its program and every command, as they stand there."""

import os
import re
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
    (programs / "python").symlink_to(sys.executable)
    shutil.copy(find_broker(), programs / "orden-broker")
    script = "set -eu\n" + "\n".join(code for language, code in blocks if language == "sh")
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src/python"),
    }
    with subprocess.Popen(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as bash:
        try:
            # Its last line comes from its last command; brokers and replicas still run then.
            said = []
            last = blocks[-1][1].splitlines()[-1]
            for line in bash.stdout:
                said.append(line.rstrip("\n"))
                if said[-1] == last:
                    break
        finally:
            os.killpg(bash.pid, signal.SIGKILL)
    for language, code in blocks:
        for line in code.splitlines() if language == "text" else ():
            assert line in said, "\n".join(said)
