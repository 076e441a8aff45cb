"""The page: whole, self-contained, small, with the tables' numbers, and safe from what runs say."""

import base64
import csv
import hashlib
import json
import re
import statistics
from collections import defaultdict

import pytest
from helpers import ROOT, mentions

from resexp.commands.report import report

RESULTS = ROOT / "results"


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    """The page on all committed results, drawn once."""
    folder = tmp_path_factory.mktemp("report")
    report(None, folder / "runs", RESULTS, folder / "all.html")
    return (folder / "all.html").read_text(encoding="utf-8")


def sections(text):
    """Experiment -> its part of a page."""
    return dict(re.findall(r'<section id="(.*?)">(.*?)</section>', text, re.DOTALL))


def test_it_is_well_formed_and_loads_nothing(committed, taken_apart):
    page = taken_apart(committed)
    assert {name for name, _ in page.elements}.isdisjoint(
        {"link", "iframe", "object", "embed", "base", "form", "video", "audio", "source", "use", "image"}
    )
    assert all(image["src"].startswith("data:image/webp;base64,") for image in page.all("img"))
    assert page.all("script") == [{}], "the page's own, inline"
    style = committed[committed.index("<style>") : committed.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    links = [link["href"] for link in page.all("a")]
    places = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert all(link.startswith("https://") or link.removeprefix("#") in places for link in links)


def test_its_policy_lets_its_own_script_run_and_no_other(committed):
    (script,) = re.findall(r"<script>(.*?)</script>", committed, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)">', committed)
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy.replace("&#43;", "+")


def test_it_is_small(committed):
    assert len(committed.encode()) < 5e6
    for name, part in sections(committed).items():
        assert len(part.encode()) < 1.5e6, name


def test_every_experiment_with_a_table_and_every_figure_is_there_once(committed):
    records = {p.stem for p in (RESULTS / "tables").glob("*.json") if "runs" in json.loads(p.read_text())}
    assert sections(committed).keys() == records
    figures = {path.stem for path in (RESULTS / "figures").glob("*.png")}
    assert sorted(re.findall(r'<figure id="figure-(\w+)">', committed)) == sorted(figures)


def last_errors(path):
    """The slow way: settings, all keys but the seed -> the last test errors of its runs."""
    runs = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            keys = list(row)[: list(row).index("step")]
            runs[tuple(row[key] for key in keys)] = row["test_error_percent"]
            seed = keys.index("seed")
    found = defaultdict(list)
    for key, error in runs.items():
        found[key[:seed] + key[seed + 1 :]] += [float(error)] if error else []
    return found


@pytest.mark.parametrize("name", ["depth_sweep", "learning_rates", "relatives", "width_vs_depth"])
def test_its_numbers_are_the_tables(committed, taken_apart, name):
    wanted = []
    for errors in last_errors(RESULTS / "tables" / f"{name}.csv").values():
        spread = f" ± {statistics.stdev(errors):.2f}" if len(errors) > 1 else ""
        wanted.append((f"{statistics.mean(errors):.2f}{spread}", str(len(errors))))
    rows = taken_apart(sections(committed)[name]).rows
    start = next(i for i, row in enumerate(rows) if "test error (%)" in row and "diverged" in row)
    error, count = rows[start].index("test error (%)"), rows[start].index("runs")
    shown = [(row[error], row[count]) for row in rows[start + 1 : start + 1 + len(wanted)]]
    assert sorted(shown) == sorted(wanted)


def test_published_numbers_stand_in_the_rows_of_their_settings(committed, taken_apart):
    with (RESULTS / "tables/shortcut_variants.csv").open() as file:
        measured = {row["case"] for row in csv.DictReader(file)}
    with (RESULTS / "reference/comparisons.csv").open() as file:
        found = [row for row in csv.DictReader(file) if row["experiment"] == "shortcut_variants"]
    published = [row for row in found if row["option"] in measured]
    rows = taken_apart(sections(committed)["shortcut_variants"]).rows
    start = next(i for i, row in enumerate(rows) if row[-1:] == ["published, CIFAR-10 (%)"])
    shown = {row[0]: row[-1] for row in rows[start + 1 : start + 1 + len(published)]}
    assert shown == {row["option"]: row["value"] for row in published}
    assert len(shown) == 10
    rows = taken_apart(sections(committed)["depth_sweep_cifar10_short"]).rows
    assert ["resnet", "56", "13.25", "10.16", "1", "0", "6.97"] in rows
    assert all(row[-1] == "" for row in rows if row[0] == "plain" and len(row) == 7)


def test_the_findings_stand_with_their_experiments(committed, taken_apart):
    text = taken_apart(sections(committed)["activation_orders"]).text
    assert "Findings: Order of operations" in text
    assert "Findings: Shortcuts" not in text


NASTY = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&{{ 7 * 7 }}"


def nasty_run(folder, name, status, **labels):
    run = folder / name
    run.mkdir(parents=True)
    labels = {"dataset": NASTY, "model": NASTY, "depth": 8, "norm": NASTY, "seed": 0} | labels
    config = {"command": "train", "labels": labels, "model": {"name": NASTY, "depth": 8}, "precision": NASTY}
    rows = "step,epoch,train_error_percent,test_error_percent\n10,1,80,70\n20,2,40,30\n"
    state = {"status": status, "step": 20, "steps": 20, "error": f"{NASTY}\nsecond line"}
    keys = ("command", "commit", "dirty", "python", "device", "cores", "start", "end", "status")
    session = dict.fromkeys(keys, NASTY) | {"versions": {NASTY: NASTY}}
    (run / "config.json").write_text(json.dumps(config))
    (run / "rows.csv").write_text(rows)
    (run / "status.json").write_text(json.dumps(state))
    (run / "provenance.json").write_text(json.dumps({"sessions": [session, NASTY]}))


def test_what_strangers_write_is_text(results, tmp_path, taken_apart):
    runs = tmp_path / "runs"
    for seed, status in enumerate(("done", "failed", "diverged", NASTY)):
        nasty_run(runs / "sweep", f"run{seed}", status, seed=seed, model=f"{NASTY}{seed}")
    table = results / "tables/sweep.csv"
    table.write_text(table.read_text().replace("plain,20", f'"{NASTY.replace(chr(34), chr(34) * 2)}",20'))
    facts = {"tables": ["sweep"], "figure": NASTY, "after": NASTY, NASTY: NASTY, "departures": [NASTY]}
    facts |= {"panels": [{NASTY: {NASTY: [NASTY]}, "departures": [NASTY]}]}
    (results / "figures/two.json").write_text(json.dumps(facts))
    (results / "FINDINGS.md").write_text(
        f"## {NASTY}\n\nTable: [{NASTY}](tables/sweep.csv). [x](javascript:alert(1)) `{NASTY}`\n\n"
        f"| setting | {NASTY} |\n| --- | --- |\n| {NASTY} | holds |\n\n- **{NASTY}**\n"
    )
    published = {"experiment": "sweep", "option": NASTY, "value": NASTY, "dataset": NASTY, "paper": NASTY}
    with (results / "reference/comparisons.csv").open("w") as file:
        writer = csv.DictWriter(file, list(published))
        writer.writeheader()
        writer.writerow(published)
    report("sweep", runs, results, tmp_path / "page.html")
    page = taken_apart((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert page.all("script") == [{}]
    assert len(page.all("img")) == 1
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), tag
        assert not str(attributes.get("href", "")).startswith("javascript"), tag
    assert page.text.count(NASTY) > 30, "shown, as it was written"
    assert "7 * 7" in page.text


def test_failures_come_last_with_their_first_line(results, tmp_path, taken_apart):
    runs = tmp_path / "runs"
    for seed, status in enumerate(("done", "failed", "diverged")):
        nasty_run(runs / "sweep", f"run{seed}", status, seed=seed)
    (runs / "sweep/broken").mkdir()
    (runs / "sweep/broken/config.json").write_text("{")
    report("sweep", runs, results, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    titles = re.findall(r"<h3>(.*?)</h3>", text)
    assert titles[-1] == "Failures"
    rows = taken_apart(text).rows
    bad = rows[rows.index(["run", "status", "step", "error"]) + 1 :]
    assert [row[:2] for row in bad] == [["broken", "damaged"], ["run1", "failed"], ["run2", "diverged"]]
    assert bad[1][3] == NASTY, "the first line"
    assert "config.json" in bad[0][3]


def test_it_says_where_numbers_and_curves_are_from(results, tmp_path, taken_apart):
    def text():
        report("sweep", tmp_path / "runs", results, tmp_path / "page.html")
        return taken_apart((tmp_path / "page.html").read_text(encoding="utf-8")).text

    assert "Errors at the end, from the table" in text()
    assert "From the table. Thick" in text()
    for seed in (0, 1):
        nasty_run(tmp_path / "runs/sweep", f"run{seed}", "done", seed=seed)
    assert "The runs folder has 2 that have finished, the table 1" in text()
    assert "Errors at the end, from the table" in text()
    assert "From the runs folder. Thick" in text()
    (results / "tables/sweep.csv").unlink()
    (results / "tables/sweep.json").unlink()
    assert "No table yet: resexp collect sweep" in text()
    assert "Errors at the end, from the runs folder" in text()


def test_a_figure_that_names_no_tables_is_said_to_be_left_out(results, tmp_path, taken_apart):
    (results / "figures/two.json").write_text('{"after": "nobody"}')
    report(None, tmp_path / "runs", results, tmp_path / "page.html")
    page = taken_apart((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert page.all("img") == []
    assert re.search(r"left out: two; draw them again", page.text)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("depth_sweeep", ["'depth_sweeep'", "depth_sweep?", "sweep"]),
        ("depth_sweep_cifar10", ["depth_sweep_cifar10", "resexp train -m experiment=depth_sweep_cifar10"]),
        ("variance_growth", ["resexp measure -m experiment=variance_growth"]),
    ],
)
def test_an_experiment_that_is_not_there_is_refused(results, tmp_path, name, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        report(name, tmp_path / "runs", results, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
