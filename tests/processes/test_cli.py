"""The command line as a user calls it: exit code, output, and what is left on disk."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_lab import load
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, choices

Cli = Callable[..., tuple[int, str, str]]
FEW = ("steps=4", "log.every=2", "samples.every=4")


def test_train_says_where_the_run_is_and_sample_draws_from_it(run_cli: Cli) -> None:
    code, out, err = run_cli("train", "activation=elu", *TINY_IMAGES, *FEW)
    assert code == 0, err
    assert "finished: 4 steps, 1 seed, " in out
    (folder,) = (path.parent for path in Path("outputs/digits").glob("*/status.json"))
    assert str(folder) in out
    assert "tensorboard --logdir 'outputs/digits/tensorboard'" in out
    assert (folder / ".hydra/overrides.yaml").exists()
    again, answer, _ = run_cli("train", *TINY_IMAGES, *FEW, "activation=elu")
    assert (again, "finished: 4 steps" in answer) == (0, True)
    code, out, err = run_cli("sample", str(folder), "--interpolate", "--number", "9", "-o", "walk.png")
    assert (code, out.strip()) == (0, "walk.png"), err
    assert Path("walk.png").read_bytes().startswith(b"\x89PNG")


def test_multirun_puts_every_activation_and_seed_side_by_side(run_cli: Cli) -> None:
    code, out, err = run_cli("train", "-m", "activation=relu,elu", "seeds=2", *TINY_POINTS, *FEW)
    assert code == 0, err
    assert out.count("finished: 4 steps, 2 seeds") == 2
    runs = [load(path.parent) for path in Path("outputs/ring").glob("*/status.json")]
    assert {run.status.choices["activation"] for run in runs} == {"relu", "elu"}
    for run in runs:
        assert len(list(run.folder.glob("seed_*/events.out.tfevents*"))) == 2


def test_a_single_run_is_found_again_by_a_sweep(run_cli: Cli) -> None:
    run_cli("train", "activation=elu", *TINY_POINTS, *FEW)
    (single,) = (path.parent for path in Path("outputs/ring").glob("*/status.json"))
    stamp = (single / "seed_0/generator.safetensors").stat().st_mtime_ns
    code, _, err = run_cli("train", "-m", "activation=elu", *TINY_POINTS, *FEW)
    assert code == 0, err
    assert [p.parent for p in Path("outputs/ring").glob("*/status.json")] == [single]
    assert (single / "seed_0/generator.safetensors").stat().st_mtime_ns == stamp


def test_glob_sweeps_over_every_activation(run_cli: Cli) -> None:
    code, _, err = run_cli("train", "-m", "activation=glob(*)", *TINY_POINTS, "steps=1", "samples.every=0")
    assert code == 0, err
    runs = [load(path.parent) for path in Path("outputs").rglob("status.json")]
    assert {run.status.choices["activation"] for run in runs} == set(choices("activation"))
    assert {run.status.state for run in runs} == {"finished"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_saves_and_goes_on_to_the_same_bits(
    run_cli: Cli, number: signal.Signals, code: int
) -> None:
    words = [
        "train",
        *TINY_POINTS,
        "steps=3000",
        "log.every=10",
        "samples.every=0",
        "study=stopped",
    ]
    process = subprocess.Popen([sys.executable, "-m", "gan_lab", *words], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(Path().glob("outputs/stopped/*/seed_0/stats.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    (folder,) = (path.parent for path in Path("outputs/stopped").glob("*/status.json"))
    stopped = load(folder)
    assert stopped.status.state == "interrupted"
    assert 0 < stopped.status.step < 3000
    assert run_cli(*words)[0] == 0
    assert run_cli(*words[:-1], "study=straight")[0] == 0
    (straight,) = (path.parent for path in Path("outputs/straight").glob("*/status.json"))
    for name in ("generator.safetensors", "stats.jsonl"):
        assert (folder / "seed_0" / name).read_bytes() == (straight / "seed_0" / name).read_bytes()


def test_version_and_unknown_command(run_cli: Cli) -> None:
    assert re.match(r"gan-lab, version \d", run_cli("--version")[1]) or "version" in run_cli("--version")[1]
    code, _, err = run_cli("trian")
    assert code == 2
    assert "there is no command 'trian', did you mean 'train'" in err


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("activation=gelu2", "no activation named 'gelu2', did you mean 'gelu'?"),
        ("batch_size=0", "batch_size must be a whole number of at least 1, got 0"),
        ("model.generator.width=10000000", "is too large for this machine"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(run_cli: Cli, override: str, sentence: str) -> None:
    code, out, err = run_cli("train", *TINY_POINTS, *FEW, override)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith("gan-lab: ")
    assert sentence in err
    assert not Path("outputs").exists()
