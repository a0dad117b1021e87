"""The best generator of every seed so far, by the score that decides a comparison."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_lab.runs.folder import seed_folder
from gan_lab.runs.weights import write_best_weights


@dataclass(frozen=True)
class BestGenerator:
    """A seed's generator at the step where it scored best, on the CPU; averaged if an average is kept."""

    seed: int
    step: int
    metric: str
    score: float
    weights: dict[str, Tensor]


class BestGenerators:
    """Keeps the best generators in memory, in every checkpoint, and from there in the folders of their seeds.

    Files are written with a checkpoint only, as those of the last generators are: a run that is killed and
    resumed finds in its checkpoint what was the best at that step. Of equal scores the first is kept, none
    of step 0: it is the generator of ``best_step`` in ``results.json``.
    """

    def __init__(self, saved: Sequence[Mapping[str, Any]] = ()) -> None:
        """saved: what `content` returned before."""
        self._best = {one["seed"]: BestGenerator(**one) for one in saved}
        self._written: dict[int, BestGenerator] = {}

    def forget_other_scores(self, metric: str, measured_from: int) -> None:
        """Drop what was the best by another metric, or by scores that were made otherwise."""
        self._best = {
            seed: best
            for seed, best in self._best.items()
            if best.metric == metric and best.step >= measured_from
        }

    def offer(
        self,
        seed: int,
        step: int,
        metric: str,
        score: float | None,
        direction: str,
        weights: Callable[[], Mapping[str, Tensor]],
    ) -> None:
        """Keep a generator if its score is finite and better than all before; ``weights`` are then copied."""
        if score is None or step == 0:
            return
        sign = 1 if direction == "min" else -1
        best = self._best.get(seed)
        if best is None or sign * score < sign * best.score:
            copied = {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights().items()}
            self._best[seed] = BestGenerator(seed, step, metric, score, copied)

    def content(self) -> list[dict[str, Any]]:
        """Return plain values for a checkpoint."""
        return [vars(best) for best in self._best.values()]

    def write(self, folder: Path) -> None:
        """Write those that this process has not written yet into the folders of their seeds in a run's."""
        for seed, best in self._best.items():
            if self._written.get(seed) is not best:
                about = {"step": best.step, "metric": best.metric, "score": best.score}
                write_best_weights(seed_folder(folder, seed), best.weights, about)
                self._written[seed] = best
