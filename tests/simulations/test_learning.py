"""Real training on real data: it learns, and the wrong activation function shows."""

import torch
from torch import Tensor

from gan_lab.config.build import build
from gan_lab.datasets.base import Points
from tests.helpers.experiments import assembled, composed, train


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E||x - y|| - E||x - x'|| - E||y - y'|| (Székely and Rizzo 2013): 0 for equal distributions."""
    x, y = x.flatten(1), y.flatten(1)
    return (2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()).item()


def test_elu_draws_digits_where_sigmoid_and_an_untrained_generator_do_not() -> None:
    words = ["dataset=digits", "model=dcgan", "samples.every=0", "steps=1000"]
    data = build(composed(*words), "dataset")
    real = data.batch(torch.randperm(len(data), generator=torch.Generator().manual_seed(0)))
    learned = energy_distance(train([*words, "activation=elu"]).sample(500), real)
    sigmoid = energy_distance(train([*words, "activation=sigmoid"]).sample(500), real)
    latent = torch.randn(1, 500, 100, generator=torch.Generator().manual_seed(1))
    untrained = energy_distance(assembled(*words, "activation=elu").engine.generate(latent)[0], real)
    floor = energy_distance(real[:900], real[900:])
    assert floor < learned
    # Seen: 0.14 for elu, 1.3 for sigmoid.
    assert learned < 0.3 * sigmoid
    assert learned < 0.3 * untrained


def test_the_shipped_ring_study_finds_the_modes() -> None:
    shorter = ["seeds=2", "steps=5000", "samples.every=0", "metrics.every=0"]
    run = train(["experiment=activations_on_ring", "activation=relu", *shorter])
    data = build(run.cfg, "dataset")
    assert isinstance(data, Points)
    for seed in run.seeds:
        distance, nearest = torch.cdist(run.sample(2500, seed=seed), data.centers).min(dim=1)
        close = distance < 3 * data.std
        counts = torch.bincount(nearest[close], minlength=8)
        # A mode counts where at least a fifth of its fair share lies within three standard deviations.
        assert (counts >= 0.2 * 2500 / 8).sum() >= 6
        assert (counts >= 1).sum() >= 7
        # Uniform noise in the bounding box has 0.5 % of its samples there.
        assert close.float().mean() > 0.25
