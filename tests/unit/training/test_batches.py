"""Streams of data, noise and uniform numbers: functions of seed and step, and of nothing else."""

import threading
from collections.abc import Iterable, Sequence

import pytest
import torch
from torch.testing import assert_close

from gan_lab.datasets.base import Dataset
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.seeding import seeded, stream, stream_seed
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, take_steps


def test_a_seed_sees_the_same_whoever_trains_beside_it() -> None:
    many = assembled(*TINY_IMAGES, "seeds=4", "augmentation=diffaugment").batches
    one = assembled(*TINY_IMAGES, "seed=2", "augmentation=diffaugment").batches
    for step in (0, 1, 63, 64, 200):
        for ours, theirs in zip((*many(step)[0], many(step)[1]), (*one(step)[0], one(step)[1]), strict=True):
            for a, b in zip(ours, theirs, strict=True):
                assert_close(a[2], b[0], rtol=0, atol=0)


def test_two_activations_at_one_seed_see_the_same_batches_and_noise() -> None:
    ours, theirs = (assembled(*TINY_IMAGES, f"activation={a}").batches for a in ("relu", "prelu"))
    for step in (0, 70):
        for a, b in zip(ours(step)[1], theirs(step)[1], strict=True):
            assert torch.equal(a, b)


def test_any_step_can_be_asked_for_in_any_order() -> None:
    forwards, backwards = (assembled(*TINY_POINTS, "seeds=2").batches for _ in range(2))
    steps = [0, 1, 63, 64, 65, 300]
    seen = {step: forwards(step)[1] for step in steps}
    for step in reversed(steps):
        for a, b in zip(seen[step], backwards(step)[1], strict=True):
            assert torch.equal(a, b)


def test_every_epoch_shows_every_sample_once_and_in_a_new_order() -> None:
    experiment = assembled(*TINY_IMAGES, "batch_size=100", "discriminator_steps=2")
    batches, size = experiment.batches, len(experiment.data)
    places = batches._indices(0, 0, 2 * size)
    first, second = places[:size], places[size:]
    assert torch.equal(first.sort().values, torch.arange(size))
    assert torch.equal(second.sort().values, torch.arange(size))
    assert not torch.equal(first, second)
    assert not torch.equal(first, batches._indices(1, 0, size))
    # A step's batches are the next places of that walk.
    discriminator, generator = batches(3)
    expected = experiment.data.batch(places[600:800]).view(2, 100, *experiment.data.shape)
    assert torch.equal(torch.cat([b.real for b in discriminator]), expected)
    assert torch.equal(generator.real[0], expected[1])


def test_latents_are_standard_normal_and_every_step_has_its_own() -> None:
    batches = assembled(
        *TINY_POINTS, "dataset.size=2000", "batch_size=2000", "model.latent_size=16", "seeds=2"
    ).batches
    (discriminator,), generator = batches(0)
    z = discriminator.latent
    assert z.shape == (2, 2000, 16)
    # 64,000 numbers: the standard error of the mean is 0.004, of the deviation 0.003.
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1) < 0.015
    assert not torch.equal(z, generator.latent)
    assert not torch.equal(z[0], z[1])


def test_a_generator_batch_of_its_own_changes_no_other_number() -> None:
    words = (*TINY_POINTS, "discriminator_steps=2")
    plain, other = (assembled(*words, "seeds=2", *rest).batches for rest in ([], ["generator_batch_size=24"]))
    for step in (0, 70):
        (discriminator, same), (theirs, generator) = plain(step), other(step)
        for ours, their in zip(discriminator, theirs, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(ours, their, strict=True))
        assert generator.latent.shape == (2, 24, same.latent.shape[2])
        assert generator.rand.shape[:2] == (2, 24)
        assert not torch.equal(generator.latent[0], generator.latent[1])
        assert not torch.equal(generator.latent[:, :8], discriminator[0].latent)
    alone = assembled(*words, "seed=1", "generator_batch_size=24").batches
    assert torch.equal(alone(70)[1].latent[0], other(70)[1].latent[1])


