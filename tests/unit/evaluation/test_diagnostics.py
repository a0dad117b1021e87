"""Diagnostics of networks that are built so that the right answer is known."""

import math

import pytest
import torch
from torch import Tensor, nn

from gan_lab.config.build import build
from gan_lab.datasets.base import Points
from gan_lab.evaluation.diagnostics import ActivationRecord, Probe, ProbedNetwork, ProbeResult, WeightLayer
from gan_lab.evaluation.diagnostics.gradients import DataGradient, GradientNorms, effective_rank
from gan_lab.evaluation.diagnostics.probe import weight_tensors
from gan_lab.evaluation.diagnostics.records import max_derivative
from gan_lab.evaluation.diagnostics.units import UnitHealth
from gan_lab.gan.augmentations import NoAugmentation
from gan_lab.gan.objectives import Minimax, NonSaturating
from gan_lab.gan.regularizers import R1, R1R2, GradientPenalty, NoPenalty, Regularizer
from gan_lab.gan.steps import GAN, GANLoss
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.seeding import stream
from tests.helpers import own_networks
from tests.helpers.experiments import (
    TINY_IMAGES,
    TINY_POINTS,
    assembled,
    choices,
    composed,
    take_steps,
)

FUNCTIONS = {
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(0.2),
    "elu": nn.ELU(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "softplus": nn.Softplus(),
    "selu": nn.SELU(),
    "silu": nn.SiLU(),
    "softsign": nn.Softsign(),
}


def look_at(*sites: ActivationRecord, layers: list[WeightLayer] | None = None) -> ProbeResult:
    empty = torch.zeros(2, 2)
    return ProbeResult({"generator": ProbedNetwork(list(sites), layers or [])}, empty, empty)


def units(site: ActivationRecord, **settings: float) -> dict[str, float]:
    prefix = f"diagnostics/generator/{site.name}/"
    found = UnitHealth(**settings)(look_at(site))
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_half_the_units_of_a_relu_are_dead() -> None:
    inputs = normal(64, 10)
    inputs[:, :5] = -inputs[:, :5].abs()
    found = units(ActivationRecord("hidden.0", nn.ReLU(), inputs))
    assert found["dead"] == 0.5
    assert found["dormant"] == 0.5
    assert found["saturated"] == pytest.approx(float((inputs <= 0).float().mean()))
    # The leaky one passes gradients everywhere.
    assert units(ActivationRecord("hidden.0", nn.LeakyReLU(0.2), inputs))["dead"] == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_constant_units_are_dormant_whatever_the_activation(name: str) -> None:
    """With a quarter made constant, the original score was seen to say 0 % for tanh, 74 % for leaky ReLU."""
    inputs = normal(256, 16)
    inputs[:, :4] = 1.0
    assert units(ActivationRecord("hidden.0", FUNCTIONS[name], inputs), tau=0.1)["dormant"] == 0.25


def test_the_original_score_takes_constant_units_for_awake() -> None:
    inputs = normal(256, 16)
    inputs[:, :4] = 1.0
    found = units(ActivationRecord("hidden.0", nn.Tanh(), inputs), tau=0.1)
    assert found["dormant_original"] == 0
    silent = normal(256, 16)
    silent[:, :4] = -1.0
    assert units(ActivationRecord("hidden.0", nn.ReLU(), silent), tau=0.1)["dormant_original"] == 0.25


def test_feature_maps_are_units_over_batch_and_space() -> None:
    inputs = -normal(8, 4, 5, 5).abs()
    inputs[3, 0, 2, 2] = 1.0  # alive at one place of one sample
    assert units(ActivationRecord("hidden.0", nn.ReLU(), inputs))["dead"] == 0.75


def test_saturated_sigmoids() -> None:
    inputs = torch.full((32, 8), 12.0)
    inputs[:, :2] = 0.0
    found = units(ActivationRecord("hidden.0", nn.Sigmoid(), inputs))
    assert found["saturated"] == 0.75
    assert found["dead"] == 0.75
    # |f'| / max |f'| = 4 s (1 - s) falls to .05 at s = (1 + sqrt(.95)) / 2.
    edge = math.log((1 + math.sqrt(0.95)) / (1 - math.sqrt(0.95)))
    inside, outside = (
        units(ActivationRecord("x", nn.Sigmoid(), torch.full((4, 1), edge + d))) for d in (-0.01, 0.01)
    )
    assert (inside["saturated"], outside["saturated"]) == (0, 1)


def test_inputs_and_learned_slopes() -> None:
    inputs = 3 + 2 * normal(4096, 4)
    found = units(ActivationRecord("hidden.0", nn.PReLU(init=0.4), inputs))
    assert found["slope"] == pytest.approx(0.4)
    assert found["mean"] == pytest.approx(float(inputs.mean()))
    assert found["spread"] == pytest.approx(float(inputs.std(correction=0)), rel=1e-5)
    assert "slope" not in units(ActivationRecord("hidden.0", nn.ReLU(), inputs))


def test_a_network_is_summed_up_over_its_units() -> None:
    dead, alive = -torch.ones(8, 6), torch.ones(8, 2)
    found = UnitHealth()(
        look_at(ActivationRecord("a", nn.ReLU(), dead), ActivationRecord("b", nn.ReLU(), alive))
    )
    assert found["diagnostics/generator/dead"] == 0.75


@pytest.mark.parametrize(
    ("module", "slope"),
    [(nn.Sigmoid(), 0.25), (nn.Tanh(), 1), (nn.SELU(), 1.7581), (nn.SiLU(), 1.0998), (nn.GELU(), 1.1289)],
)
def test_max_derivatives(module: nn.Module, slope: float) -> None:
    assert max_derivative(module) == pytest.approx(slope, abs=1e-4)


class Chain(nn.Module):
    """(N, d) -> (N, d) or, with a head, (N,): layers with ``gain`` times an orthogonal matrix as weight."""

    def __init__(self, activation: nn.Module, depth: int, gain: float, head: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = head
        self.layers = nn.ModuleList()
        for _ in range(depth):
            layer = nn.Module()
            layer.linear = nn.Linear(8, 8, bias=False)
            nn.init.orthogonal_(layer.linear.weight, gain)
            layer.activation = activation
            self.layers.append(layer)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer.activation(layer.linear(x))
        return x.sum(dim=1) if self.head else x


def looked(
    generator: nn.Module, discriminator: nn.Module, objective: object, regularizer: Regularizer | None = None
) -> ProbeResult:
    data = Points(normal(64, 8), name="x", labels=torch.zeros(64), centers=torch.zeros(1, 2), std=1.0)
    game = GANLoss(objective, regularizer or NoPenalty(), NoAugmentation())  # type: ignore[arg-type]
    pair = GAN(generator, discriminator)
    probe = Probe(pair, game, data, samples=32, latent_size=8, device=torch.device("cpu"))
    return probe.run(pair.state_dict())


def test_an_exploding_linear_chain() -> None:
    """Orthogonal layers of gain g pass a gradient on at g times its length and inputs at g times theirs.

    The gradient in layer k is the outer product of both, so its norm is the same in every layer of one gain;
    with the first layer's weights a thousandth, it alone has a gradient a thousand times as large.
    """
    chain = Chain(nn.Identity(), 5, 2.0, head=True)
    found = GradientNorms()(looked(Chain(nn.Identity(), 1, 1.0, head=False), chain, NonSaturating()))
    assert found["diagnostics/discriminator/gradient_ratio"] == pytest.approx(1, rel=0.5)
    with torch.no_grad():
        chain.layers[0].linear.weight.mul_(1e-3)  # type: ignore[union-attr, operator]
    steep = GradientNorms()(looked(Chain(nn.Identity(), 1, 1.0, head=False), chain, NonSaturating()))
    assert steep["diagnostics/discriminator/gradient_ratio"] > 1e5


def test_gradients_vanish_in_a_deep_sigmoid_stack() -> None:
    def ratio(activation: nn.Module) -> float:
        look = looked(
            Chain(nn.Tanh(), 1, 1.0, head=False), Chain(activation, 16, 1.0, head=True), NonSaturating()
        )
        return GradientNorms()(look)["diagnostics/discriminator/gradient_ratio"]

    assert ratio(nn.Sigmoid()) < 1e-8
    assert ratio(nn.SELU()) > 1e-3


def test_norms_are_those_of_the_losses() -> None:
    chain = Chain(nn.Tanh(), 2, 1.0, head=True)
    generator = Chain(nn.Tanh(), 1, 1.0, head=False)
    look = looked(generator, chain, NonSaturating())
    data = normal(64, 8)[torch.randperm(64, generator=stream(0, "probe data"))[:32]]
    latent = torch.randn(32, 8, generator=stream(0, "probe latent"))
    loss = (
        nn.functional.softplus(-chain(data)).mean() + nn.functional.softplus(chain(generator(latent))).mean()
    )
    loss.backward()
    first = chain.layers[0].linear.weight  # type: ignore[union-attr]
    assert isinstance(first, Tensor)
    found = GradientNorms()(look)
    assert first.grad is not None
    norm = float(first.grad.norm())
    tag = "diagnostics/discriminator/layers.0.linear"
    assert found[f"{tag}/gradient"] == pytest.approx(norm, rel=1e-5)
    assert found[f"{tag}/gradient_relative"] == pytest.approx(norm / float(first.detach().norm()), rel=1e-5)


def test_the_minimax_generator_starves_before_a_confident_discriminator() -> None:
    """|dL/dlogit| is D(G(z)) for minimax and 1 - D(G(z)) for non-saturating: 4.5e-5 and 1 at logit -10."""

    class Confident(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = 0.001 * self.linear(x).squeeze(1) - 10
            return out

    def norm(objective: object) -> float:
        torch.manual_seed(1)
        discriminator = Confident()
        look = looked(Chain(nn.Tanh(), 2, 1.0, head=False), discriminator, objective)
        return GradientNorms()(look)["diagnostics/generator/layers.0.linear/gradient"]

    assert norm(Minimax()) / norm(NonSaturating()) == pytest.approx(math.exp(-10), rel=0.01)


@pytest.mark.parametrize("regularizer", [GradientPenalty(), R1(), R1R2()])
def test_units_are_counted_on_samples_and_not_in_the_passes_of_a_penalty(regularizer: Regularizer) -> None:
    generator, chain = Chain(nn.Tanh(), 1, 1.0, head=False), Chain(nn.ReLU(), 1, 1.0, head=True)
    plain = looked(generator, chain, NonSaturating())
    penalized = looked(generator, chain, NonSaturating(), regularizer)
    for network in ("generator", "discriminator"):
        pairs = zip(plain.players[network].activations, penalized.players[network].activations, strict=True)
        assert all(torch.equal(ours.inputs, theirs.inputs) for ours, theirs in pairs)
    assert len(penalized.players["discriminator"].activations[0].inputs) == 2 * 32  # real and generated
    # The gradient is still that of the whole loss.
    weights = (part.players["discriminator"].layers[0].gradient for part in (plain, penalized))
    assert not torch.equal(*weights)


def test_not_finite_numbers_are_counted() -> None:
    inputs = normal(4, 3)
    inputs[0, 0], inputs[1, 1] = math.nan, math.inf
    gradient = torch.tensor([[math.nan, 1.0]])
    layer = WeightLayer("w", torch.ones(1, 2), gradient)
    found = GradientNorms()(look_at(ActivationRecord("a", nn.ReLU(), inputs), layers=[layer]))
    assert found["diagnostics/generator/non_finite"] == 3


@pytest.mark.parametrize(
    ("network", "learned"),
    [
        (own_networks.Functional, ["fc1.weight", "fc2.weight", "out.weight"]),
        (own_networks.OldSpectralNorm, ["fc1.weight_orig", "fc2.weight_orig", "out.weight_orig"]),
        (own_networks.OldWeightNorm, ["fc1.weight_v", "fc2.weight_v", "out.weight_v"]),
        (own_networks.OwnSpectralNorm, ["fc1.layer.weight_bar", "fc2.layer.weight_bar", "out.weight"]),
    ],
)
def test_what_is_learned_where_weights_are_computed(network: type[nn.Module], learned: list[str]) -> None:
    made = network()  # a weight that is computed at the first forward pass is not there yet
    parameters = dict(made.named_parameters())
    found = weight_tensors(made)
    assert [name for name, _ in found] == [name.rsplit(".", 1)[0] for name in learned]
    for (_, tensor), name in zip(found, learned, strict=True):
        assert tensor is parameters[name]


def test_a_layer_without_any_weight_is_left_out() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    del network[0].weight
    assert [name for name, _ in weight_tensors(network)] == ["1"]


def test_effective_rank_of_known_spectra() -> None:
    q = torch.linalg.qr(normal(64, 64).double()).Q
    centring = torch.eye(64).double() - 1 / 64
    u = torch.linalg.qr(centring @ q[:, :8]).Q  # 8 orthonormal columns, each of mean 0
    equal = u @ torch.eye(8, 20).double()
    assert effective_rank(equal) == pytest.approx(8, rel=1e-6)
    assert effective_rank(equal + 100) == pytest.approx(8, rel=1e-6)  # the mean is taken out
    sigma = torch.tensor([4.0, 2.0, 1.0, 1.0]).double()
    p = sigma / 8
    expected = math.exp(-float((p * p.log()).sum()))
    assert effective_rank((u[:, :4] * sigma) @ torch.eye(4, 9).double()) == pytest.approx(expected, rel=1e-6)
    assert math.isnan(effective_rank(torch.ones(8, 3)))
    assert math.isnan(effective_rank(torch.full((8, 3), math.inf)))


def test_data_gradient_of_a_linear_discriminator_is_its_weight() -> None:
    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.linear(x).squeeze(1)
            return out

    discriminator = Linear()
    found = DataGradient()(looked(Chain(nn.Tanh(), 1, 1.0, head=False), discriminator, NonSaturating()))
    norm = float(discriminator.linear.weight.detach().norm())
    assert found["diagnostics/pair/data_gradient"] == pytest.approx(norm, rel=1e-5)
    assert found["diagnostics/pair/fake_gradient"] == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize("model", choices("model"))
@pytest.mark.parametrize("engine", ["sequential", "vmap"])
def test_every_model_can_be_looked_at_and_stays_as_it_was(model: str, engine: str) -> None:
    tiny = TINY_POINTS if model in ("mlp", "pacgan") else TINY_IMAGES
    experiment = assembled(
        *tiny, f"model={model}", f"engine={engine}", "seeds=2", "activation=prelu", "diagnostics.every=1"
    )
    take_steps(experiment, 1)
    before = [m.networks for m in experiment.engine.states()]
    torch.manual_seed(3)
    noise = torch.get_rng_state()
    assert experiment.probe is not None
    found: dict[str, float] = {}
    for index in range(2):
        look = experiment.probe.run(experiment.engine.state(index))
        for diagnostic in experiment.diagnostics.values():
            found |= diagnostic(look)
    assert torch.equal(torch.get_rng_state(), noise)
    for old, new in zip(before, experiment.engine.states(), strict=True):
        assert all(
            torch.equal(old.networks[n] if hasattr(old, "networks") else old[n], t)
            for n, t in new.networks.items()
        )
    for player in ("generator", "discriminator"):
        for name in ("dead", "dormant", "saturated", "gradient_ratio", "effective_rank", "non_finite"):
            if f"diagnostics/{player}/{name}" not in found:
                assert (model, player) == ("pacgan", "discriminator"), name  # maxout has no activation sites
    assert all(math.isfinite(value) for value in found.values())


@pytest.mark.parametrize("name", choices("diagnostic"))
def test_every_entry_is_built(name: str) -> None:
    cfg = composed(f"diagnostic=[{name}]")
    assert list(cfg.diagnostic) == [name]
    assert callable(build(cfg, f"diagnostic.{name}"))


@pytest.mark.parametrize("key", ["tau", "dead_below", "saturated_below"])
def test_bad_settings_are_named(key: str) -> None:
    allowed = "a number of at least 0 and below 1"
    with pytest.raises(ConfigurationError, match=f"diagnostic.units.{key} must be {allowed}"):
        UnitHealth(**{key: 1.5})
