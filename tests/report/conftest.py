"""A page taken apart, and a folder of results to make one from."""

import json
from html.parser import HTMLParser

import pytest
from PIL import Image

VOID = {"meta", "img", "br", "input", "link", "base", "embed", "source", "hr"}


class Page(HTMLParser):
    """Elements of a page in their order; refuses tags that are not closed as they were opened.

    Args:
        text: the page.
    """

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.words, self.rows, self._open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, self.getpos()

    def handle_data(self, data):
        self.words.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict]:
        """Attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return "".join(self.words)


@pytest.fixture
def results(tmp_path):
    """A folder of results with a table of two depths and two seeds, its record and a figure."""
    folder = tmp_path / "results"
    for name in ("tables", "figures", "reference"):
        (folder / name).mkdir(parents=True)
    lines = ["dataset,model,depth,norm,seed,step,epoch,train_error_percent,test_error_percent"]
    for depth in (8, 20):
        for seed in (0, 1):
            lines += [f"mnist1d,plain,{depth},batch,{seed},10,1,{80 + seed},{60 + seed}"]
            lines += [f"mnist1d,plain,{depth},batch,{seed},20,2,{depth + seed},{depth + 3 * seed}"]
    (folder / "tables/sweep.csv").write_text("\n".join(lines) + "\n")
    sessions = [{"command": "resexp train -m name=sweep", "commit": "abc", "dirty": False, "device": "CPU"}]
    labels = {"dataset": "mnist1d", "model": "plain", "depth": 8, "norm": "batch", "seed": 0}
    run = {"run": "plain8", "labels": labels, "status": "done", "step": 20, "sessions": sessions}
    record = {"protocol": {"batch_size": 128}, "runs": [run], "left_out": {}}
    (folder / "tables/sweep.json").write_text(json.dumps(record))
    facts = {"tables": ["sweep"], "figure": "two depths", "after": "nobody", "departures": ["all of it"]}
    (folder / "figures/two.json").write_text(json.dumps(facts))
    Image.new("RGB", (40, 30), "white").save(folder / "figures/two.png")
    return folder


@pytest.fixture(scope="session")
def taken_apart():
    """(text of a page) -> Page."""
    return Page