@pytest.mark.parametrize("engine", ["sequential", "vmap"])
def test_a_generator_batch_of_its_own_trains(engine: str) -> None:
    """G's first gradient is that of the mean over its own batch."""
    experiment = assembled(*TINY_POINTS, "seeds=2", f"engine={engine}", "generator_batch_size=24")
    (scalars,) = take_steps(experiment, 1)
    assert scalars["loss/generator"].isfinite().all()
    with pytest.raises(ConfigurationError, match="generator_batch_size must be null or batch_size with"):
        assembled(*TINY_POINTS, "objective=relativistic", "generator_batch_size=24")


@pytest.mark.parametrize("steps", [range(130), [0, 5, 6, 7, 3, 64, 63, 64, 65]])
def test_data_that_are_read_ahead_are_the_same(steps: Iterable[int], monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*TINY_IMAGES, "seeds=3", "discriminator_steps=2")
    plain = assembled(*words).batches
    expected = [plain(step) for step in steps]
    threads: list[str] = []
    fetch = type(plain.data).fetch

    def noted(self: Dataset, indices: torch.Tensor) -> torch.Tensor:
        threads.append(threading.current_thread().name)
        return fetch(self, indices)

    monkeypatch.setattr(type(plain.data), "is_offloaded", True)
    monkeypatch.setattr(type(plain.data), "fetch", noted)
    ahead = assembled(*words).batches
    for step, (discriminator, last) in zip(steps, expected, strict=True):
        if step == 7:
            ahead.select([0, 1, 2])
        found, final = ahead(step)
        for ours, theirs in zip([*found, final], [*discriminator, last], strict=True):
            for a, b in zip(ours, theirs, strict=True):
                assert torch.equal(a, b)
    assert any(name.startswith("data") for name in threads)


def test_the_order_of_the_next_block_is_drawn_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = assembled(*TINY_POINTS, "seeds=2").batches
    assert plain._threads is None  # on a CPU, which has no core for it, but for data on the disk
    monkeypatch.setattr(type(plain.data), "is_offloaded", True)
    ahead = assembled(*TINY_POINTS, "seeds=2").batches
    assert ahead._threads is not None
    drawn: list[tuple[int, list[int], bool]] = []
    draw = ahead._draw_order

    def noted(block: int, seeds: Sequence[int]) -> torch.Tensor:
        in_main = threading.current_thread() is threading.main_thread()
        drawn.append((block, list(seeds), in_main))
        return draw(block, seeds)

    monkeypatch.setattr(ahead, "_draw_order", noted)
    for step in (0, 1, 64, 65):
        assert torch.equal(ahead(step)[1].real, plain(step)[1].real)
    ahead._threads.submit(int).result()  # nothing is left to be done
    # Each block once, and not where the steps are taken.
    assert drawn == [(0, [0, 1], False), (1, [0, 1], False), (2, [0, 1], False)]
    for batches in (plain, ahead):
        batches.select([1])
    assert torch.equal(ahead(130)[1].real, plain(130)[1].real)
    assert drawn[3] == (2, [1], False)


def test_streams_are_told_apart_by_seed_name_and_block() -> None:
    seeds = {stream_seed(s, n, b) for s in range(20) for n in ("noise", "order") for b in range(20)}
    assert len(seeds) == 800
    draws = [torch.rand(4, generator=stream(*key)) for key in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 1))]
    assert all(not torch.equal(a, b) for i, a in enumerate(draws) for b in draws[:i])


def test_building_on_a_stream_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with seeded(3, "initialization"):
        inside = torch.rand(3)
    assert torch.equal(before, torch.get_rng_state())
    with seeded(3, "initialization"):
        assert torch.equal(inside, torch.rand(3))
