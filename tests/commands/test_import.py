"""Weights trained elsewhere become runs like any other."""

import hashlib
import json
import os
import re
import sys

import pytest
import torch
from helpers import ROOT, mentions

from resexp.config.compose import compose, resolve
from resexp.experiments import imported
from resexp.experiments.build import build_model
from resexp.experiments.data import on_device
from resexp.experiments.trained_run import TrainedRun
from resexp.records.identity import digest
from resexp.records.run import RunFolder

CPU = torch.device("cpu")
SMALL = ["model=resnet", "model.depth=8", "model.width=4", "dataset=fake", "train.threads=1"]
SMALL += ["dataset.load.train_size=32", "dataset.load.test_size=64", "dataset.load.shape=[3,8,8]"]
FOREIGN = ["shortcut=zero_pad_both", "normalization=imagenet"]
WEIGHTS = ROOT / os.environ.get("RESEXP_WEIGHTS", "../shared/data/weights")
# akamaster/pytorch_resnet_cifar10: test error in percent, as its README and the files' names go together
ERRORS = {
    "resnet20-12fca82f.th": 8.27, "resnet32-d509ac18.th": 7.37,
    "resnet44-014dd654.th": 6.90, "resnet56-4bfd9763.th": 6.61,
}  # fmt: skip


def settings(*overrides):
    return resolve(compose("train", ["name=imported", *overrides]))


@pytest.fixture
def weights(tmp_path):
    """A network's weights under other names, as a parallel wrapper writes them."""
    state = build_model(settings(*SMALL, "seed=5")).state_dict()
    state = {f"module.{i}.{k}": v for i, (k, v) in enumerate(state.items()) if "num_batches" not in k}
    torch.save({"state_dict": state, "best_prec1": 91.7}, tmp_path / "foreign.th")
    return tmp_path / "foreign.th"


def test_import_then_status_collect_and_measure(resexp, tmp_path, weights):
    done = resexp("import", "foreign.th", *SMALL, *FOREIGN)
    assert done.returncode == 0, done.stderr
    (error,) = re.findall(r"test error (\d+\.\d\d) %", done.stdout)
    again = resexp("import", "foreign.th", *SMALL, *FOREIGN)
    assert again.stdout == done.stdout.splitlines(keepends=True)[-1], "it is not evaluated again"
    assert "done" in resexp("status", "imported").stdout
    assert "1 runs" in resexp("collect", "imported").stdout
    header, row = (tmp_path / "results/tables/imported.csv").read_text().splitlines()
    assert header == "dataset,model,depth,norm,seed,step,test_loss,test_error_percent"
    assert float(row.split(",")[-1]) == pytest.approx(float(error), abs=0.005)
    measured = resexp("measure", "measure=activation_variance", "run=results/runs/imported/*", "threads=1")
    assert measured.returncode == 0, measured.stdout + measured.stderr
    (table,) = tmp_path.glob("results/runs/single/*/tables/variance.csv")
    assert {line.split(",")[5] for line in table.read_text().splitlines()[1:]} == {"trained"}


def test_the_network_and_its_inputs_are_those_of_the_file(tmp_path, weights, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = imported.run(settings(*SMALL, *FOREIGN), weights)
    run = TrainedRun(folder, CPU)
    assert list(run.stages) == ["trained"]
    with pytest.raises(ValueError, match=mentions("stages", "trained", "initial")):
        run.network("initial")
    expected = build_model(settings(*SMALL, *FOREIGN, "seed=5")).eval()
    (x, y), *others = run.batches("test", 64)
    assert not others
    data = on_device(settings(*SMALL), CPU)
    shift, scale = (torch.tensor(v).view(-1, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    torch.testing.assert_close(x, (data.test_inputs / 255 - shift) / scale)
    with torch.no_grad():
        logits = expected(x)
        assert torch.equal(run.network()(x), logits)
    error = 100 * (logits.argmax(1) != y).double().mean().item()
    assert float(folder.rows()[0]["test_error_percent"]) == pytest.approx(error)


def test_the_identity_holds_the_weights_and_nothing_of_training(tmp_path, weights, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = imported.run(settings(*SMALL), weights)
    checksum = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert folder.provenance()["imported"] == {"file": "foreign.th", "sha256": checksum}
    config = folder.config()
    assert config["imported"] == {"sha256": checksum}
    assert not {"optimizer", "schedule", "batch_size"} & config.keys()
    moved = weights.rename(tmp_path / "moved.th")
    assert imported.run(settings(*SMALL), moved).path == folder.path, "where the file lies changes nothing"
    torch.save(torch.load(moved)["state_dict"], tmp_path / "other.th")
    other = imported.run(settings(*SMALL), tmp_path / "other.th")
    assert digest(other.config()) != digest(config)
    assert json.loads((other.path / "status.json").read_text())["status"] == "done"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*none.th: No such file"),
        (b"not a pickle", mentions("torch.save", "model.state_dict")),
        ({"weights": 3}, mentions("state_dict", "model")),
        (torch.nn.Linear(2, 2), mentions("torch.save", "model.state_dict")),
        ({"a": torch.zeros(3)}, r"does not fit model=resnet: entry stem.0.weight has shape .* but a at"),
    ],
)
def test_files_that_are_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ("none.th" if content is None else "weights.th")
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match=message):
        imported.run(settings(*SMALL), path)
    assert not (tmp_path / "results").exists()


def test_a_pipe_in_place_of_the_weights_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("weights.th")
    with pytest.raises(ValueError, match=mentions("weights.th", "regular")):
        imported.run(settings(*SMALL), tmp_path / "weights.th")


def test_what_is_typed_wrong_is_refused_in_a_sentence(resexp, weights):
    for arguments, message in (
        (["model=resnet"], "the file of weights comes first"),
        (["foreign.th", "model=resnett"], "did you mean resnet"),
        (["foreign.th", "dataset=mnist1d", "normalization=imagenet"], "is for images of 3 channels"),
    ):
        done = resexp("import", *arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert message in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="RESEXP_WEIGHTS names no folder of weights")
@pytest.mark.skipif(not os.environ.get("RESEXP_DATA"), reason="RESEXP_DATA names no folder with CIFAR-10")
@pytest.mark.parametrize(("name", "error"), ERRORS.items())
def test_the_errors_of_the_published_weights(name, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overrides = [f"model={name[:8]}", "dataset=cifar10", *FOREIGN]
    folder = imported.run(settings(*overrides), WEIGHTS / name)
    assert isinstance(folder, RunFolder)
    assert round(float(folder.rows()[0]["test_error_percent"]), 2) == error
    print(folder.name, error, file=sys.stderr)
