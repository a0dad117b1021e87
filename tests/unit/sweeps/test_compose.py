"""The runs of a sweep are composed as Hydra composes them, and what they have in common only once."""

import sys
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import Container, DictConfig, ListConfig, Node

from gan_lab.sweeps.compose import SweepComposer
from gan_lab.utils.paths import config_dir

HYDRA = ("hydra.launcher.minutes=3", "hydra.job.config.override_dirname.exclude_keys=[seed]")
# Every kind of override; the runs are all combinations of these lines.
CHOICES = (
    [],
    ["activation=relu"],
    ["activation@generator_activation=snake", "model=mlp", "dataset=ring"],
    ["experiment=activations_on_ring"],
    ["regularizer=r1", "optimizer@discriminator_optimizer=sgd"],
    ["metric=[fid,kid]", "activation=leaky_relu"],
    ["~objective"],
)
VALUES = (
    [],
    ["seed=3", "optimizer.lr=1e-3", "study=s"],
    ["optimizer.betas=[0.0,0.9]", "+optimizer.maximize=true", "seed=0x10"],
    ["report.primary=null", "~checkpoint.minutes", "++new.key={a:1,b:[x,y]}", "samples.every=0"],
    ["study='a b, c=d'", 'device="cpu"', "checkpoint.minutes=1.5", "metrics={every:7}"],
    ["+activation.x=${seed}", "steps=${batch_size}", "batch_size=32"],
)
WRONG = (
    ["activation=nothing"],
    ["nothing=3"],
    ["seed=1", "activatoin=relu"],
    ["+seed=3"],
    ["~nothing"],
    ["activation=3"],
    ["activation=relu,elu"],
    ["hydra.nothing=3"],
    ["dataset@nothing=ring"],
    ["seed=("],
    ["++activation=elu"],
    ["optimizer.lr={a:}"],
)


@pytest.fixture
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        yield hydra.config_loader


def master(loader: ConfigLoader, *overrides: str) -> DictConfig:
    return loader.load_configuration("train", [*HYDRA, *overrides], run_mode=RunMode.MULTIRUN)


def everything(node: Node) -> Any:
    """A node with its type, flags and metadata, and all that is below it; nothing is resolved."""
    facts = type(node), dict(node._metadata.flags or {}), repr(node._metadata.ref_type)
    facts = (*facts, node._metadata.optional, node._metadata.key, repr(node._metadata.object_type))
    if isinstance(node, Container) and not (
        node._is_none() or node._is_missing() or node._is_interpolation()
    ):
        if isinstance(node, DictConfig):
            return facts, [(key, everything(node._get_node(key))) for key in node]  # type: ignore[arg-type]
        assert isinstance(node, ListConfig)
        return facts, [everything(node._get_node(index)) for index in range(len(node))]  # type: ignore[arg-type]
    return facts, node._value()


def test_every_kind_of_override_composes_as_in_hydra(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = master(loader)
    expected = {}
    for number, (choices, values) in enumerate(product(CHOICES, VALUES)):
        words = (*choices, *values) if number % 2 else (*values, *choices)
        expected[words] = loader.load_sweep_config(config, list(words))
    composed: list[list[str]] = []
    original = ConfigLoaderImpl.load_sweep_config

    def counted(self: ConfigLoaderImpl, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        composed.append(sweep_overrides)
        return original(self, master_config, sweep_overrides)

    monkeypatch.setattr(ConfigLoaderImpl, "load_sweep_config", counted)
    composer = SweepComposer(loader, config)
    for overrides, reference in expected.items():
        mine = composer(overrides)
        assert everything(mine) == everything(reference), overrides
        assert mine.hydra.job.override_dirname == reference.hydra.job.override_dirname
    assert len(composed) == len(CHOICES) < len(expected)


@pytest.mark.parametrize("overrides", WRONG, ids=" ".join)
def test_errors_are_those_of_hydra(overrides: list[str], loader: ConfigLoader) -> None:
    config = master(loader)
    with pytest.raises(Exception) as reference:  # noqa: PT011 - any that Hydra raises
        loader.load_sweep_config(config, overrides)
    with pytest.raises(type(reference.value)) as mine:
        SweepComposer(loader, config)(overrides)
    assert str(mine.value) == str(reference.value)


def test_a_change_of_one_run_does_not_reach_the_next(loader: ConfigLoader) -> None:
    composer = SweepComposer(loader, master(loader))
    first = composer(["activation=relu", "seed=1"])
    first.optimizer.lr = 7
    first.hydra.overrides.task.append("x=y")
    second = composer(["activation=relu", "seed=2"])
    assert second.optimizer.lr == 0.0002
    assert list(second.hydra.overrides.task) == ["activation=relu", "seed=2"]
    assert second.seed == 2


def test_plugins_that_were_loaded_anew_since_compose_as_before(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    composer = SweepComposer(loader, master(loader, "hydra/launcher=worker"))
    expected = composer(["seed=1", "model=mlp"])
    # As joblib leaves it after a sweep in this process: another class of the same name.
    monkeypatch.setattr(sys.modules["hydra_plugins.gan_lab"], "WorkerLauncherConf", object)
    assert composer(["model=mlp", "seed=1", "dataset=ring"]).model == expected.model
