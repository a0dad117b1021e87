"""Run folders of strangers: a bad file costs its run, and nothing is read or written outside the study."""

import json
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan_lab.runs.checkpoints import load_latest
from gan_lab.runs.folder import require_unlinked
from gan_lab.runs.naming import folder_name
from gan_lab.runs.run import Run
from gan_lab.runs.study import read_study
from gan_lab.runs.weights import WEIGHTS, read_weights
from gan_lab.utils.errors import GanLabError
from tests.helpers.experiments import composed
from tests.helpers.synthetic import make_run

HUGE = "1" + "0" * 400
BOMB = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda run: (run / name).write_text(text)


def change(name: str, **values: Any) -> Callable[[Path], object]:
    def apply(run: Path) -> None:
        content = json.loads((run / name).read_text())
        (run / name).write_text(json.dumps({**content, **values}))

    return apply


def link(name: str, target: str) -> Callable[[Path], object]:
    def apply(run: Path) -> None:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(target)

    return apply


def fifo(name: str) -> Callable[[Path], object]:
    def apply(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return apply


def picture(content: bytes) -> Callable[[Path], object]:
    def apply(run: Path) -> None:
        path = run / "seed_0/samples/step_999999.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    return apply


def overrides(text: str) -> Callable[[Path], object]:
    def apply(run: Path) -> None:
        (run / ".hydra").mkdir(exist_ok=True)
        (run / ".hydra/overrides.yaml").write_text(text)

    return apply


def png(width: int, height: int) -> bytes:
    """A PNG file that says it has so many pixels, and holds none."""
    chunks = {b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"IDAT": b"", b"IEND": b""}
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


RESULTS, STATS = "seed_0/results.json", "seed_0/stats.jsonl"
CASES: dict[str, Callable[[Path], object]] = {
    "aliases": write("config.yaml", BOMB),
    "config is a link": link("config.yaml", "/etc/hostname"),
    "a picture elsewhere": link("seed_0/samples/step_999999.png", "/etc/hostname"),
    "a picture is a FIFO": fifo("seed_0/samples/step_999999.png"),
    "an empty picture": picture(b""),
    "a picture cut off": picture(png(16, 16)),
    "a picture of 400 million pixels": picture(png(20_000, 20_000)),
    "no picture": picture(b"GIF89a"),
    "aliases in the record": overrides(BOMB),
    "a record that is a link": link(".hydra/overrides.yaml", "/etc/hostname"),
    "deep config": write("config.yaml", "a: " + "[" * 100 + "]" * 100),
    "huge number in config": write("config.yaml", f"seed: {HUGE}"),
    "brackets": write(RESULTS, "[" * 200_000),
    "no primary": change(RESULTS, primary=None),
    "no step": change(RESULTS, step=None),
    "last is text": change(RESULTS, metrics={"fid": {"direction": "min", "last": "x"}}),
    "last is a list": change(RESULTS, metrics={"fid": {"direction": "min", "last": [1]}}),
    "last is huge": write(RESULTS, '{"format": 2, "metrics": {"fid": {"last": ' + HUGE + "}}}"),
    "results is a FIFO": fifo(RESULTS),
    "stats of brackets": write(STATS, "[" * 200_000 + "\n"),
    "stats of a list": write(STATS, "[1]\n"),
    "stats step is text": write(STATS, '{"step": "1"}\n'),
    "stats without step": write(STATS, "{}\n"),
    "stats step is huge": write(STATS, '{"step": ' + HUGE + "}\n"),
    "status seconds are huge": write("status.json", '{"format": 2, "seconds": ' + HUGE + "}"),
    "a lone surrogate": change("status.json", choices={"activation": "\ud800"}),
    "an escape sequence": change("status.json", reason="\x1b[2J"),
    "status is /dev/zero": link("status.json", "/dev/zero"),
    "status is a FIFO": fifo("status.json"),
    "status is a link to nothing": link("status.json", "/nowhere/status.json"),
}


def read_all(run: Run) -> None:
    run.verify()
    for seed in run.seeds:
        assert seed.results is None or seed.results
        seed.stats()


@pytest.mark.parametrize("case", list(CASES))
def test_a_bad_file_costs_its_own_run(case: str, tmp_path: Path) -> None:
    study = tmp_path / "study"
    make_run(study, "relu", [1.0])
    bad = make_run(study, "elu", [2.0])
    assert not read_study(study, check=read_all).damaged
    CASES[case](bad)
    found = read_study(study, check=read_all)
    assert [run.name for run in found.runs] == ["activation=relu"]
    assert list(found.damaged) == ["activation=elu"]
    assert "\n" not in found.damaged["activation=elu"]


def test_weights_and_checkpoints_are_regular_files_of_the_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for folder in ("seed_0", "checkpoint"):
        (run / folder).mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.write_bytes(b"x")
    for path, read in (
        (run / "seed_0" / WEIGHTS, lambda: read_weights(run / "seed_0")),
        (run / "checkpoint/step_00000001.pt", lambda: load_latest(run / "checkpoint", "")),
    ):
        os.mkfifo(path)
        with pytest.raises(GanLabError, match="is damaged: it is a FIFO"):
            read()
        path.unlink()
        path.symlink_to(outside)
        with pytest.raises(GanLabError, match="is damaged: it is a link"):
            read()


def test_listing_and_report_survive_all_of_them(tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    study = tmp_path / "study"
    for name, center in (("relu", 1.0), ("elu", 2.0)):
        make_run(study, name, [center + 0.01 * seed for seed in range(5)])
    for number, case in enumerate(CASES.values()):
        bad = make_run(study, "tanh", [3.0])
        case(bad)
        bad.rename(study / f"bad_{number}")
    before = {path: path.lstat().st_size for path in tmp_path.rglob("*") if not path.is_dir()}
    began = time.monotonic()
    for command in ("ls", "report"):
        code, out, err = run_cli(command, str(study))
        assert code == 0, err
        assert "Traceback" not in err
        assert "\x1b" not in out + err
        if command == "report":
            assert [n for n in range(len(CASES)) if f"bad_{n}:" not in out + err] == []
            assert "relu" in out
    assert time.monotonic() - began < 60
    after = {path: path.lstat().st_size for path in before}
    assert after == before


@pytest.mark.parametrize(
    "name",
    [
        *(".lock", "train.log", ".hydra", "checkpoint", "seed_0/stats.jsonl", "seed_0/samples"),
        *("seed_0/results.json", "seed_0/events.out.tfevents.1.host", "seed_1"),
    ],
)
def test_training_writes_through_no_link(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "seed_0").mkdir(parents=True)
    require_unlinked(folder)
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GanLabError, match="nothing is written there"):
        require_unlinked(folder)


def test_a_run_that_is_a_link_is_no_run_of_the_study(tmp_path: Path) -> None:
    study = tmp_path / "study"
    make_run(study, "relu", [1.0])
    elsewhere = make_run(tmp_path / "other", "elu", [2.0])
    (study / "elu").symlink_to(elsewhere)
    found = read_study(study)
    assert [run.name for run in found.runs] == ["activation=relu"]
    assert "is a link" in found.damaged["elu"]
    assert [run.name for run in read_study(study / "elu").runs] == ["activation=elu"]  # asked for by name


@pytest.mark.parametrize("name", ["", ".hydra", ".hydra/overrides.yaml"])
def test_hydra_writes_its_record_through_no_link(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("activation=elu", "dataset=ring", "model=mlp", "steps=1")
    study = Path("outputs/ring")
    run = study / folder_name(composed(*words), study, words)
    target = tmp_path / "private"
    target.write_text("mine") if name.endswith("yaml") else target.mkdir()
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).symlink_to(target)
    for multirun in ((), ("-m",)):
        code, _, err = run_cli("train", *multirun, *words)
        assert (code, err.count("\n")) == (2, 1), err
        assert "nothing is written there: remove it" in err
    assert target.read_text() == "mine" if name.endswith("yaml") else not any(target.iterdir())
