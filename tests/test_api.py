"""resexp from Python: what a notebook's cell does, and what it leaves alone."""

import signal

import hydra
import matplotlib
import pytest
import torch
from helpers import mentions
from hydra.core.global_hydra import GlobalHydra
from hydra.version import getbase

import resexp
from resexp.config.compose import compose, resolve
from resexp.config.keywords import overrides

SHORT = {"model__depth": 8, "model__width": 4, "schedule__steps": 4, "interval": 2}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name in ("plain", "resnet"):
        resexp.train(name, runs=folder, **SHORT)
    return folder


def test_a_cell_trains_and_plots_in_five_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    cell = """
import resexp
runs = [resexp.train(name, model__depth=8, schedule__steps=4, interval=2) for name in ("plain", "resnet")]
rows = resexp.rows(*runs)
curves = rows.pivot(index="step", columns="model", values="train_error_percent")
axes = curves.plot(ylabel="training error in %")
"""
    names = {}
    exec(cell, names)
    assert [line.get_label() for line in names["axes"].get_lines()] == ["plain", "resnet"]
    recorded = (tmp_path / "results/runs/single" / names["runs"][0].path.name / "rows.csv").read_text()
    assert repr(float(names["curves"]["plain"].iloc[-1])) in recorded


def test_a_run_is_not_trained_twice(runs, capsys):
    again = resexp.train("plain", runs=runs, **SHORT)
    assert "already done" in capsys.readouterr().out
    assert again.status == "done"
    assert again.config["model"]["depth"] == 8


def test_rows_of_a_pattern_name_their_runs(runs):
    table = resexp.rows(f"{runs}/single/*")
    assert list(table.groupby("model")["step"].max()) == [4, 4]
    assert {path.name for path in (runs / "single").iterdir() if path.is_dir()} == set(table["run"])


def test_a_loaded_network_has_the_recorded_test_error(runs):
    (run,) = resexp.found(runs / "single" / "resnet*")
    from resexp.experiments.trained_run import TrainedRun
    from resexp.records.run import RunFolder

    x, y = TrainedRun(RunFolder(run.path), torch.device("cpu")).examples("test", 10**6)
    with torch.no_grad():
        wrong = (resexp.load(run.path)(x).argmax(dim=1) != y).double().mean()
    assert 100 * float(wrong) == pytest.approx(run.rows["test_error_percent"].iloc[-1])


@pytest.mark.parametrize(
    ("choices", "named"),
    [
        ({"model__dpth": 8}, ["model__dpth", "model__depth?"]),
        ({"norm": "bach"}, ["norm=bach", "batch?"]),
        ({"depth": 8}, ["depth", "model__depth?"]),
        ({"model__depth": 9}, ["model__depth", "6n+2", "9"]),
        ({"dataset": "imagefolder", "dataset__root": "no such folder, [1]"}, ["no such folder, [1]"]),
    ],
)
def test_refusals_are_in_the_spelling_of_python(tmp_path, choices, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        resexp.train("resnet", runs=tmp_path, **choices)
    assert not list(tmp_path.iterdir())


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(ValueError, match=mentions(tmp_path.name, "no run")):
        resexp.load(tmp_path)
    with pytest.raises(ValueError, match=mentions("nothing*")):
        resexp.rows(tmp_path / "nothing*")


def test_a_failure_names_its_traceback(tmp_path, monkeypatch):
    def broken(*arguments, **named):
        raise OverflowError("too far")

    monkeypatch.setattr("resexp.experiments.build.trainer", broken)
    with pytest.raises(RuntimeError, match=mentions("OverflowError", "too far", "error.txt")):
        resexp.train("resnet", runs=tmp_path, **SHORT)


def test_the_keyboard_interrupts_with_a_checkpoint(tmp_path, monkeypatch):
    from resexp.training.loop import Trainer

    original = Trainer.train_step

    def pressed(self):
        original(self)
        if self.step == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as context:
        context.setattr(Trainer, "train_step", pressed)
        with pytest.raises(KeyboardInterrupt):
            resexp.train("resnet", runs=tmp_path, **SHORT)
    (run,) = resexp.found(tmp_path / "single" / "*")
    assert run.status == "interrupted"
    assert resexp.train("resnet", runs=tmp_path, **SHORT).status == "done"


def test_the_callers_hydra_threads_and_random_state_are_left_alone(runs, tmp_path):
    (tmp_path / "mine.yaml").write_text("a: 1\n")
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    with hydra.initialize_config_dir(str(tmp_path), version_base="1.2"):
        before = getbase()
        resexp.build_model("resnet20")
        resexp.train("plain", runs=runs, train__threads=threads + 1, **SHORT)
        assert hydra.compose("mine").a == 1
        assert getbase() == before
    assert not GlobalHydra.instance().is_initialized()
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize(
    ("name", "inputs", "classes", "parameters"),
    [
        ("resnet20", (3, 32, 32), 10, 269_722),  # He et al. 2015, table 6: 0.27 M
        ("imagenet_resnet18", (3, 64, 64), 1000, 11_689_512),  # torchvision's
    ],
)
def test_published_networks_are_built_for_their_images(name, inputs, classes, parameters):
    model = resexp.build_model(name).eval()
    assert model(torch.zeros(1, *inputs)).shape == (1, classes)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_a_dataset_that_is_named_comes_before_the_published_one():
    model = resexp.build_model("resnet20", dataset="cifar100").eval()
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 100)


def test_values_of_python_reach_the_config(tmp_path):
    """None, truth, lists, numbers and any text arrive as they are."""
    given = {
        "train__max_minutes": None, "optimizer__nesterov": True, "schedule__divide_at": [0.25, 0.5],
        "train__runs": f"{tmp_path}/a, [b] \"c\"", "schedule__learning_rate": 0.05, "dataset__flip": False,
    }  # fmt: skip
    config = resolve(compose("train", overrides("resnet", given)))
    for name, value in given.items():
        section, key = name.split("__")
        assert config[section][key] == value, name
        assert type(config[section][key]) is type(value), name


def test_options_are_those_of_the_command_line():
    assert "resnet56" in resexp.options("model")
    with pytest.raises(ValueError, match=mentions("modell", "model")):
        resexp.options("modell")
