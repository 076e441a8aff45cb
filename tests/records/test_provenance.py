"""What is recorded of the machine, and of code that was changed since its commit."""

import resource
import subprocess
import sys
from types import SimpleNamespace

import pytest

from resexp.records import provenance
from resexp.records.run import RunFolder


@pytest.mark.parametrize(("system", "unit"), [("darwin", 1), ("freebsd14", 2**10)])
def test_peak_memory_is_in_mib_whatever_the_system_counts_in(system, unit, monkeypatch):
    """getrusage(2) of macOS: ru_maxrss in bytes; of Linux and the BSDs: in kilobytes."""

    def missing(*arguments, **options):
        raise FileNotFoundError("/proc/self/status")

    monkeypatch.setattr(provenance.Path, "read_text", missing)
    monkeypatch.setattr(sys, "platform", system)
    usage = SimpleNamespace(ru_maxrss=300 * 2**20 // unit)
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    assert provenance.peak_memory_mib() == 300.0


def git(top, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(["git", "-C", str(top), *who, *arguments], check=True, capture_output=True).stdout


@pytest.fixture
def tree(tmp_path):
    """A repository with one commit and nothing changed."""
    top = tmp_path / "tree"
    (top / "results").mkdir(parents=True)
    (top / "code.py").write_text("".join(f"line {n}\n" for n in range(100)))
    (top / "gone.py").write_text("x\n")
    (top / ".gitignore").write_text("ignored\n")
    git(top, "init", "-q")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "first")
    return top


def contents(top):
    files = (path for path in top.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(top)): path.read_bytes() for path in files}


def test_the_commit_and_the_diff_give_the_tree_again(tree, tmp_path):
    assert provenance.diff(tree) == b""
    clean = tmp_path / "clean"
    git(tmp_path, "clone", "-q", str(tree), str(clean))
    (tree / "code.py").write_text((tree / "code.py").read_text().replace("line 50\n", "changed\nadded\n"))
    (tree / "gone.py").unlink()
    (tree / "new folder").mkdir()
    (tree / "new folder" / "-odd é.py").write_text("no newline at the end")
    git(tree, "add", "code.py")  # staged or not
    before = git(tree, "status", "--porcelain")
    (tmp_path / "tree.diff").write_bytes(provenance.diff(tree))
    assert git(tree, "status", "--porcelain") == before, "the index is left as it is"
    git(clean, "apply", str(tmp_path / "tree.diff"))
    assert contents(clean) == contents(tree)


def test_what_is_no_code_is_left_out(tree):
    (tree / "results" / "table.csv").write_text("1\n")
    (tree / "ignored").write_text("1\n")
    assert provenance.diff(tree) == b""


def test_a_large_diff_is_cut_and_says_so(tree):
    (tree / "code.py").write_text("y" * 5000)
    for n in range(3):
        (tree / f"new{n}.py").write_text("z" * 5000)
    whole, cut = provenance.diff(tree), provenance.diff(tree, most=1000)
    assert len(whole) > 4 * 5000
    assert cut == whole[:1000] + b"\n... cut after 1000 bytes\n"


def test_a_folder_that_is_no_repository_has_no_diff(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.diff(tmp_path) == b""


def test_each_code_of_a_run_is_kept_once(tmp_path):
    run = RunFolder(tmp_path / "run")
    names = [run.keep_diff(diff) for diff in (b"a", b"a", b"b", b"a", b"b", b"c")]
    assert names == ["tree.diff", "tree.diff", "tree-2.diff", "tree.diff", "tree-2.diff", "tree-3.diff"]
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == {
        "tree.diff": b"a", "tree-2.diff": b"b", "tree-3.diff": b"c",
    }  # fmt: skip
