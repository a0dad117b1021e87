"""The presets of hydra/launcher."""

from collections.abc import Callable

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from gan_lab.config.errors import describe_error
from gan_lab.sweeps import gpus
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import TINY_POINTS, composed
from tests.helpers.sweeping import FEW

Cli = Callable[..., tuple[int, str, str]]


def launcher_of(*words: str) -> DictConfig:
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        launcher: DictConfig = compose("train", list(words), return_hydra_config=True).hydra.launcher
        return launcher


def test_gpus_says_where_there_are_none(run_cli: Cli) -> None:
    words = ("train", "-m", *TINY_POINTS, *FEW, "activation=relu,elu", "hydra/launcher=gpus")
    code, _, err = run_cli(*words, CUDA_VISIBLE_DEVICES="")
    assert code == 2
    assert err.startswith("gan-lab: hydra/launcher=gpus was asked for, but PyTorch sees no CUDA devices here")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("words", "runs"), [((), 2), (("hydra.launcher.runs_per_gpu=4",), 8)])
def test_as_many_runs_as_all_gpus_take(
    words: tuple[str, ...], runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "count_gpus", lambda: 2)
    launcher = launcher_of("hydra/launcher=gpus", *words)
    assert launcher.n_jobs == runs
    assert launcher._target_ == "hydra_plugins.gan_lab.OneGpuLauncher"


def test_a_gpu_takes_one_run_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "count_gpus", lambda: 2)
    launcher = launcher_of("hydra/launcher=gpus", "hydra.launcher.runs_per_gpu=0")
    with pytest.raises(Exception, match="runs_per_gpu must be a whole number of at least 1, got 0"):
        _ = launcher.n_jobs


@pytest.mark.parametrize(
    ("preset", "plugin", "extra"),
    [
        ("cores", "joblib", "joblib"),
        ("gpus", "joblib_on_gpus", "joblib"),
        ("slurm", "submitit_slurm", "slurm"),
        ("ray_cluster", "ray", "ray"),
    ],
)
def test_a_missing_extra_is_named(
    preset: str, plugin: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed()  # registers what is installed
    launchers = ConfigStore.instance().repo["hydra"]["launcher"]
    monkeypatch.delitem(launchers, f"{plugin}.yaml")
    with pytest.raises(Exception, match="Could not") as raised:
        composed(f"hydra/launcher={preset}")
    assert describe_error(raised.value) == (
        f"this hydra/launcher needs what the extra {extra!r} installs: pip install 'gan-lab[{extra}]'"
    )


def test_a_missing_sweeper_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    composed()
    monkeypatch.delitem(ConfigStore.instance().repo["hydra"]["sweeper"], "optuna.yaml", raising=False)
    with pytest.raises(Exception, match="Could not") as raised:
        composed("hydra/sweeper=optuna")
    assert describe_error(raised.value) == (
        "this hydra/sweeper needs what the extra 'optuna' installs: pip install 'gan-lab[optuna]'"
    )


def test_what_is_wrong_with_a_launchers_key_is_said() -> None:
    with pytest.raises(Exception, match="Error merging override") as raised:
        composed("hydra/launcher=slurm", "hydra.launcher.mem_gb=0.5")
    reason = "Value '0.5' of type 'float' could not be converted to Integer"
    assert describe_error(raised.value) == f"hydra.launcher.mem_gb: {reason}"


def test_presets_hide_no_launcher_of_a_plugin() -> None:
    composed()
    registered = {name.removesuffix(".yaml") for name in ConfigStore.instance().repo["hydra"]["launcher"]}
    assert {"basic", "joblib", "ray", "submitit_slurm"} <= registered
    assert not registered & {path.stem for path in (config_dir() / "hydra/launcher").glob("*.yaml")}
