import json
import re
import shutil

import pandas as pd
import pytest
from helpers import mentions

from resexp.records.collect import write_table
from resexp.records.left_out import FEW
from resexp.records.measured import write_measured
from resexp.records.run import RunFolder


def make_run(root, depth=20, seed=0, status="done", steps=100, rows=2, width=16, **changes):
    config = {
        "labels": {"dataset": "mnist1d", "model": "plain", "depth": depth, "norm": "batch", "seed": seed},
        "model": {"name": "plain", "depth": depth, "width": width},
        "schedule": {"name": "he", "steps": steps, "warm_up": depth >= 110},
        "dataset": {"name": "mnist1d", "root": f"/somewhere/{seed}"},
        "precision": "float32",
        "train": {"device": "cpu"},
    } | changes
    run = RunFolder(root / f"plain{depth}-{seed}-{steps}-{width}")
    run.write_config(config)
    run.write_rows([{"step": 50 * (i + 1), "test_error_percent": 100 / (i + 3)} for i in range(rows)])
    run.write_status(status, step=50 * rows, steps=steps)
    run.write_provenance({"sessions": [{"device": "CPU"}]})
    return run


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs" / "sweep"


def collect(runs, tmp_path, **options):
    said = write_table(runs, tmp_path / "tables", **options)
    return said, pd.read_csv(tmp_path / "tables" / "sweep.csv")


def test_a_tidy_sorted_table(runs, tmp_path):
    for depth, seed in ((56, 0), (8, 1), (8, 0)):
        make_run(runs, depth, seed)
    make_run(runs, 20, status="interrupted")
    said, table = collect(runs, tmp_path)
    assert list(table.columns) == [
        "dataset", "model", "depth", "norm", "seed", "step", "test_error_percent",
    ]  # fmt: skip
    keys = [tuple(row) for row in table[["depth", "seed", "step"]].to_numpy().tolist()]
    assert keys == [(8, 0, 50), (8, 0, 100), (8, 1, 50), (8, 1, 100), (56, 0, 50), (56, 0, 100)]
    assert re.search(mentions("3 runs", "6 rows", "plain20-0-100-16 (interrupted)"), said)
    text = (tmp_path / "tables" / "sweep.csv").read_text()
    assert text.splitlines()[1] == "mnist1d,plain,8,batch,0,50,33.3333"
    provenance = json.loads((tmp_path / "tables" / "sweep.json").read_text())
    assert provenance["protocol"]["schedule.steps"] == 100
    assert len(provenance["runs"]) == 3


def test_the_same_bytes_twice(runs, tmp_path):
    make_run(runs)
    contents = []
    for _ in range(2):
        collect(runs, tmp_path)
        contents.append([path.read_bytes() for path in sorted((tmp_path / "tables").iterdir())])
    assert contents[0] == contents[1]


def test_a_diverged_run_keeps_its_rows_and_shows_where_it_ended(runs, tmp_path):
    make_run(runs, 8)
    make_run(runs, 110, status="diverged", rows=1)
    make_run(runs, 1202, status="diverged", rows=0)
    _, table = collect(runs, tmp_path)
    assert table.groupby("depth").size().to_dict() == {8: 2, 110: 2, 1202: 1}
    lost = table[table["test_error_percent"].isna()]
    assert lost["depth"].tolist() == [110, 1202]
    assert lost["step"].tolist() == [50, 0], "where they diverged"


