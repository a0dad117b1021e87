"""Observers never harm: a metric, diagnostic or picture that fails costs its own numbers only."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_lab import load
from gan_lab.evaluation import SlicedWasserstein, UnitHealth
from gan_lab.runs.folder import seed_folder
from gan_lab.runs.stats import read_stats
from gan_lab.training import scoring
from gan_lab.training.tensorboard import SeedLog
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, train

FEW = ("steps=4", "log.every=2", "samples.every=2", "metrics.every=2", "diagnostics.every=2")


def failing(*_: Any, **__: Any) -> Any:
    raise ValueError("no number today")


def fails_once(original: Callable[..., Any]) -> Callable[..., Any]:
    calls = 0

    def wrapper(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ValueError("no number today")
        return original(*arguments, **named)

    return wrapper


def state(folder: Path) -> tuple[str, int]:
    status = json.loads((folder / "status.json").read_text())
    return status["state"], status["step"]


def test_untrained_generators_are_measured_too() -> None:
    run = train([*TINY_POINTS, *FEW])
    lines = {line["step"]: line for line in read_stats(run.folder / "seed_0")}
    assert list(lines) == [0, 2, 4]
    assert lines[0]["metrics/mode_js"] is not None


def test_metrics_that_fail_once_cost_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scoring, "extract_seeds", fails_once(scoring.extract_seeds))
    run = train([*TINY_POINTS, *FEW])
    assert state(run.folder) == ("finished", 4)
    measured = [line["step"] for line in read_stats(run.folder / "seed_0") if "metrics/mode_js" in line]
    assert measured == [0, 4]
    assert "metrics not measured at step 2: ValueError: no number today" in capsys.readouterr().err
    assert "Traceback" in (run.folder / "train.log").read_text()


def test_a_metric_that_fails_late_costs_its_own_scores_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original, calls = SlicedWasserstein.__call__, 0

    def breaks(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 2:  # a draw of real data, and step 0
            raise ValueError("no number today")
        return original(*arguments)

    monkeypatch.setattr(SlicedWasserstein, "__call__", breaks)
    run = train([*TINY_POINTS, *FEW])
    assert state(run.folder) == ("finished", 4)
    lines = {line["step"]: line for line in read_stats(run.folder / "seed_0")}
    assert all("metrics/mode_js" in lines[step] for step in (0, 2, 4))
    assert [step for step in (0, 2, 4) if "metrics/sliced_wasserstein" in lines[step]] == [0]
    assert (
        "metric sliced_wasserstein not measured at step 2: ValueError: no number" in capsys.readouterr().err
    )
    results = json.loads((run.folder / "seed_0/results.json").read_text())
    assert results["metrics"]["mode_js"]["last"] == lines[4]["metrics/mode_js"]
    assert "sliced_wasserstein" not in results["metrics"]


def test_a_metric_that_fails_on_real_data_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SlicedWasserstein, "__call__", failing)
    with pytest.raises(ConfigurationError, match=r"^metric\.sliced_wasserstein fails: .*no number today"):
        train([*TINY_POINTS, *FEW])


def test_a_diagnostic_writes_under_its_own_tags_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UnitHealth, "__call__", lambda *_: {"diagnostics/x": 1.0, "loss/generator": 1e9})
    run = train([*TINY_POINTS, *FEW])
    lines = read_stats(run.folder / "seed_0")
    assert all(line.get("loss/generator", 0.0) < 1e3 and "diagnostics/x" not in line for line in lines)
    log = (run.folder / "train.log").read_text()
    assert "diagnostic units not measured at step 0: ValueError: its tags must begin with diagnostics/" in log


def test_pictures_that_cannot_be_drawn_do_not_end_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SeedLog, "log_samples", failing)
    run = train([*TINY_POINTS, *FEW, "metrics.every=0"])
    assert state(run.folder) == ("finished", 4)
    assert "samples not measured at step 0: ValueError" in (run.folder / "train.log").read_text()


def test_an_activation_that_diagnostics_cannot_read_still_trains(tmp_path: Path) -> None:
    run = train([*TINY_IMAGES, *FEW, "metrics.every=0", "activation=relu", "+activation.inplace=true"])
    assert state(run.folder) == ("finished", 4)
    log = (run.folder / "train.log").read_text()
    assert "ReLU of the generator is computed out of place" in log
    plain = train([*TINY_IMAGES, *FEW, "metrics.every=0", "activation=relu"])
    assert read_stats(run.folder / "seed_0") == read_stats(plain.folder / "seed_0")


def test_softmax_over_channels_trains() -> None:
    words = ("activation=identity", "activation._target_=torch.nn.Softmax", "+activation.dim=1")
    run = train([*TINY_POINTS, *FEW, "metrics.every=0", *words])
    assert state(run.folder) == ("finished", 4)


def test_parameters_made_at_the_first_forward_pass_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "late_slopes.py").write_text(
        "import torch\n"
        "class Late(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.slope = None\n"
        "    def forward(self, x):\n"
        "        if self.slope is None:\n"
        "            self.slope = torch.nn.Parameter(torch.tensor(0.25))\n"
        "        return torch.where(x > 0, x, self.slope * x)\n"
    )
    with pytest.raises(ConfigurationError, match="is made at the first forward pass"):
        train([*TINY_POINTS, *FEW, "activation=identity", "activation._target_=late_slopes.Late"])


def test_a_batch_of_many_times_the_data_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="batch_size must be at most 1200, the number of training"):
        train([*TINY_IMAGES, *FEW, "batch_size=100000"])


def test_a_run_ends_in_the_same_bits_with_observers_and_without() -> None:
    same = (*TINY_IMAGES, "steps=6", "log.every=2", "samples.every=0", "seeds=2", "metrics.samples=20")
    on = train([*same, "diagnostics.every=2", "metrics.every=3", "diagnostics.samples=16"])
    off = train([*same, "study=unwatched", "diagnostics.every=0", "metrics.every=0"])
    assert off.folder != on.folder
    for seed in (0, 1):
        a, b = on.generator(seed).state_dict(), off.generator(seed).state_dict()
        assert all(torch.equal(a[name], b[name]) for name in a)
        lines = [
            {k: v for k, v in line.items() if not k.startswith(("metrics/", "diagnostics/"))}
            for line in read_stats(seed_folder(on.folder, seed))
        ]
        assert [line for line in lines if len(line) > 1] == read_stats(seed_folder(off.folder, seed))
    steps = {
        prefix: [
            line["step"]
            for line in read_stats(seed_folder(on.folder, 0))
            if any(k.startswith(prefix) for k in line)
        ]
        for prefix in ("loss/", "metrics/", "diagnostics/")
    }
    assert steps == {"loss/": [2, 4, 6], "metrics/": [0, 3, 6], "diagnostics/": [0, 2, 4, 6]}
    assert load(off.folder).status.diagnostic_seconds == 0
    assert load(on.folder).status.diagnostic_seconds > 0
