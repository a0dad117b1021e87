"""Diagnostics of stacked seeds: computed at once, with the numbers of each seed by itself."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from torch import Tensor

from gan_lab.evaluation import Diagnostic, ProbeResult, TensorDiagnostic
from gan_lab.training.diagnosing import Diagnoser
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, take_steps

Found = list[tuple[int, dict[str, float]]]
FAILED: list[str] = []


class Mine(Diagnostic):
    """As users write them: numbers."""

    def __call__(self, probed: ProbeResult) -> dict[str, float]:
        record = probed.players["generator"].activations[0]
        return {"diagnostics/generator/mine": float(record.outputs().sum())}


class Branching(TensorDiagnostic):
    """Decides by a value, which `torch.func.vmap` refuses."""

    def tensors(self, probed: ProbeResult) -> dict[str, Tensor]:
        mean = probed.real_gradients.mean()
        return {"diagnostics/pair/branching": mean if mean > 0 else -mean}


class AsksTheModule(TensorDiagnostic):
    """Uses what records of stacked seeds do not have."""

    def tensors(self, probed: ProbeResult) -> dict[str, Tensor]:
        record = probed.players["generator"].activations[0]
        return {"diagnostics/generator/asked": record.module(record.inputs).detach().sum()}


class Foreign(TensorDiagnostic):
    def tensors(self, probed: ProbeResult) -> dict[str, Tensor]:
        return {"loss/generator": probed.real_gradients.sum()}


@contextmanager
def observing(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        FAILED.append(f"{what}: {error}")


def both(*words: str, more: dict[str, Diagnostic] | None = None, at_once: int | None = None) -> list[Found]:
    """What stacked seeds are found to be, at once and each by itself."""
    FAILED.clear()
    experiment = assembled(*words, "seeds=3", "engine=vmap", "diagnostics.every=1", "diagnostics.samples=24")
    take_steps(experiment, 1)
    assert experiment.probe is not None
    diagnostics = experiment.diagnostics | (more or {})
    stacked, single = (Diagnoser(experiment.probe, diagnostics, at_once) for _ in range(2))
    single._one_by_one.add("networks")
    before = experiment.engine.states()
    found = [stacked(experiment.engine, observing), single(experiment.engine, observing)]
    for old, new in zip(before, experiment.engine.states(), strict=True):
        assert all(tensor.equal(new.networks[name]) for name, tensor in old.networks.items())
    assert "networks" not in stacked._one_by_one
    return found


@pytest.mark.parametrize(
    "words",
    [
        (*TINY_POINTS, "activation=prelu", "regularizer=r1"),
        (*TINY_IMAGES, "activation=sigmoid", "model=resnet", "regularizer=gradient_penalty"),
        (*TINY_IMAGES, "activation=snake", "augmentation=diffaugment"),
    ],
    ids=["points", "spectral norm", "batch norm"],
)
def test_seeds_at_once_have_the_numbers_of_each_by_itself(words: tuple[str, ...]) -> None:
    at_once, one_by_one = both(*words)
    assert [seed for seed, _ in at_once] == [seed for seed in (0, 1, 2) for _ in range(4)]
    assert FAILED == []
    for (seed, ours), (same_seed, theirs) in zip(at_once, one_by_one, strict=True):
        assert seed == same_seed
        assert list(ours) == list(theirs)
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-6)
    different = {scalars["diagnostics/generator/effective_rank"] for _, scalars in at_once[2::4]}
    assert len(different) == 3


def test_seeds_that_do_not_fit_at_once_are_looked_at_in_parts() -> None:
    whole, parts = both(*TINY_POINTS)[0], both(*TINY_POINTS, at_once=2)[0]
    for (seed, ours), (same_seed, theirs) in zip(parts, whole, strict=True):
        assert seed == same_seed
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-6)


def test_other_diagnostics_are_computed_seed_after_seed(caplog: pytest.LogCaptureFixture) -> None:
    more = {"mine": Mine(), "branching": Branching(), "asks": AsksTheModule(), "foreign": Foreign()}
    with caplog.at_level(logging.INFO, "gan_lab"):
        at_once, one_by_one = both(*TINY_POINTS, "activation=prelu", more=more)
    mine, branching, asked = ([scalars for _, scalars in at_once[k::7]] for k in (4, 5, 6))
    assert mine == [scalars for _, scalars in one_by_one[4::7]]
    assert branching == [scalars for _, scalars in one_by_one[5::7]]
    tag = "diagnostics/generator"
    assert [one[f"{tag}/asked"] for one in asked] == [one[f"{tag}/mine"] for one in mine]
    assert len({one[f"{tag}/mine"] for one in mine}) == 3
    said = [record.message.partition(" are computed")[0] for record in caplog.records]
    assert said == ["diagnostics of branching", "diagnostics of asks"]
    assert FAILED == ["diagnostic foreign: its tags must begin with diagnostics/, got loss/generator"] * 6
