"""docs/python.md: its code runs, and it is complete. README.md and src/python/README.md as well."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import zmq.auth
from programs import EXAMPLES, PATIENCE, ROOT, start

import orden
import orden.asyncio

ADDRESS = "127.0.0.1:8081"
BLOCK = re.compile(r"^```python(,\w+)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = ("docs/python.md", "src/python/README.md", "README.md")
BLOCKS = [
    pytest.param(code, id=f"{page}-{number}")
    for page in PAGES
    for number, (kind, code) in enumerate(BLOCK.findall((ROOT / page).read_text()))
    if not kind and "import orden" in code
]


def run(code, folder):
    program = folder / "program.py"
    program.write_text(code)
    process = start(program, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0
    return said


@pytest.mark.parametrize("code", BLOCKS)
def test_code_runs(broker, tmp_path, code):
    if "for message in client:\n        print(message.order, message.sender" in code:
        code = code.removesuffix("\n") + "\n"
        code = re.sub(r"(\n +)print\(message.order.*\n(?! +break)", r"\g<0>        break\n", code)
    run(code.replace(ADDRESS, broker.address.removeprefix("tcp://")), tmp_path)


def test_there_is_code():
    assert len(BLOCKS) >= 6


def test_the_code_with_keys_runs(tmp_path):
    [code] = [code for kind, code in BLOCK.findall((ROOT / PAGES[0]).read_text()) if "keys" in kind]
    (tmp_path / "keys").mkdir()
    for name in ("broker", "ana"):
        zmq.auth.create_certificates(tmp_path / "keys", name)
        os.chmod(tmp_path / f"keys/{name}.key_secret", 0o600)
    flags = ("--curve-key", "broker.key_secret", "--authorized", "ana.key")
    flags = [str(tmp_path / "keys" / flag) if "." in flag else flag for flag in flags]
    (tmp_path / "keys/ana.key").rename(tmp_path / "keys/authorized.key")
    flags[-1] = str(tmp_path / "keys")
    (tmp_path / "keys/broker.key").replace(tmp_path / "broker.key")
    with orden.testing.Broker("127.0.0.1:0", *flags) as broker:
        code = code.replace(ADDRESS, broker.address.removeprefix("tcp://"))
        run(code.replace("keys/broker.key", "broker.key"), tmp_path)


def test_every_error_is_in_the_table():
    page = (ROOT / "docs/python.md").read_text()
    for name in orden.__all__:
        value = getattr(orden, name)
        if isinstance(value, type) and issubclass(value, orden.Error) and value is not orden.Error:
            parent = "" if value.__mro__[1] is orden.Error else value.__mro__[1].__name__
            assert f"| `{name}` | {f'`{parent}`' if parent else ''}" in page


def test_every_example_is_listed_and_checked():
    page = (ROOT / "docs/python.md").read_text()
    for example in EXAMPLES.glob("*.py"):
        assert f"(examples/{example.name})" in page


def test_the_version_is_the_brokers():
    manifest = (ROOT / "Cargo.toml").read_text()
    assert f'\nversion = "{orden.__version__}"\n' in manifest


PUBLIC = [
    (f"{module.__name__}.{kind.__name__}.{name}", member)
    for module in (orden, orden.asyncio)
    for kind in (module.Client, module.Receipt)
    for name, member in vars(kind).items()
    if callable(member) and not name.startswith("_")
]


@pytest.mark.parametrize(("name", "method"), PUBLIC, ids=lambda value: str(value)[:40])
def test_docstrings_say_what_to_know(name, method):
    """When it waits, what a crash loses or repeats, what it raises; or where that stands."""
    text = method.__doc__
    if name.startswith("orden.asyncio"):
        assert "see `orden." in text or "Never waits" in text
        return
    assert re.search(r"[Ww]ait|at once|ask", text), "does it wait?"
    if not name.endswith("done"):
        assert re.search(r"[Rr]aise|as `__iter__`|as with `next`", text), "what does it raise?"
        assert re.search(r"crash|as `leave`", text, re.IGNORECASE), "what of a crash?"


def test_the_package_is_where_it_is_looked_for():
    assert (
        Path(orden.__file__).is_relative_to(ROOT / "src/python")
        or "site-packages" in orden.__file__
    )
