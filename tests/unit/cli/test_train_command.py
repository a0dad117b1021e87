"""What `gan-lab train` passes on to Hydra, and what it refuses."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.experiments import TINY_POINTS

Cli = Callable[..., tuple[int, str, str]]
FEW = ("steps=4", "log.every=2", "samples.every=4")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], "gan-lab train activation=elu seeds=8"),
        (["--cfg", "job", "--resolve"], "_target_: torch.nn.LeakyReLU"),
        (["--info", "searchpath"], "configs"),
        (["--hydra-help"], "Hydra"),
        (["-sc", "install=bash"], "complete"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_hydras_own_flags_keep_working(run_cli: Cli, arguments: list[str], expected: str) -> None:
    code, out, err = run_cli("train", *arguments)
    assert code == 0, err
    assert expected in out
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["activation=gelu2"],
            "no activation named 'gelu2', did you mean 'gelu'? choose from as_written, celu, ",
        ),
        (["dataset=mnits"], "no dataset named 'mnits', did you mean 'mnist'?"),
        (["batch_sze=4"], "unknown setting 'batch_sze', did you mean 'batch_size'?"),
        (["activation.alhpa=4"], "unknown setting 'activation.alhpa'"),
        (["activatoin=elu"], "unknown setting 'activatoin', did you mean 'activation'?"),
        (["batch_size=0"], "batch_size must be a whole number of at least 1, got 0"),
        (["batch_size=["], "no viable alternative at input '['"),
        (["optimizer.lr=nan"], "optimizer"),
        (["dataset.size=17"], "17"),
        (["device=cuda:99"], "device=cuda:99 was asked for"),
        (["dataset=image_folder", "dataset.path=nowhere"], "nowhere"),
        (["dataset=image_folder"], "dataset"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    run_cli: Cli, overrides: list[str], sentence: str
) -> None:
    code, out, err = run_cli("train", *overrides)
    assert code == 2, err
    assert err.startswith("gan-lab: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert out == ""
    assert not Path("outputs").exists()


def test_an_output_folder_that_cannot_be_made_is_said(run_cli: Cli) -> None:
    Path("outputs").write_text("in the way")
    code, _, err = run_cli("train", *TINY_POINTS, *FEW)
    assert code == 2
    assert re.match(r"gan-lab: .*outputs.*: (Not a directory|File exists)\n$", err)
