"""Text files are UTF-8 wherever the program runs: no call leaves the encoding to the locale."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "resexp").rglob("*.py"), *(ROOT / "scripts").glob("*.py")])
ELSEWHERE = {"os", "Image", "tarfile", "gzip", "zipfile", "request"}  # what their open() gives is in bytes


def unnamed(source: str) -> list[int]:
    """The lines of calls that open a text file without naming its encoding."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [call.lineno for call in calls if _opens_text(call) and not _names_encoding(call)]


def _opens_text(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id == "open" and not _in_bytes(call.args[1:])
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr in ("read_text", "write_text"):
        return True
    owner = ast.unparse(call.func.value).rpartition(".")[2]
    return call.func.attr == "open" and owner not in ELSEWHERE and not _in_bytes(call.args)


def _in_bytes(mode: list[ast.expr]) -> bool:
    return bool(mode) and isinstance(mode[0], ast.Constant) and "b" in str(mode[0].value)


def _names_encoding(call: ast.Call) -> bool:
    return any(keyword.arg == "encoding" for keyword in call.keywords)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("path.open()\npath.open('a')\nopen('x')", [1, 2, 3]),
        ("path.read_text()\npath.write_text(x)", [1, 2]),
        ("path.open('rb')\nopen('x', 'wb')\nos.open('x', 0)\npath.read_text(encoding='utf-8')", []),
    ],
)
def test_calls_without_an_encoding_are_found(source, lines):
    assert unnamed(source) == lines


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_file_is_opened_with_its_encoding(path):
    assert unnamed(path.read_text(encoding="utf-8")) == []
