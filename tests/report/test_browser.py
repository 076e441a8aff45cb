"""The page in a browser: its script runs, it fits a phone, and it follows the person's colours."""

import json
import re
import shutil
import subprocess
from html import escape
from pathlib import Path

import pytest
from helpers import ROOT

from resexp.commands.report import report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")]
# Works the page as a person does, and writes what it finds into the page.
PROBE = """
const tables = [...document.querySelectorAll("table.data")];
const table = tables.find(t => /Errors at the end/.test(t.caption.textContent));
const column = i => [...table.tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[i].textContent);
const titles = [...table.tHead.rows[0].cells];
const error = titles.findIndex(t => /test error/.test(t.textContent));
const press = () => titles[error].querySelector("button").click();
const seen = {};
press(); seen.up = column(error);
press(); seen.down = column(error);
const filter = table.parentElement.previousElementSibling;
filter.value = "gate_6"; filter.dispatchEvent(new Event("input")); seen.filtered = column(0);
const entry = document.querySelector(".legend [data-line]");
entry.dispatchEvent(new Event("pointerenter"));
seen.lines = document.querySelectorAll(".line").length;
seen.faded = document.querySelectorAll(".faded").length;
entry.dispatchEvent(new Event("pointerleave"));
seen.left = document.querySelectorAll(".faded").length;
document.querySelectorAll("details").forEach(d => d.open = true);
seen.width = innerWidth;
seen.inner = document.documentElement.clientWidth;
seen.whole = document.documentElement.scrollWidth;
seen.boxes = [...document.querySelectorAll(".scroll")].filter(b => b.scrollWidth > b.clientWidth).length;
seen.paper = getComputedStyle(document.body).backgroundColor;
seen.ink = getComputedStyle(document.body).color;
const found = document.createElement("pre");
found.id = "seen"; found.textContent = JSON.stringify(seen);
parent.document.body.append(found);
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    report("shortcut_variants", folder / "runs", ROOT / "results", folder / "page.html")
    return folder / "page.html"


def opened(page: Path, *flags: str) -> str:
    """The page as it is after its scripts have run, 1,280 pixels wide."""
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={page.parent}/profile",
    ]
    command += ["--window-size=1280,844", *flags, "--dump-dom", f"file://{page}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def probed(page: Path, width: int, *flags: str) -> dict:
    """What the probe finds in a copy that lets it run, in a frame: windows are not so narrow."""
    text = re.sub(r"<meta http-equiv.*?>", "", page.read_text(encoding="utf-8"))
    copy = text.replace("</body>", f"<script>{PROBE}</script></body>")
    frame = page.with_name("frame.html")
    frame.write_text(
        '<meta name="color-scheme" content="light dark">'
        f'<body style="margin:0"><iframe width={width} height=844 style="border:0" srcdoc="{escape(copy)}">',
        encoding="utf-8",
    )
    (found,) = re.findall(r'<pre id="seen">(.*?)</pre>\s*</body>', opened(frame, *flags))
    return json.loads(found)


def test_tables_are_sorted_and_filtered_and_lines_told_apart(page):
    seen = probed(page, 1280)
    errors = [float(text.split()[0]) for text in seen["up"]]
    assert errors == sorted(errors)
    assert len(set(errors)) == 11
    assert seen["down"] == seen["up"][::-1]
    assert sorted(seen["filtered"]) == ["exclusive_gate_6", "shortcut_only_gate_6"]
    assert seen["lines"] == 22
    assert seen["faded"] == 10, "all but one of the eleven of its drawing"
    assert seen["left"] == 0


@pytest.mark.parametrize("width", [390, 1280])
def test_wide_tables_scroll_in_their_boxes_and_the_page_does_not(page, width):
    report(None, page.parent / "runs", ROOT / "results", page.with_name("all.html"))
    seen = probed(page.with_name("all.html"), width)
    assert seen["width"] == width
    assert seen["whole"] == seen["inner"], "all the width but for the bar"
    assert seen["boxes"] > 10, "tables of runs are wide"


def luminance(color: str) -> float:
    """Relative luminance of rgb(...), WCAG 2."""
    channels = [int(c) / 255 for c in re.findall(r"\d+", color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_dark_and_light(page):
    for flags, dark in (((), False), (("--force-dark-mode",), True)):
        seen = probed(page, 1280, *flags)
        paper, ink = luminance(seen["paper"]), luminance(seen["ink"])
        assert (paper < ink) == dark
        assert (max(paper, ink) + 0.05) / (min(paper, ink) + 0.05) > 7, "WCAG AAA"


def test_the_policy_lets_its_script_run_and_no_other(page):
    assert "<button>" in opened(page), "titles became buttons"
    text = page.read_text(encoding="utf-8")
    other = page.with_name("other.html")
    other.write_text(text.replace("</body>", "<script>document.title = 'taken'</script></body>"))
    assert "<title>taken</title>" not in opened(other)
    other.write_text(re.sub(r"<meta http-equiv.*?>", "", other.read_text()))
    assert "<title>taken</title>" in opened(other), "without the policy"
