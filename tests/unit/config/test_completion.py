"""How a word may go on. tests/processes/test_completion.py asks real shells."""

from pathlib import Path

import pytest

from gan_lab.config.completion import complete
from gan_lab.config.errors import groups, settings
from tests.helpers.experiments import choices


@pytest.mark.parametrize(
    ("incomplete", "completed"),
    [
        ("activation=e", ["activation=elu"]),
        ("activation=relu,e", ["activation=relu,elu"]),
        ("activation=elu,e", []),
        ("metric=[fid,k", ["metric=[fid,kid"]),
        ("activation@generator_activation=ge", ["activation@generator_activation=gelu"]),
        ("hydra/launcher=c", ["hydra/launcher=cores"]),
        ("log.", ["log.every=", "log.histograms=", "log.layers="]),
        ("log", ["log.", "logger.", "logger="]),
        ("model.generator.w", ["model.generator.width="]),
        ("seed", ["seed=", "seeds="]),
        ("+dete", ["+deterministic="]),
        ("rerun=", ["rerun=false", "rerun=true"]),
        ("engine=s", ["engine=sequential"]),
        ("device=cu", ["device=cuda"]),
        ("--config-d", ["--config-dir"]),
        ("nothing", []),
        ("steps=", []),
    ],
)
def test_a_word_goes_on(incomplete: str, completed: list[str]) -> None:
    assert complete([], incomplete) == completed


def test_every_group_and_key_is_offered_and_every_entry() -> None:
    first = {word.rstrip("=.") for word in complete([], "")}
    assert set(groups().values()) <= first
    assert {key.partition(".")[0] for key in settings()} <= first
    assert complete([], "dataset=") == [f"dataset={name}" for name in choices("dataset")]


def test_entries_of_the_users_own_folder_are_offered() -> None:
    folder = Path("mine/activation")
    folder.mkdir(parents=True)
    (folder / "own.yaml").touch()
    assert complete(["--config-dir", "mine"], "activation=o") == ["activation=own"]
