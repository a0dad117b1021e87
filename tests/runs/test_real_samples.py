"""The picture of real data: what a run is trained on, beside what it has learned."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_lab.datasets.digits import load_digits
from gan_lab.runs.load import TrainedRun
from gan_lab.training.tensorboard import SeedLog
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, train

FEW = ("steps=2", "log.every=1", "samples.every=2", "seeds=2")


def picture(run: TrainedRun, name: str = "real.png", seed: int = 0) -> np.ndarray:
    with Image.open(run.folder / f"seed_{seed}/samples" / name) as image:
        return np.asarray(image)


def logged(run: TrainedRun, tag: str) -> list[int]:
    accumulator = EventAccumulator(str(run.folder / "seed_0"), {"images": 0})
    accumulator.Reload()
    return [image.step for image in accumulator.Images(tag)] if tag in accumulator.Tags()["images"] else []


def test_the_grid_shows_training_data_as_the_sample_grids_are_laid_out() -> None:
    run = train([*TINY_IMAGES, *FEW])
    assert picture(run).shape == picture(run, "step_000002.png").shape
    # Four digits of 8 x 8 in a 2 x 2 grid: each pixel is magnified four times, behind 2 pixels of frame.
    cells = [picture(run)[y : y + 32 : 4, x : x + 32 : 4, 0] for y in (2, 36) for x in (2, 36)]
    digits = {bytes(digit) for digit in load_digits(8).data[:, 0].numpy()}
    assert {cell.tobytes() for cell in cells} <= digits
    assert len({cell.tobytes() for cell in cells}) == 4
    assert not np.array_equal(picture(run), picture(run, seed=1))
    assert logged(run, "real") == [0]


def test_points_are_scattered_as_their_samples_are() -> None:
    run = train([*TINY_POINTS, *FEW])
    assert picture(run).shape == picture(run, "step_000002.png").shape == (400, 400, 3)
    red, blue = picture(run)[..., 0].astype(int), picture(run)[..., 2].astype(int)
    assert (blue > red + 40).sum() > 20  # points, beside the red crosses of the modes


def test_a_resumed_run_draws_it_only_if_it_is_missing() -> None:
    run = train([*TINY_POINTS, *FEW])
    before = picture(run)
    for seed in (0, 1):
        (run.folder / f"seed_{seed}/samples/real.png").unlink()
    again = train([*TINY_POINTS, *FEW, "steps=4"])
    assert np.array_equal(picture(again), before)
    assert logged(again, "real") == [0, 2]
    assert logged(train([*TINY_POINTS, *FEW, "steps=6"]), "real") == [0, 2]


def test_without_pictures_there_is_none_of_real_data() -> None:
    run = train([*TINY_POINTS, *FEW, "samples.every=0"])
    assert not (run.folder / "seed_0/samples").exists()
    assert logged(run, "real") == []


@pytest.mark.parametrize("words", [TINY_IMAGES, TINY_POINTS])
def test_a_picture_that_fails_costs_nothing_else(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(log: SeedLog, step: int, grid: object) -> None:
        raise ValueError("no picture today")

    monkeypatch.setattr(SeedLog, "log_real", failing)
    run = train([*words, *FEW])
    assert run.status.state == "finished"
    log = (run.folder / "train.log").read_text()
    assert "real samples not measured at step 0: ValueError: no picture today" in log
    assert Path(run.folder / "seed_0/samples/step_000002.png").exists()
    assert not Path(run.folder / "seed_0/samples/real.png").exists()
