"""The quick way of composing a sweep's runs gives what Hydra composes."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf, open_dict

from resexp.config.catalog import CONF, command_of, options
from resexp.config.sweep import Composer, jobs, plan, with_seed, without_seed
from resexp.experiments.runs import folder_of

TRAINING = [name for name in options("experiment") if command_of(name) == "train"]


@pytest.fixture
def loader():
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def master_of(overrides):
    config = compose("train", overrides, return_hydra_config=True)
    with open_dict(config):
        config.hydra.job.config_name = "train"
    return config


@pytest.mark.parametrize("experiment", TRAINING)
def test_as_hydra_composes(loader, experiment):
    overrides = [f"experiment={experiment}", "schedule.steps=12", "batch_size=7"]
    master = master_of(overrides)
    found = jobs(dict(master.hydra.sweeper.params), overrides)
    composer = Composer(master)
    for job in (found[0], found[-1]):
        theirs = loader.load_sweep_config(master, job)
        with open_dict(theirs):
            del theirs["hydra"]
        ours = OmegaConf.to_container(composer(job), resolve=True)
        assert ours == OmegaConf.to_container(theirs, resolve=True)
        _, seed = without_seed(job)
        other = OmegaConf.to_container(composer([*job, "seed=77"]), resolve=True)
        assert with_seed(other, seed) == ours, "a setting that follows from the seed must follow it here"
        assert ours["batch_size"] == 7


@pytest.mark.parametrize("wrong", ["seed=x", "sead=1"])
def test_what_does_not_fit_is_refused_in_hydras_words(loader, wrong):
    master = master_of([])
    with pytest.raises(Exception, match=r"seed|sead") as ours:
        Composer(master)([wrong])
    with pytest.raises(type(ours.value)) as theirs:
        loader.load_sweep_config(master, [wrong])
    assert str(ours.value) == str(theirs.value)


def test_a_folder_of_runs_may_have_any_name(tmp_path):
    runs = tmp_path / "a=b, [c] {d} (e)"
    (first, *_), _ = plan("depth_sweep", runs)
    assert folder_of(first).path.parent == runs / "depth_sweep"
