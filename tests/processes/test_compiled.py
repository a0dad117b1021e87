"""Steps that PyTorch's compiler has compiled: the numbers of eager ones, the same bits whatever happens."""

import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from gan_lab.training.engines.compiled import cpp_compiler
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, choices, take_steps
from tests.helpers.killing import Starter, differences, read_status, traces

pytestmark = pytest.mark.skipif(shutil.which(cpp_compiler()) is None, reason="there is no C++ compiler")

WORDS = (*TINY_POINTS, "seeds=2", "ema=0.9", "steps=40", "checkpoint.every=7", "log.every=1")
# Every choice of each of these groups is in one of the rows; a row takes seconds.
GROUPS = ("activation", "objective", "regularizer", "optimizer", "augmentation")
ROWS = [
    tuple(f"{group}={name}" for group, name in zip(GROUPS, names, strict=True))
    for names in itertools.islice(
        zip(*(itertools.cycle(choices(group)) for group in GROUPS), strict=False),
        max(len(choices(group)) for group in GROUPS),
    )
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile in a folder of this session, so that nothing that was compiled before counts."""
    folder = tmp_path_factory.getbasetemp() / "compiled"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_choice_is_compiled_to_the_same_numbers(row: tuple[str, ...]) -> None:
    assert_same((*TINY_IMAGES, *row))


@pytest.mark.parametrize(
    "words",
    [
        (*TINY_POINTS, "seeds=3"),
        (*TINY_IMAGES, "seeds=2", "engine=vmap", "ema=0.9"),
        (*TINY_IMAGES, "model.discriminator.normalization=spectral"),
    ],
    ids=["points", "stacked images", "spectral"],
)
def test_every_engine_is_compiled_to_the_same_numbers(words: tuple[str, ...]) -> None:
    assert_same(words)


def assert_same(words: tuple[str, ...]) -> None:
    ours, theirs = (assembled(*words, f"execution={name}") for name in ("compiled", "eager"))
    assert ours.execution == "compiled"
    for one, other in zip(take_steps(ours, 3), take_steps(theirs, 3), strict=True):
        assert_close(one, other, rtol=2e-4, atol=2e-5)


def test_a_second_process_needs_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    words = (*TINY_POINTS, "seeds=2", "model.generator.width=24")
    first, second = (in_a_process(steps_and_compiler, words) for _ in range(2))
    assert (first[1], second[1]) == (True, False)
    assert first[0] == second[0]
    assert len(list(tmp_path.glob("compiled/*"))) == 2  # one library per network, and nothing beside them


def in_a_process(function: Callable[..., Any], *args: object) -> Any:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def steps_and_compiler(words: tuple[str, ...]) -> tuple[list[float], bool]:
    """Losses of some steps, and whether PyTorch's compiler was imported."""
    torch.set_num_threads(1)
    history = take_steps(assembled(*words, "execution=compiled"), 3)
    return [
        float(one["loss/generator"].sum()) for one in history
    ], "torch._inductor.compile_fx" in sys.modules


def test_what_a_crash_has_cut_short_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that goes down leaves libraries that are empty, cut, or full of zeros or of anything else."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    words = (*TINY_POINTS, "seeds=2", "model.generator.width=20")
    assert in_a_process(execution_of, words) == "compiled"
    for damages in ((cut_to_nothing, cut_in_half), (fill_with_zeros, fill_with_anything)):
        libraries = sorted(tmp_path.glob("compiled/*.so"))
        names = [library.name.partition(".")[0] for library in libraries]
        assert len(libraries) == 2
        for library, damage in zip(libraries, damages, strict=True):
            damage(library)
        assert in_a_process(execution_of, words) == "compiled"
        libraries = sorted(tmp_path.glob("compiled/*.so"))
        assert [library.name.partition(".")[0] for library in libraries] == names
        assert all(library.stat().st_size > 10_000 for library in libraries)


def cut_to_nothing(library: Path) -> None:
    os.truncate(library, 0)


def cut_in_half(library: Path) -> None:
    os.truncate(library, library.stat().st_size // 2)  # a process that loads it is killed


def fill_with_zeros(library: Path) -> None:
    library.write_bytes(bytes(library.stat().st_size))


def fill_with_anything(library: Path) -> None:
    library.write_bytes(b"no library" * 100)


def execution_of(words: tuple[str, ...]) -> str:
    torch.set_num_threads(1)
    experiment = assembled(*words, "execution=compiled")
    take_steps(experiment, 1)
    return experiment.execution


def test_compiled_runs_end_in_the_same_bits_however_they_are_stopped(
    starter: Starter, tmp_path: Path
) -> None:
    words = (*WORDS, "execution=compiled")
    starter.finish(tmp_path / "straight", words)
    expected = traces(tmp_path / "straight")
    for step, number in ((10, signal.SIGKILL), (17, signal.SIGTERM), (29, signal.SIGKILL)):
        assert starter.stop(tmp_path / "stopped", words, step, number) != 0
        assert read_status(tmp_path / "stopped")["execution"] == "compiled"
    starter.finish(tmp_path / "stopped", words)
    assert not differences(expected, traces(tmp_path / "stopped"))
    status = read_status(tmp_path / "stopped")
    assert [sitting["execution"] for sitting in status["sittings"]] == ["compiled"] * 4


def test_without_a_compiler_a_run_says_so_once_and_trains(
    run_cli: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    done = run_cli("train", *TINY_POINTS, "steps=2", "execution=compiled")
    assert done.code == 0
    assert done.err.count("execution=compiled: a step cannot be compiled, so it is eager") == 1
    (path,) = tmp_path.glob("outputs/*/*/status.json")
    assert json.loads(path.read_text())["execution"] == "eager"
