"""Loggers are told what stats.jsonl has, and neither stop nor change a run."""

import json
import math
import re
from pathlib import Path

import pytest

from gan_lab import Study, load
from gan_lab.runs.stats import read_stats
from gan_lab.training import wandb_logger
from gan_lab.utils.errors import ConfigurationError
from tests.helpers import loggers
from tests.helpers.cli import refused
from tests.helpers.experiments import TINY_POINTS, train

FEW = (*TINY_POINTS, "steps=4", "log.every=2", "samples.every=2", "metrics.every=2", "metrics.samples=64")
MEMORY = "+logger.memory._target_=tests.helpers.loggers.Memory"


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    loggers.SEEDS.clear()


def test_a_logger_is_told_all_and_is_no_other_run() -> None:
    plain = train([*FEW, "seeds=2"])
    weights = (plain.folder / "seed_1/generator.safetensors").read_bytes()
    run = train([*FEW, "seeds=2", MEMORY, "rerun=true"])
    assert run.folder == plain.folder
    assert (run.folder / "seed_1/generator.safetensors").read_bytes() == weights
    assert [memory.seed.seed for memory in loggers.SEEDS] == [0, 1]
    for memory in loggers.SEEDS:
        seed = memory.seed
        assert (seed.study, seed.run, seed.step, seed.id) == ("ring", run.folder.name, 0, None)
        assert seed.config["activation"]["_target_"] == "torch.nn.LeakyReLU"
        lines = read_stats(run.folder / f"seed_{seed.seed}")
        assert [line["step"] for line in lines] == [0, 2, 4]
        for line in lines:
            told = memory.scalars[line.pop("step")]
            assert {k: None if math.isnan(v) else v for k, v in told.items()} == line
        assert [(step, name) for step, name, _ in memory.images] == [
            *((0, "real"), (0, "samples"), (2, "samples"), (4, "samples"))
        ]
        assert {shape[0] for _, _, shape in memory.images} == {3}
        assert memory.ended == [True]


def test_a_resumed_run_goes_on_under_its_id() -> None:
    run = train([*FEW, MEMORY])
    ids = json.loads((run.folder / "seed_0/loggers.json").read_text())
    assert ids == {"memory": "id of 0"}
    train([*FEW, MEMORY, "steps=6"])
    first, second = loggers.SEEDS
    assert (first.seed.id, second.seed.id) == (None, "id of 0")
    assert second.seed.step == 4
    assert list(second.scalars) == [6]


def test_an_id_that_cannot_be_read_is_no_id() -> None:
    run = train([*FEW, MEMORY])
    (run.folder / "seed_0/loggers.json").write_text("{")
    train([*FEW, MEMORY, "steps=6"])
    assert loggers.SEEDS[-1].seed.id is None
    assert json.loads((run.folder / "seed_0/loggers.json").read_text()) == {"memory": "id of 0"}


@pytest.mark.parametrize(("method", "step"), [("begin", 0), ("log_scalars", 0), ("log_image", 0), ("end", 4)])
@pytest.mark.parametrize("error", ["ValueError", "OSError"])
def test_a_logger_that_fails_is_left_out(
    method: str, step: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"+logger.memory.fails_in={method}", f"+logger.memory.error={error}"]
    run = train([*FEW, "seeds=2", MEMORY, *words])
    assert run.status.state == "finished"
    assert [line["step"] for line in read_stats(run.folder / "seed_0")] == [0, 2, 4]
    sentence = f"gan-lab: logger memory failed at step {step} and is left out: {error}: no line"
    assert [line for line in capsys.readouterr().err.splitlines() if "no line" in line] == [
        f"{sentence}; training continues"
    ]
    assert "Traceback" in (run.folder / "train.log").read_text()
    assert all(len(memory.ended) == 1 for memory in loggers.SEEDS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([MEMORY, "+logger.memory.fails_in=__init__"], "logger.memory: .*no line"),
        (
            ["+logger.other._target_=torch.nn.ReLU"],
            r"logger.other must be a gan_lab.training.Logger, got ReLU",
        ),
        (["+logger.other._target_=nowhere.Logger"], "logger.other: .*nowhere"),
        (
            ["logger=wandb", "logger.wandb.mode=on"],
            "logger.wandb.mode must be one of online, offline, disabled",
        ),
    ],
)
def test_one_that_cannot_be_used_is_refused(
    words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_logger, "find_spec", lambda name: object())
    with pytest.raises(ConfigurationError, match=sentence):
        train([*FEW, *words])
    assert not list(Path("outputs").glob("*/*"))


def test_without_its_extra_wandb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb_logger, "find_spec", lambda name: None)
    assert refused("train", *FEW, "logger=wandb") == (
        "gan-lab: logger.wandb: it needs what the extra 'wandb' installs: pip install 'gan-lab[wandb]'\n"
    )


def test_a_sweep_whose_logger_cannot_be_used_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb_logger, "find_spec", lambda name: None)
    sentence = (
        "gan-lab: logger.wandb: it needs what the extra 'wandb' installs: pip install 'gan-lab[wandb]'\n"
    )
    for words in (["activation=relu,elu"], ["activation=relu,elu", "hydra/sweeper=race"]):
        assert refused("train", "-m", *FEW, *words, "logger=wandb") == sentence
        assert not Path("outputs").exists()


def test_a_sweep_whose_logger_is_something_else_is_refused_before_its_first_run() -> None:
    sentence = "logger.other must be a gan_lab.training.Logger, got ReLU()"
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        Study("ring").train([*FEW, "+logger.other._target_=torch.nn.ReLU"], activation=["relu", "elu"])
    words = ["activation=relu,elu", "+logger.other._target_=torch.nn.ReLU"]
    assert refused("train", "-m", *FEW, *words) == f"gan-lab: {sentence}\n"
    assert not list(Path("outputs").rglob("*"))


def test_a_logger_of_ones_own_needs_no_trust_to_load_the_run() -> None:
    run = train([*FEW, MEMORY])
    assert load(run.folder).sample(2).shape == (2, 2)
