"""``gan-lab train --help``: short, and whatever is explained stands in the YAML."""

from pathlib import Path

import pytest

from gan_lab.config.errors import groups
from gan_lab.config.help import explain, overview
from gan_lab.config.schema import VALIDATORS
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.cli import call
from tests.helpers.experiments import choices

KEYS = sorted(key for key in VALIDATORS if not key.startswith("dataset.") and "optimizer" not in key)


def test_the_overview_fits_two_screens_and_names_all_groups_and_keys() -> None:
    lines = overview().splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) <= 80
    words = set(overview().replace(",", " ").split())
    assert set(KEYS) <= words
    assert {group for key, group in groups().items() if key == group} <= words
    assert "generator steps" in overview()


@pytest.mark.parametrize("group", sorted(groups().values()))
def test_a_group_is_explained_with_all_its_choices(group: str) -> None:
    lines = explain(group).splitlines()
    assert max(map(len, lines)) <= 110
    name = group.partition("@")[0]
    assert [line for line in lines if line.startswith(f"{name}=")] == [
        f"{name}={c}" for c in choices(name, every=True)
    ]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_explained(key: str) -> None:
    assert f"\n{key}=" in f"\n{explain(key)}"


def test_entries_aliases_and_the_users_own_files_are_explained() -> None:
    assert explain("swish").startswith("activation=silu\n    f(x) = ")
    assert "    activation.alpha=1.0" in explain("elu").splitlines()
    folder = Path("mine/activation")
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text("# What it does.\n_target_: torch.nn.ReLU\n")
    assert "activation=own\n    What it does." in explain("activation", [Path("mine")])


def test_what_there_is_no_help_for_is_refused_with_the_names() -> None:
    with pytest.raises(ConfigurationError, match=r"--help nothing: choose from .*activation.*steps"):
        explain("nothing")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["activation=elu", "--help"]])
def test_the_command_shows_it(words: list[str]) -> None:
    code, out, err = call("train", *words)
    assert (code, err) == (0, "")
    assert out == f"{overview()}\n"


def test_the_command_explains_a_group_or_key() -> None:
    assert call("train", "--help", "dataset").out == f"{explain('dataset')}\n"
    assert call("train", "--help", "seeds=8").out == f"{explain('seeds')}\n"
