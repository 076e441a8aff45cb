from resexp.experiments.compose import composed, resolved
from resexp.experiments.identity import folder_of, settings


def config(*overrides):
    return resolved(composed("train", list(overrides)))


def test_settings_leave_out_where_and_how_a_run_is_carried_out():
    here = config("dataset=cifar10", "dataset.root=/a", "train.device=cpu", "name=x")
    there = config("dataset=cifar10", "dataset.root=/b", "dataset.download=false", "train.threads=7")
    assert settings(here) == settings(there)
    for change in ("seed=1", "precision=bfloat16", "schedule.steps=3", "batch_size=4", "norm=group"):
        assert settings(config("dataset=cifar10", change)) != settings(here)


def test_a_digest_stays_from_version_to_version():
    """Whoever changes it makes all runs of before begin anew: then say so, and write the new one here."""
    assert folder_of(config("model=resnet20")).name == "resnet20-mnist1d-batch-seed0-766eabb3da"
