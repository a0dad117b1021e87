"""Plain keys: each has a validator, with the right bounds. Hostile values are in utils/test_checks.py."""

import re
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_lab.config.schema import VALIDATORS, check
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.experiments import composed

# key -> (values on this side of the bounds, values beyond them)
BOUNDS: dict[str, tuple[list[Any], list[Any]]] = {
    **dict.fromkeys(("steps", "batch_size", "seeds"), ([1, 10**15], [0, None, 10**16])),
    "discriminator_steps": ([1], [0, None]),
    "generator_batch_size": ([1, None], [0, "x"]),
    **dict.fromkeys(("log.every", "samples.number"), ([1], [0, None])),
    **dict.fromkeys(("seed", "samples.every", "metrics.every"), ([0], [-1, None])),
    **dict.fromkeys(("diagnostics.every", "checkpoint.every"), ([0], [-1, None])),
    **dict.fromkeys(("metrics.samples", "diagnostics.samples"), ([2], [1, None])),
    "metrics.workers": ([None, 0, 256], [-1, 257, "x"]),
    **dict.fromkeys(("log.histograms", "deterministic", "rerun", "keep_best"), ([True, False], [3, None])),
    "log.layers": ([True, False, None], [3, "x"]),
    "study": (["a b.c", "x" * 100], ["", "../x", "/x", "a/b", "..", "a\nb", "a\0b", "<b>", None, "x" * 101]),
    "dataset.name": (["digits", None], ["", "../x", 3]),
    "device": (["cuda:1"], ["", None]),
    "precision": (["fp32", "tf32", "bf16"], ["fp64", None]),
    "engine": (["auto", "sequential", "vmap"], ["", None, "warp", "stacked"]),
    "execution": (["auto", "eager", "cuda_graph"], ["", None, "warp", "captured"]),
    "ema": ([None, 0.999], [0.0, 1.0, "x"]),
    "init_from": ([None, "outputs/digits/a", "b.safetensors"], ["", 3, True]),
    "init_partial": ([None, True], [False, 1, "x"]),
    "report.primary": ([None, "fid"], ["", 3]),
    "report.reference": (["relu"], ["", None]),
    "report.margin": ([None, 0.1, "10%", 5, "0.02 kid"], [0, -1, True, "much", "100%", "10% kid"]),
    "race.seeds": ([5, 32], [4, None, 1_001]),
    "race.hours": ([None, 0.5, 2], [0, -1, "x"]),
    "race.alpha": ([0.05, 0.1], [0, 1, None]),
    "checkpoint.keep": ([1, 5], [0, None, "all"]),
    "checkpoint.minutes": ([None, 0.5, 10], [0, -1]),
    "optimizer.lr": ([0, 1e-4, None], [-1e-4, "x"]),
    "generator_optimizer.lr": ([0, 1e-4, None], [-1e-4, "x"]),
    "discriminator_optimizer.lr": ([0, 1e-4, None], [-1e-4, "x"]),
}  # fmt: skip


def test_every_validated_key_is_tested_here() -> None:
    assert set(BOUNDS) == set(VALIDATORS)


@pytest.mark.parametrize("key", BOUNDS)
def test_a_key_has_its_bounds(key: str) -> None:
    allowed, forbidden = BOUNDS[key]
    for value in allowed:
        VALIDATORS[key](key, value)
    for value in forbidden:
        with pytest.raises(ConfigurationError, match=rf"^{re.escape(key)} must be ") as caught:
            VALIDATORS[key](key, value)
        assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def defaults() -> DictConfig:
    return composed()


def with_value(cfg: DictConfig, key: str, value: Any) -> DictConfig:
    changed = cfg.copy()
    with open_dict(changed):
        node, _, name = key.rpartition(".")
        if node and OmegaConf.select(changed, node) is None:
            value, key = {name: value}, node
        OmegaConf.update(changed, key, value, merge=False)
    return changed


def test_the_defaults_pass(defaults: DictConfig) -> None:
    check(defaults)


@pytest.mark.parametrize("key", VALIDATORS)
def test_every_key_is_checked_where_it_is_written(key: str, defaults: DictConfig) -> None:
    plain = with_value(defaults, "study", "x")  # by default the data set's name
    with pytest.raises(ConfigurationError, match=rf"^{re.escape(key)} must be "):
        check(with_value(plain, key, [1]))


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("metrics", None, "metrics.every must be"),
        ("log", 3, "log.every must be"),
        ("samples", [], "samples"),
        ("report", None, "report.reference must be"),
        ("steps", "${nothing}", "steps: Interpolation key 'nothing' not found"),
        ("steps", "${steps}", "steps: Recursive interpolation"),
        ("steps", "${oc.env:NOTHING_OF_THAT_NAME}", "NOTHING_OF_THAT_NAME"),
    ],
)
def test_nodes_of_another_kind(key: str, value: Any, sentence: str, defaults: DictConfig) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(sentence)) as caught:
        check(with_value(defaults, key, value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("group", "entry"), [("schedule", "linear"), ("clipping", "norm")])
@pytest.mark.parametrize(
    ("player", "other"), [("generator", "discriminator"), ("discriminator", "generator")]
)
def test_one_network_alone_is_chosen_and_not_left_out(
    player: str, other: str, group: str, entry: str
) -> None:
    """An empty entry is not part of a run's identity, so it cannot stand against one that is."""
    left_out = f"{group}@{player}_{group}=none"
    check(composed(left_out))
    check(composed(f"{group}@{other}_{group}={entry}", left_out))
    sentence = f"^{left_out} does not work beside {group}: .*{group}@{other}_{group}=NAME"
    with pytest.raises(ConfigurationError, match=sentence):
        check(composed(f"{group}={entry}", left_out))


def test_a_part_of_nothing_is_refused(defaults: DictConfig) -> None:
    with pytest.raises(ConfigurationError, match=r"^init_partial=true needs init_from"):
        check(with_value(defaults, "init_partial", True))


def test_a_key_that_was_removed_is_named(defaults: DictConfig) -> None:
    changed = defaults.copy()
    with open_dict(changed):
        del changed["steps"]
    with pytest.raises(ConfigurationError, match=r"^steps must be a whole number of at least 1, got None$"):
        check(changed)