def test_what_follows_a_swept_setting_is_no_mixture(runs, tmp_path):
    plan = [
        make_run(runs, seed=seed, steps=6400 // size, batch_size=size).config()
        for size in (32, 64)
        for seed in (0, 1)
    ]
    with pytest.raises(
        ValueError, match=mentions("schedule.steps", "100: 2 runs", "200: 2 runs", "--only", "--by")
    ):
        collect(runs, tmp_path, by=["batch_size", "seed"])
    _, table = collect(runs, tmp_path, by=["batch_size", "seed"], plan=plan)
    assert len(table) == 8
    make_run(runs, seed=2, steps=50, batch_size=64)
    with pytest.raises(ValueError, match=mentions("schedule.steps", "100: 2 runs", "50: 1 runs")):
        collect(runs, tmp_path, by=["batch_size", "seed"], plan=plan)


def test_protocols_are_not_mixed_silently(runs, tmp_path):
    make_run(runs, 8, steps=100)
    make_run(runs, 20, steps=100)
    make_run(runs, 20, steps=64_000)
    with pytest.raises(ValueError, match=mentions("schedule.steps", "100: 2 runs", "64000: 1 runs")):
        collect(runs, tmp_path)
    assert not (tmp_path / "tables").exists()
    _, table = collect(runs, tmp_path, only=[("schedule.steps", "100")])
    assert len(table) == 4
    _, table = collect(runs, tmp_path, by=["schedule.steps"])
    assert set(table["schedule.steps"]) == {100, 64_000}
    common = json.loads((tmp_path / "tables" / "sweep.json").read_text())["protocol"]
    assert "schedule.steps" not in common, "it holds for some of the runs only"
    assert common["precision"] == "float32"


def test_runs_beside_the_plans_protocol_are_left_out_and_named(runs, tmp_path):
    for seed in range(3):
        make_run(runs, seed=seed)
    make_run(runs, steps=20)
    plan = [run.config() for run in (make_run(tmp_path / "plan", seed=seed) for seed in range(2))]
    said, table = collect(runs, tmp_path, plan=plan)
    assert sorted(set(table["seed"])) == [0, 1, 2], "a seed more than planned is welcome"
    assert "plain20-0-20-16 (another protocol)" in said
    apart, table = collect(runs, tmp_path, plan=plan, by=["schedule.steps"])
    assert sorted(set(table["schedule.steps"])) == [20, 100]
    assert "left out" not in apart


def test_a_longer_table_is_not_lost_by_accident(runs, tmp_path):
    for depth in (8, 20):
        make_run(runs, depth)
    _, table = collect(runs, tmp_path)
    assert len(table) == 4
    with pytest.raises(ValueError, match=mentions("sweep.csv", "4", "2", "--tables", "--replace")):
        collect(runs, tmp_path, only=[("model.depth", "8")])
    _, table = collect(runs, tmp_path, only=[("model.depth", "8")], replace=True)
    assert len(table) == 2


def test_a_setting_that_older_runs_lack_is_named_and_not_compared(runs, tmp_path):
    make_run(runs, 20)
    make_run(runs, 56, optimizer={"name": "sgd", "nesterov": False})
    said, table = collect(runs, tmp_path)
    assert said.endswith(": optimizer.name, optimizer.nesterov")
    assert len(table) == 4
    make_run(runs, 32, optimizer={"name": "sgd", "nesterov": True})
    with pytest.raises(ValueError, match=mentions("optimizer.nesterov", "False: 1 runs", "True: 1 runs")):
        collect(runs, tmp_path)


def test_a_case_may_set_anything_but_agrees_with_itself(runs, tmp_path):
    make_run(runs, 8, steps=100, case="short")
    make_run(runs, 8, steps=200, case="long")
    collect(runs, tmp_path, by=["case", "model.depth"])
    make_run(runs, 20, steps=200, case="short")
    with pytest.raises(ValueError, match=mentions("schedule.steps", "100: 1 runs", "200: 1 runs")):
        collect(runs, tmp_path, by=["case", "model.depth"])


def test_runs_that_no_column_tells_apart_are_refused(runs, tmp_path):
    make_run(runs, width=16)
    make_run(runs, width=32)
    for run, name in zip(sorted(runs.iterdir()), ("relu", "elu"), strict=True):
        config = RunFolder(run).config()
        config["model"]["width"] = 16
        RunFolder(run).write_config(config | {"activation": {"name": name}})
        RunFolder(run).write_status("done", step=100, steps=100)
    with pytest.raises(ValueError, match=mentions("activation.name", "--by", "--only")):
        collect(runs, tmp_path)
    _, table = collect(runs, tmp_path, by=["activation", "seed", "model.depth", "norm.name"])
    assert list(table.columns[4:6]) == ["seed", "activation"], "labels are no second column"
    assert set(table["activation"]) == {"relu", "elu"}


def test_nothing_to_collect_is_said(runs, tmp_path):
    with pytest.raises(ValueError, match=r"sweep\b.*resexp train -m experiment=sweep\Z"):
        collect(runs, tmp_path)
    make_run(runs, status="failed")
    with pytest.raises(ValueError, match=r"\A.*sweep \(1 .*`resexp status sweep`\Z"):
        collect(runs, tmp_path)
    with pytest.raises(ValueError, match=mentions("colour")):
        collect(runs, tmp_path, only=[("colour", "red")])


@pytest.mark.parametrize(("key", "changed"), [("init", {"name": "other"}), ("precision", "bfloat16")])
def test_initialization_and_precision_are_protocol(runs, tmp_path, key, changed):
    make_run(runs, 8, **({"init": {"name": "he"}} if key == "init" else {}))
    make_run(runs, 20, **{key: changed})
    with pytest.raises(ValueError, match=rf"\A.*\b{re.escape(key)}\b.*--by {re.escape(key)}\b.*\Z"):
        collect(runs, tmp_path)
    assert write_table(runs, tmp_path / "tables", by=[key])


def test_how_data_is_loaded_is_protocol_but_for_where_it_lies(runs, tmp_path):
    """E.g. border weights: two of them in one table would be compared as one."""
    load = {"_target_": "resexp.data.cells.load", "border_weight": 2.0, "root": "here", "workers": 1}
    make_run(runs, 8, dataset={"name": "cells", "load": load})
    make_run(runs, 20, dataset={"name": "cells", "load": load | {"root": "there", "workers": 4}})
    assert write_table(runs, tmp_path / "tables")
    make_run(runs, 56, dataset={"name": "cells", "load": load | {"border_weight": 5.0}})
    key = "dataset.load.border_weight"
    with pytest.raises(ValueError, match=mentions(f"--by {key}", f"{key}=2.0")):
        collect(runs, tmp_path)
    _, table = collect(runs, tmp_path, by=[key])
    assert set(table[key]) == {2.0, 5.0}


def measured(root, name, digest, networks=3):
    run = RunFolder(root / f"{name}-{digest}")
    run.write_config({"command": "measure", "measure": {"name": name, "networks": networks}})
    run.write_table(name, pd.DataFrame({"setup": ["a", "b"], "value": [1 / 3, None]}))
    run.write_status("done", step=1, steps=1)
    return run


def test_measurements_are_put_together_by_table(tmp_path):
    runs, tables = tmp_path / "runs" / "x", tmp_path / "tables"
    with pytest.raises(ValueError, match=r"resexp measure -m experiment=x\Z"):
        write_measured(runs, tables)
    measured(runs, "one", "0")
    measured(runs, "two", "0")
    (tables / "x_one.csv").parent.mkdir()
    (tables / "x_one.csv").write_text("setup,value\na,1\nb,2\nc,3\n")
    with pytest.raises(ValueError, match=mentions("x_one.csv", "3", "2", "--replace")):
        write_measured(runs, tables)
    said = write_measured(runs, tables, replace=True)
    assert re.search(r"x_one\.csv: 2 rows, .*\b3\b", said)
    assert (tables / "x_two.csv").read_text() == "setup,value\na,0.33333\nb,\n"
    assert len(json.loads((tables / "x.json").read_text())["runs"]) == 2


def test_measurements_that_did_not_end_well_are_left_out(tmp_path):
    runs, tables = tmp_path / "runs" / "x", tmp_path / "tables"
    measured(runs, "one", "0")
    for status in ("failed", "interrupted"):
        measured(runs, f"of_{status}", "0").write_status(status, step=0, steps=1)
    write_measured(runs, tables)
    assert [path.name for path in tables.glob("*.csv")] == ["x_one.csv"]


def test_two_measurements_of_one_kind_are_not_mixed(tmp_path):
    runs = tmp_path / "runs" / "x"
    measured(runs, "one", "0", networks=3)
    measured(runs, "one", "1", networks=4)
    with pytest.raises(ValueError, match=mentions("measure.networks")):
        write_measured(runs, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_rows_without_a_number_are_kept(runs, tmp_path):
    run = make_run(runs, status="diverged")
    run.write_rows(
        [{"step": 50, "test_error_percent": 12.5}, {"step": 100, "test_error_percent": float("nan")}]
    )
    run.write_status("diverged", step=100, steps=100)
    _, table = collect(runs, tmp_path)
    assert table["test_error_percent"].dropna().tolist() == [12.5]


def test_damaged_runs_are_named_and_left_out_and_the_others_collected(runs, tmp_path):
    for depth in (8, 20, 32, 44, 56, 110):
        make_run(runs, depth)
    paths = {run.name: run for run in runs.iterdir()}
    rows = paths["plain8-0-100-16"] / "rows.csv"
    rows.write_text(rows.read_text().replace("33.33", "31.33"))
    (paths["plain20-0-100-16"] / "config.json").write_text('{"labels": ')
    (paths["plain32-0-100-16"] / "status.json").write_bytes(b"\xff\xfe")
    altered = paths["plain56-0-100-16"] / "config.json"
    altered.write_text(altered.read_text().replace("56", "65"))
    (paths["plain110-0-100-16"] / "config.json").unlink()
    said, table = collect(runs, tmp_path)
    assert set(table["depth"]) == {44}
    for name in (
        "plain8-0-100-16 (damaged)",
        "plain20-0-100-16 (config.json is damaged",
        "plain32-0-100-16 (damaged)",
        "plain56-0-100-16 (config.json was altered",
        "plain110-0-100-16 (config.json was altered",
    ):
        assert name in said


def test_of_many_that_are_left_out_the_first_are_named_and_the_others_counted(runs, tmp_path):
    make_run(runs, 56)
    for seed in range(FEW + 3):
        make_run(runs, seed=seed, status="failed", rows=0)
    make_run(runs, seed=99, status="interrupted")
    said, table = collect(runs, tmp_path)
    assert set(table["depth"]) == {56}
    assert said.count("(failed)") == FEW + 1
    assert "3 more" in said
    assert "plain20-99-100-16 (interrupted)" in said
    assert len(json.loads((tmp_path / "tables" / "sweep.json").read_text())["left_out"]) == FEW + 2


def test_a_run_of_two_versions_of_the_program_is_said_to_be_one(runs, tmp_path):
    for version in ("a", "b"):
        run = make_run(runs, seed=0)
        config = run.config() | {"parts": {"_target_": f"resexp.models.{version}.Parts"}, "name": version}
        other = RunFolder(runs / f"of_{version}")
        other.write_config(config)
        other.write_rows([{"step": 50, "test_error_percent": 3}])
        other.write_status("done", step=50, steps=50)
        shutil.rmtree(run.path)
    with pytest.raises(ValueError, match=mentions("of_a", "of_b")):
        collect(runs, tmp_path)


def test_lists_keep_runs_apart(runs, tmp_path):
    for seed, fractions in enumerate(([0.5], [0.5, 0.75])):
        run = make_run(runs, seed=seed)
        run.write_config(run.config() | {"divide_at": fractions})
        run.write_status("done", step=100, steps=100)
    _, table = collect(runs, tmp_path, by=["divide_at"])
    assert set(table["divide_at"]) == {"[0.5]", "[0.5, 0.75]"}


def test_a_setting_that_is_a_text_in_some_runs_and_a_number_in_others_is_sorted(runs, tmp_path):
    for seed, kept in enumerate(("log", 3, None, 20)):
        make_run(
            runs, seed=0, width=seed, train={"keep": kept}, model={"name": "plain", "depth": 20, "width": 4}
        )
    _, table = collect(runs, tmp_path, by=["train.keep"])
    assert list(table["train.keep"].fillna("")[::2]) == ["20", "3", "log", ""]


def test_a_section_is_no_setting_to_tell_runs_apart_by(runs, tmp_path):
    make_run(runs)
    with pytest.raises(ValueError, match=mentions("train", "device")):
        collect(runs, tmp_path, by=["train"])


@pytest.mark.parametrize("value", ["false", "False"])
def test_a_choice_is_written_as_in_the_configs(runs, tmp_path, value):
    for seed, nesterov in enumerate((False, True)):
        run = make_run(runs, seed=seed)
        run.write_config(run.config() | {"nesterov": nesterov})
        run.write_status("done", step=100, steps=100)
    _, table = collect(runs, tmp_path, only=[("nesterov", value)])
    assert set(table["seed"]) == {0}


def test_a_choice_that_no_run_meets_is_said(runs, tmp_path):
    make_run(runs)
    with pytest.raises(ValueError, match=mentions("precision=half", "config.json")):
        collect(runs, tmp_path, only=[("precision", "half")])


def test_the_table_does_not_depend_on_how_many_runs_are_read_at_once(runs, tmp_path, monkeypatch):
    """Whole numbers stay whole beside a missing setting, and columns come from all runs."""
    for seed, extra in enumerate((1_234_567, None, 3)):
        status = "diverged" if seed == 2 else "done"
        run = make_run(runs, seed=seed, status=status, rows=2 - seed, extra=extra)
        if seed == 1:
            run.write_rows([{"step": 50, "other": 7_654_321}])
            run.write_status("done", step=50, steps=100)
    tables = []
    for at_once in (1, 2, 200):
        monkeypatch.setattr("resexp.records.collect.AT_ONCE", at_once)
        write_table(runs, tmp_path / "tables", by=["extra"])
        tables.append((tmp_path / "tables" / "sweep.csv").read_text())
    assert set(tables) == {tables[0]}
    assert tables[0].splitlines()[1].startswith("mnist1d,plain,20,batch,0,1234567,50,33.3333")
    assert tables[0].splitlines()[3] == "mnist1d,plain,20,batch,1,,50,,7.65432e+06"


def test_results_that_change_while_they_are_collected_are_not_mixed(runs, tmp_path, monkeypatch):
    run = make_run(runs)
    usual = RunFolder.rows

    def altered(self):
        (run.path / "rows.csv").write_text("step,test_error_percent\n50,1\n")
        return usual(self)

    monkeypatch.setattr(RunFolder, "rows", altered)
    with pytest.raises(ValueError, match=mentions(run.name, "again")):
        collect(runs, tmp_path)
    assert not (tmp_path / "tables").exists()
