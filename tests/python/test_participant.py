"""The scripts in tests/participant, which the Rust client's machine passes, on this one."""

from pathlib import Path

import pytest
from participant_scene import Scene

FOLDER = Path(__file__).parents[1] / "participant"
SCRIPTS = sorted(FOLDER.glob("*.txt"))


def played(script):
    """The script with what really happens in it."""
    scene, actual = Scene(), []
    lines = iter(script.splitlines())
    for line in lines:
        actual.append(line)
        if line == "----":
            actual += [*scene.take_said(), ""]
            for expected in lines:
                if not expected:
                    break
        elif line and not line.startswith("#"):
            scene.run(line)
    assert not scene.take_said(), "put `----` behind the last command"
    return "\n".join(actual).rstrip()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path):
    script = path.read_text()
    assert played(script) == script.rstrip()


def test_there_are_scripts():
    assert len(SCRIPTS) > 20
