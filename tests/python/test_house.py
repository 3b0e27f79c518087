"""The house: imports of the package go down only, files and functions are short."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src/python/orden"
FILES = sorted(PACKAGE.rglob("*.py"))
FUNCTION_LINES_MAX = 70
PURE = ("_wire", "_batch", "_message", "_machine")
"""What has no socket, thread, lock or clock."""
IMPURE = {"asyncio", "os", "select", "socket", "subprocess", "threading", "time", "zmq"}


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """The modules that a file imports, also for types only."""
    modules = {module_of(other) for other in FILES}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else node.module


def test_imports_have_no_circles():
    below = {module_of(path): set(imports(path)) for path in FILES}
    while below:
        lowest = [name for name, used in below.items() if not used & below.keys()]
        assert lowest, f"a circle among {sorted(below)}"
        for name in lowest:
            del below[name]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_what_decides_asks_the_world_for_nothing(path):
    if any(part in PURE for part in path.with_suffix("").parts):
        roots = {name.partition(".")[0] for name in imports(path)}
        assert not roots & IMPURE


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_functions_are_short_and_public_ones_are_described(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            lines -= len((ast.get_docstring(node) or "").splitlines())
            assert lines <= FUNCTION_LINES_MAX, f"{path}:{node.lineno}: {node.name}"
