"""W&B without its server, and the README's MLflow logger with a data base."""

import importlib.util
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gan_lab.runs.stats import read_stats
from tests.helpers.experiments import TINY_POINTS
from tests.walkthroughs.test_configs_readme import FILES, SECTIONS, commands

Cli = Callable[..., tuple[int, str, str]]
FEW = ("steps=4", "log.every=2", "samples.every=4", "metrics.every=4", "metrics.samples=64")


def needs(package: str) -> pytest.MarkDecorator:
    absent = importlib.util.find_spec(package) is None and not os.environ.get("CI")
    return pytest.mark.skipif(absent, reason=f"there is no {package} here")


def records(run: Path) -> Iterator[bytes]:
    """Yield what an offline run of W&B has stored, in LevelDB's log format after a header of seven bytes."""
    (file,) = run.glob("*.wandb")
    data, at, parts = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (left := 2**15 - at % 2**15) < 7:  # no record begins at the end of a block
            at += left
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield parts
            parts = b""


def history(run: Path) -> Iterator[dict[str, Any]]:
    """Yield what was logged to W&B offline, one dictionary per step."""
    from wandb.proto.wandb_internal_pb2 import Record

    for data in records(run):
        record = Record()
        record.ParseFromString(data)
        if record.HasField("history"):
            items = {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}
            yield {"step": record.history.step.num, **items}


@needs("wandb")
@pytest.mark.filterwarnings("ignore")
def test_wandb_has_the_same_numbers_and_goes_on_with_its_run(run_cli: Cli) -> None:
    words = ("train", *TINY_POINTS, *FEW, "logger=wandb", "logger.wandb.mode=offline", "seeds=2")
    code, _, err = run_cli(*words)
    assert code == 0, err
    assert "left out" not in err
    code, _, err = run_cli(*words, "steps=6")
    assert code == 0, err
    for seed in (0, 1):
        (folder,) = Path("outputs/ring").glob(f"*/seed_{seed}")
        name = json.loads((folder / "loggers.json").read_text())["wandb"]
        first, second = sorted(Path("wandb").glob(f"offline-run-*-{name}"))
        logged: dict[int, dict[str, Any]] = {}
        for line in (*history(first), *history(second)):
            logged.setdefault(line.pop("step"), {}).update(line)
        assert sorted(logged) == [0, 2, 4, 6]
        for line in read_stats(folder):
            step = line.pop("step")
            assert {k: None if v != v else v for k, v in logged[step].items() if k in line} == line
        assert logged[4]["samples/_type"] == "image-file"


@needs("mlflow")
@needs("wandb")
def test_the_readmes_logger_has_the_same_numbers(run_cli: Cli, tmp_path: Path) -> None:
    for name in ("mine/my_logger.py", "mine/logger/mlflow.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(FILES[name])
    for words in commands(SECTIONS["logger"]):
        code, _, err = run_cli(*words, *TINY_POINTS, *FEW, PYTHONPATH=str(tmp_path / "mine"))
        assert code == 0, err
        assert "left out" not in err
    assert len(list(Path("wandb").glob("offline-run-*"))) == 1
    with sqlite3.connect("mlflow.db") as database:
        ended = database.execute("select run_uuid, status from runs").fetchall()
        points = database.execute("select run_uuid, step, key, value, is_nan from metrics").fetchall()
    assert [status for _, status in ended] == ["FINISHED", "FINISHED"]
    for file in Path("outputs/ring").glob("*/seed_0/loggers.json"):
        run = json.loads(file.read_text())["mlflow"]
        logged = {(step, key): None if nan else x for one, step, key, x, nan in points if one == run}
        lines = {line.pop("step"): line for line in read_stats(file.parent)}
        assert logged == {(step, key): value for step, line in lines.items() for key, value in line.items()}
        assert len(list(Path("mlruns").glob(f"*/{run}/artifacts/samples/*.png"))) == 2

    (code, _, err) = run_cli(
        *commands(SECTIONS["logger"])[0], *TINY_POINTS, *FEW, "steps=6", PYTHONPATH=str(tmp_path / "mine")
    )
    assert code == 0, err
    with sqlite3.connect("mlflow.db") as database:
        assert database.execute("select count(*) from runs where status = 'FINISHED'").fetchone() == (2,)
        assert database.execute("select max(step) from metrics").fetchone() == (6,)
