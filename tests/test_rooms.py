"""Imports follow the arrows of the layout."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"config", "models", "tasks", "data", "training", "measure", "records"}
LEAVES = {"files", "exits"}  # they know nothing of the rooms
# room -> rooms of resexp that it may import, apart from itself and the leaves
ALLOWED = {
    "cli": {"commands"},
    "api": {"experiments", "config", "records"},
    "commands": {"bench", "experiments", "config", "records", "report", "plots"},
    "bench": {"experiments", *ROOMS},
    "experiments": ROOMS,
    "plots": set(),
    "report": {"plots"},
    "__main__": {"cli"},
    **{room: set() for room in ROOMS},
}
HYDRA = {"hydra", "omegaconf"}
# commands import it within functions
WITHOUT_TORCH = {"plots", "report", "records", "config", "commands", "cli"}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "resexp").parts[0].removesuffix(".py")


FILES = sorted((ROOT / "resexp").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_point_one_way(path):
    room = room_of(path)
    allowed = {"api"} if room == "__init__" else ALLOWED.get(room, set()) | {room} | LEAVES
    for name in imports(path):
        if name.startswith("resexp.") and name != "resexp.__version__":
            assert name.split(".")[1] in allowed, f"{path.name} imports {name}"
        if name.split(".")[0] in HYDRA:
            assert room in {"commands", "config", "experiments", "bench"}, f"{path.name} imports {name}"
        if name.split(".")[0] in {"torch", "torchvision"}:
            assert room not in WITHOUT_TORCH or path.name == "list.py", f"{path.name} imports {name}"


def test_no_file_escapes_the_rooms():
    assert {room_of(path) for path in FILES} <= {*ALLOWED, *LEAVES, "__init__"}


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.py")), ids=lambda p: p.name)
def test_scripts_need_no_torch(path):
    for name in imports(path):
        assert name.split(".")[0] not in {"torch", "torchvision", *HYDRA}
        assert not name.startswith("resexp.") or name.startswith("resexp.plots.")


def test_torchvision_is_never_imported_at_the_top_of_a_module():
    for path in FILES:
        top = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.Import | ast.ImportFrom)]
        names = {getattr(n, "module", None) or n.names[0].name for n in top}
        assert not any(name.startswith("torchvision") for name in names), path
