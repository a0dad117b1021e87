"""Commands that there are not, and what to type instead."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.cli import refused
from tests.helpers.experiments import TINY_POINTS

Cli = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("typed", "way_out"),
    [
        ("elu", "gan-lab train activation=elu"),
        ("activation=elu seeds=2", "gan-lab train activation=elu seeds=2"),
        ("--activation", "No such option"),
        ("relu,swish", "gan-lab train -m activation=relu,silu"),
        ("trian activation=elu", "did you mean 'train'"),
        ("run activation=elu", "type gan-lab train activation=elu"),
        ("sweep activation=relu,elu", "type gan-lab train -m activation=relu,elu"),
        ("eval outputs/digits", "type gan-lab evaluate outputs/digits"),
        ("compare outputs/digits", "type gan-lab report outputs/digits"),
        ("list", "type gan-lab ls"),
        ("generate x", "type gan-lab sample x"),
        ("tensorboard", "tensorboard --logdir outputs"),
        ("help", "type gan-lab --help"),
        ("version", "type gan-lab --version"),
        ("frobnicate", "choose from train, sample, evaluate, report, ls"),
        ("-m activation=relu,elu", "gan-lab train activation=relu,elu -m"),
        ("train epochs=10", "steps=3000"),
        ("report", "gan-lab train activation=elu"),
        ("report digits", "gan-lab train activation=elu"),
    ],
)
def test_a_command_that_there_is_not(run_cli: Cli, typed: str, way_out: str) -> None:
    if typed.startswith("--"):
        code, out, err = run_cli(*shlex.split(typed))
        assert (code, out) == (2, "")
        assert way_out in err
    else:
        assert way_out in refused(*shlex.split(typed))


def test_a_folder_of_studies_is_answered_with_its_studies(run_cli: Cli) -> None:
    for study in ("first", "it's"):
        run = Path("outputs") / study / "relu-12345678"
        run.mkdir(parents=True)
        (run / "status.json").write_text("{}")
    for words in (("report",), ("report", "outputs"), ("report", "nothing")):
        code, out, err = run_cli(*words)
        assert (code, out) == (2, "")
        assert "type gan-lab report outputs/first, or 'outputs/it'\"'\"'s'" in err


def test_m_may_stand_in_front_of_train(run_cli: Cli) -> None:
    code, _, err = run_cli("-m", "train", "activation=relu,elu", *TINY_POINTS, "steps=0")
    assert (code, "steps must be" in err) == (2, True)
