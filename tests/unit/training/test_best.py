"""Which generator is the best one: the first of those with the best score, after step 0."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from gan_lab.runs.weights import BEST_WEIGHTS, read_best_weights, write_best_weights
from gan_lab.training.best import BestGenerators
from gan_lab.utils.errors import GanLabError


def offered(scores: Sequence[float | None], direction: str = "min") -> BestGenerators:
    """Offer a score per step; the weights at a step are its number, and change afterwards."""
    best = BestGenerators()
    weights = {"weight": torch.zeros(1)}
    for step, score in enumerate(scores):
        weights["weight"].fill_(step)
        best.offer(3, step, "fid", score, direction, lambda: weights)
    weights["weight"].fill_(-1)
    return best


@pytest.mark.parametrize(
    ("scores", "direction", "step"),
    [
        ([0.0, 3.0, 1.0, 2.0], "min", 2),
        ([9.0, 3.0, 1.0, 2.0], "max", 1),
        ([0.0, 2.0, 1.0, 1.0], "min", 2),
        ([0.0, None, 5.0, None], "min", 2),
        ([0.0, -1.0, -3.0, 2.0], "max", 3),
    ],
)
def test_the_first_of_the_best_scores_after_step_0_is_kept(
    scores: list[float | None], direction: str, step: int
) -> None:
    (one,) = offered(scores, direction).content()
    assert (one["seed"], one["step"], one["metric"], one["score"]) == (3, step, "fid", scores[step])
    assert one["weights"]["weight"].tolist() == [step]


def test_nothing_is_kept_of_what_has_no_score() -> None:
    assert offered([1.0, None]).content() == []


def test_what_was_scored_otherwise_is_forgotten() -> None:
    for metric, measured_from, kept in (("fid", 0, 1), ("fid", 2, 1), ("fid", 3, 0), ("kid", 0, 0)):
        best = BestGenerators(offered([0.0, 3.0, 1.0, 2.0]).content())
        best.forget_other_scores(metric, measured_from)
        assert len(best.content()) == kept, (metric, measured_from)


def test_files_are_written_once_and_again_by_another_process() -> None:
    best = offered([0.0, 3.0])
    folder = Path("run/seed_3")
    folder.mkdir(parents=True)
    best.write(Path("run"))
    state, about = read_best_weights(folder)
    assert (state["weight"].tolist(), about) == ([1.0], {"step": 1, "metric": "fid", "score": 3.0})
    before = (folder / BEST_WEIGHTS).read_bytes()
    (folder / BEST_WEIGHTS).unlink()
    best.write(Path("run"))
    assert not (folder / BEST_WEIGHTS).exists()
    BestGenerators(best.content()).write(Path("run"))
    assert (folder / BEST_WEIGHTS).read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "no header", "other header", "infinite"])
def test_a_damaged_file_is_said_to_be_damaged(damage: str) -> None:
    folder = Path("run/seed_0")
    folder.mkdir(parents=True)
    write_best_weights(folder, {"weight": torch.ones(4)}, {"step": 2, "metric": "fid", "score": 1.5})
    data = (folder / BEST_WEIGHTS).read_bytes()
    damaged = {
        "cut": data[:-3],
        "empty": b"",
        "text": b"no weights at all",
        "no header": data.replace(b"gan_lab", b"other__"),
        "other header": data.replace(b"step", b"stop"),
        "infinite": data.replace(b"1.5", b"NaN"),
    }
    assert damaged[damage] != data
    (folder / BEST_WEIGHTS).write_bytes(damaged[damage])
    with pytest.raises(GanLabError, match=r"generator_best\.safetensors is not a sound safetensors file"):
        read_best_weights(folder)


def test_a_run_without_one_says_how_it_gets_one() -> None:
    Path("run/seed_0").mkdir(parents=True)
    with pytest.raises(GanLabError, match=r"^run/seed_0 has no best generator: .* keep_best=true"):
        read_best_weights(Path("run/seed_0"))
