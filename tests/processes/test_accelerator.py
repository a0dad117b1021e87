"""On a GPU, held by tests that need none: a pretended device that refuses, and counts, see its module.

Every choice that is trained with is covered by itself: no tensor, random generator or float64 is where it
must not be, losses are those of the CPU, and a step in the steady state reads nothing back, makes no blocking
copy, and launches no more than it did when the numbers here were written down.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from gan_lab.evaluation.evaluator import CHUNK
from tests.helpers import accelerator, on_accelerator
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, UNMEASURED, choices, composed
from tests.helpers.on_accelerator import Steady

pytestmark = pytest.mark.skipif(not accelerator.is_supported(), reason="this PyTorch pretends no device")

ENGINES = ("sequential", "vmap")
# Launches of a step of two seeds, one by one and stacked: the most that any choice of a group has.
LAUNCHES = {
    "activation": (570, 340),
    "objective": (300, 210),
    "regularizer": (520, 340),
    "optimizer": (300, 205),
    "augmentation": (580, 310),
    "model": (1450, 800),
    "experiment": (7900, 4400),  # of which one takes five discriminator steps
}
# Launches of a step at the depth that is trained, whatever width and number of seeds: those of a prototype.
ROWS = {
    "dcgan 16x16": (("dataset=digits", "dataset.size=16", "model=dcgan"), 142, 185),
    "dcgan 32x32": (("dataset=digits", "dataset.size=32", "model=dcgan"), 180, 254),
    "dcgan 16x16, r1": (("dataset=digits", "dataset.size=16", "model=dcgan", "regularizer=r1"), 353, 353),
    "ring": (("dataset=ring", "dataset.size=500", "model=mlp"), 195, 195),
    "ring, r1": (("dataset=ring", "dataset.size=500", "model=mlp", "regularizer=r1"), 265, 265),
}
# The prototype's table: row and number of seeds -> launches of all of them, one by one and stacked.
TABLE = {
    ("dcgan 16x16", 1): (142, 183),
    ("dcgan 16x16", 8): (1024, 185),
    ("dcgan 16x16", 16): (2032, 185),
    ("dcgan 32x32", 1): (180, 252),
    ("dcgan 32x32", 8): (1328, 254),
    ("dcgan 32x32", 16): (2640, 254),
    ("ring", 64): (8488, 195),
}
# Reads of a look at all seeds; of an evaluation, for each 256 samples.
READS = {"look at one": 6, "look": 4, "features": 1, "logits": 1}
ON_POINTS = ("activation", "objective", "regularizer", "optimizer")
TINY = ("model.generator.width=4", "model.discriminator.width=4", "seeds=2", *UNMEASURED)
# Data that would have to be downloaded give way to digits of the same size.
SAME_SIZE = {"mnist": 28, "cifar10": 32}

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def there() -> Iterator[Call]:
    """Calls a function of `on_accelerator` in the process that has the device."""
    with ProcessPoolExecutor(1, get_context("spawn"), on_accelerator.begin) as pool:
        yield lambda function, *args, **kwargs: pool.submit(function, *args, **kwargs).result()


def words_of(group: str, name: str) -> tuple[str, ...]:
    if group in ON_POINTS:
        return (*TINY_POINTS, f"{group}={name}", "seeds=2")
    if group == "model":
        points = name in ("mlp", "pacgan")
        tiny = [word for word in (TINY_POINTS if points else TINY_IMAGES) if not word.startswith("model=")]
        return (*tiny, f"model={name}", "seeds=2", "ema=0.9")
    if group == "experiment":
        size = SAME_SIZE.get(str(composed(f"experiment={name}").dataset.name))
        data = ("dataset=digits", f"dataset.size={size}") if size else ()
        return (f"experiment={name}", *data, *TINY, "batch_size=4", "generator_batch_size=null")
    return (*TINY_IMAGES, f"{group}={name}", "seeds=2")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("group", "name"), [(group, name) for group in LAUNCHES for name in choices(group)])
def test_every_choice(group: str, name: str, engine: str, there: Call) -> None:
    step = there(on_accelerator.steady_step, (*words_of(group, name), f"engine={engine}"))
    assert_steady(step, LAUNCHES[group][ENGINES.index(engine)])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("row", ROWS)
def test_launches_of_a_step_stay_few(row: str, engine: str, there: Call) -> None:
    words, *launches = ROWS[row]
    seeds = 1 if engine == "sequential" else 3
    step = there(
        on_accelerator.steady_step, (*words, *TINY, f"seeds={seeds}", f"engine={engine}", "batch_size=4")
    )
    assert_steady(step, launches[ENGINES.index(engine)])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("row", "seeds"), TABLE)
def test_launches_are_at_most_those_of_the_table(row: str, seeds: int, engine: str, there: Call) -> None:
    words = (*ROWS[row][0], *TINY, f"seeds={seeds}", f"engine={engine}", "batch_size=4")
    assert_steady(there(on_accelerator.steady_step, words), TABLE[row, seeds][ENGINES.index(engine)])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", ["offloaded", "resumed"])
def test_data_elsewhere_and_states_that_were_loaded_make_nothing_wait(
    how: str, engine: str, there: Call
) -> None:
    # An optimizer that is not fused reads its count of steps, which must not be on the device.
    words = (*TINY_IMAGES, "seeds=2", f"engine={engine}", "ema=0.9", "optimizer.fused=false")
    assert_steady(there(on_accelerator.steady_step, words, **{how: True}), 700)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tiny", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
def test_a_run_is_trained_resumed_evaluated_and_sampled(
    tiny: tuple[str, ...], engine: str, there: Call, tmp_path: Path
) -> None:
    looks = ("metrics.samples=32", "diagnostics.samples=16")
    every = [f"{what}.every=2" for what in ("metrics", "diagnostics", "samples", "checkpoint")]
    words = [*tiny[: -len(UNMEASURED)], *looks, *every, "log.every=1", "log.histograms=true"]
    words += ["seeds=2", "ema=0.9", f"engine={engine}"]
    assert there(on_accelerator.whole_run, tmp_path, words) < 1e-5


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tiny", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
def test_states_enter_an_engine_with_one_copy_of_each_tensor(
    tiny: tuple[str, ...], engine: str, there: Call
) -> None:
    words = (*tiny, f"engine={engine}", "ema=0.9")
    (few, needed), many = (
        there(on_accelerator.copies_into_an_engine, (*words, f"seeds={n}")) for n in (2, 5)
    )
    assert few == needed > 0
    # Stacked seeds are as many tensors, whatever their number.
    assert many[0] == many[1] == (needed if engine == "vmap" else needed // 2 * 5)


def test_a_diagnostic_look_reads_little(there: Call) -> None:
    tiny = (*TINY_POINTS[: -len(UNMEASURED)], "metrics.every=0")
    launches, reads, _ = there(on_accelerator.diagnostic_look, (*tiny, "engine=sequential"))
    assert reads <= READS["look at one"]
    assert launches <= 490


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("words", "reads"),
    [
        ((*TINY_POINTS, "dataset.size=2000"), READS["features"]),
        ((*TINY_IMAGES, "features=classifier"), READS["features"] + READS["logits"]),
    ],
    ids=["points", "images"],
)
def test_an_evaluation_reads_as_often_for_any_number_of_seeds(
    words: tuple[str, ...], reads: int, engine: str, there: Call
) -> None:
    words = (*(word for word in words if word != "metrics.every=0"), f"engine={engine}")
    samples, chunks = CHUNK + 4, 2
    for seeds in (1, 4):
        found = there(on_accelerator.evaluation, (*words, f"seeds={seeds}"), samples)
        assert found == (chunks * reads, chunks)


@pytest.mark.parametrize("tiny", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
@pytest.mark.parametrize("activation", ["relu", "prelu"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_look_is_the_same_work_for_any_number_of_seeds(
    engine: str, tiny: tuple[str, ...], activation: str, there: Call
) -> None:
    words = (*tiny[: -len(UNMEASURED)], "metrics.every=0", f"engine={engine}", f"activation={activation}")
    few, many = (there(on_accelerator.diagnostic_look, (*words, f"seeds={n}")) for n in (2, 6))
    assert few == many
    launches, reads, waits = many
    learned, stacked_now = activation == "prelu", engine == "sequential"
    assert launches <= 530 + 40 * learned + 25 * stacked_now
    assert reads <= READS["look"] + learned
    assert waits <= learned


def test_the_global_random_state_of_the_device_is_restored(there: Call) -> None:
    words = (*TINY_POINTS, "~activation", "+activation._target_=torch.nn.Dropout", "engine=sequential")
    assert there(on_accelerator.is_restored, words)


@pytest.mark.parametrize("execution", ["cuda_graph", "eager"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("tiny", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
def test_auto_takes_what_is_timed_as_the_fastest_and_changes_nothing_else(
    tiny: tuple[str, ...], engine: str, execution: str, there: Call
) -> None:
    best = f"engine={engine} execution={execution}"
    assert there(on_accelerator.after_a_trial, (*tiny, "seeds=2", "ema=0.9"), best) == (best, 0.0)


def test_the_accelerator_refuses_and_counts(there: Call) -> None:
    assert there(on_accelerator.complaints) == {
        "compute with a tensor of the CPU": "refused",
        "compare with a number": "1 launched",
        "draw from a generator of the CPU": "refused",
        "draw from a generator of its own": "1 launched",
        "compute in float64": "refused",
        "read one number": "waits",
        "read all numbers": "waits",
        "copy to the CPU": "waits",
        "write into the CPU": "waits",
        "ask how many there are": "waits",
        "copy to the device": "waits to write",
        "copy to the device ahead of time": "1 launched",
        "make a number on the device": "1 launched",
        "take indices of the CPU": "waits to write",
        "launch two operations": "2 launched",
    }


def assert_steady(step: Steady, launches: int) -> None:
    assert step.waits == []
    assert step.launches <= launches
    assert step.difference < 1e-5
