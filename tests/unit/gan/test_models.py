"""Generators and discriminators: shapes, sites of activations, spectral normalization, lifting to seeds."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.utils import parametrizations, parametrize
from torch.testing import assert_close

from gan_lab.config.build import build
from gan_lab.gan import MaxoutDiscriminator, ResNetDiscriminator, ResNetGenerator
from gan_lab.gan.activations import activation_sites
from gan_lab.gan.models.layers import SpectralNorm, num_upsamples
from gan_lab.gan.steps import no_buffer_updates
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.experiments import choices, composed

IMAGE, POINT = (1, 8, 8), (2,)
SMALL = ("model.latent_size=5", "model.generator.width=4", "model.discriminator.width=4")


def networks(shape: tuple[int, ...], *overrides: str) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    cfg = composed(*SMALL, *overrides)
    return build(cfg, "model.generator", shape=shape), build(cfg, "model.discriminator", shape=shape)


def inputs(shape: tuple[int, ...], batch: int = 6) -> tuple[Tensor, Tensor]:
    numbers = torch.Generator().manual_seed(1)
    return torch.randn(batch, 5, generator=numbers), torch.randn(batch, *shape, generator=numbers)


def cases() -> list[tuple[str, tuple[int, ...], str, str]]:
    maps, features = ("none", "batch", "instance", "layer", "group"), ("none", "batch", "layer")
    found = []
    for model in choices("model"):
        shapes = [IMAGE] if model in ("dcgan", "resnet") else [POINT, IMAGE]
        kinds = maps if model in ("dcgan", "resnet") else features
        for shape in shapes:
            for kind in kinds if model != "pacgan" else ("batch",):
                found.append((model, shape, kind, kind))
            if model != "pacgan":
                found.append((model, shape, "batch", "spectral"))
    return found


@pytest.mark.parametrize(("model", "shape", "generator_norm", "discriminator_norm"), cases())
def test_shapes_gradients_and_sites(
    model: str, shape: tuple[int, ...], generator_norm: str, discriminator_norm: str
) -> None:
    norms = [f"model.generator.normalization={generator_norm}", "activation=prelu"]
    if model != "pacgan":
        norms.append(f"model.discriminator.normalization={discriminator_norm}")
    generator, discriminator = networks(shape, f"model={model}", *norms)
    latent, real = inputs(shape)
    fake, logits = generator(latent), discriminator(real)
    assert fake.shape == real.shape
    assert logits.shape == (6,)
    if len(shape) == 3:
        assert fake.abs().max() <= 1
    assert fake.isfinite().all()
    assert logits.isfinite().all()
    # Not a plain sum, to which batch normalization would let little through.
    weights = torch.linspace(-1, 2, 6)
    (weights @ (discriminator(fake) + logits)).backward()
    for network, kind in ((generator, generator_norm), (discriminator, discriminator_norm)):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            # A later normalization may take a bias out again; everything else must count.
            if not name.endswith("bias") or kind in ("none", "spectral"):
                assert parameter.grad.abs().max() > 1e-7, name
        sites = [site for _, site in activation_sites(network)]
        assert all(isinstance(site, nn.PReLU) for site in sites)
        assert len({id(site) for site in sites}) == len(sites)
        assert bool(sites) == (not isinstance(network, MaxoutDiscriminator))


@pytest.mark.parametrize(("model", "shape", "generator_norm", "discriminator_norm"), cases())
def test_stacked_networks_equal_each_alone(
    model: str, shape: tuple[int, ...], generator_norm: str, discriminator_norm: str
) -> None:
    norms = [f"model.generator.normalization={generator_norm}"]
    if model != "pacgan":
        norms.append(f"model.discriminator.normalization={discriminator_norm}")
    for index in (0, 1):
        first = networks(shape, f"model={model}", *norms)[index]
        second = deepcopy(first)
        with torch.no_grad():
            for parameter in second.parameters():
                parameter.add_(0.1)
        alone = [deepcopy(first), deepcopy(second)]
        x = torch.stack([inputs(shape)[index], 2 * inputs(shape)[index]])
        parameters, buffers = stack_module_state([first, second])

        def call(p: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, base: nn.Module = first) -> Tensor:
            out: Tensor = functional_call(base, (p, b), (x,))
            return out

        before = {name: buffer.clone() for name, buffer in buffers.items()}
        together = vmap(call)(parameters, buffers, x)
        for name, buffer in buffers.items():
            if buffer.shape[1:] != (1,):  # The singular vector of a single output stays 1.
                assert not torch.equal(buffer, before[name]), name
        for k, network in enumerate(alone):
            assert_close(together[k], network(x[k]), rtol=1e-4, atol=1e-5)
            for name, buffer in network.named_buffers():
                assert_close(buffers[name][k], buffer, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", ["dcgan", "resnet"])
@pytest.mark.parametrize("size", [8, 14, 16, 28, 32, 64, 128])
def test_every_promised_size(model: str, size: int) -> None:
    generator, discriminator = networks((3, size, size), f"model={model}", "model.generator.width=2")
    fake = generator(inputs(POINT, 2)[0])
    assert fake.shape == (2, 3, size, size)
    assert discriminator(fake).shape == (2,)


@pytest.mark.parametrize("model", ["dcgan", "resnet"])
@pytest.mark.parametrize("shape", [(1, 30, 30), (1, 17, 17), (3, 256, 256), (1, 16, 32), (2,)])
def test_other_shapes_are_refused_in_a_sentence(model: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^model.generator: this model cannot make .*(dataset.size|model=mlp)"
    ):
        networks(shape, f"model={model}")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("model.generator.width=0", "model.generator: width must be a whole number of at least 1, got 0"),
        ("model.generator.depth=-1", "model.generator: depth must be a whole number from 1 to 1000, got -1"),
        ("model.latent_size=0", "latent_size must be a whole number of at least 1, got 0"),
        ("model.generator.normalization=bach", "normalization must be one of none, .*, got 'bach'"),
        (
            "model.discriminator.normalization=bach",
            "normalization must be one of none, .*, spectral, got 'bach'",
        ),
        (
            "model.generator.width=true",
            "model.generator: width must be a whole number of at least 1, got True",
        ),
    ],
)
def test_keys_out_of_range_are_named(override: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        networks(IMAGE, "model=dcgan", override)


@pytest.mark.parametrize("model", ["mlp", "dcgan", "resnet"])
def test_spectral_is_for_discriminators_and_reaches_all_their_weights(model: str) -> None:
    _, discriminator = networks((1, 16, 16), f"model={model}", "model.discriminator.normalization=spectral")
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert all(isinstance(m.parametrizations.weight[0], SpectralNorm) for m in layers)
    with pytest.raises(ConfigurationError, match=r"normalization must be one of none, .*, got 'spectral'"):
        networks((1, 16, 16), f"model={model}", "model.generator.normalization=spectral")


@pytest.mark.parametrize(
    ("size", "resolutions"),
    [(8, [4]), (14, [7]), (16, [8]), (28, [14, 7]), (32, [16, 8]), (56, [28, 14, 7]), (64, [32, 16, 8])],
)
def test_residual_discriminator_halves_down_to_8_or_7(size: int, resolutions: list[int]) -> None:
    _, discriminator = networks((1, size, size), "model=resnet")
    seen: list[int] = []
    for block in discriminator.blocks:
        block.register_forward_hook(lambda module, args, out: seen.append(out.shape[-1]))
    discriminator(inputs((1, size, size), 2)[1])
    assert seen == resolutions + 2 * resolutions[-1:]


@pytest.mark.parametrize("model", ["mlp", "dcgan", "resnet"])
def test_width_and_depth_do_what_they_say(model: str) -> None:
    def size(*overrides: str) -> list[int]:
        return [sum(p.numel() for p in n.parameters()) for n in networks(IMAGE, f"model={model}", *overrides)]

    small = size()
    for key in ("width=8", "depth=4"):
        larger = size(f"model.generator.{key}", f"model.discriminator.{key}")
        assert all(a < b for a, b in zip(small, larger, strict=True))


def test_statistics_that_are_not_tracked_keep_their_bits() -> None:
    for kind in ("batch", "spectral"):
        _, discriminator = networks((1, 16, 16), "model=dcgan", f"model.discriminator.normalization={kind}")
        before = {name: buffer.clone() for name, buffer in discriminator.named_buffers()}
        keepers = [m for m in discriminator.modules() if getattr(m, "track_running_stats", False)]
        assert keepers
        for module in keepers:
            module.track_running_stats = False
        discriminator(inputs((1, 16, 16))[1])
        for name, buffer in discriminator.named_buffers():
            assert torch.equal(buffer, before[name])
        for module in keepers:
            module.track_running_stats = True
        discriminator(inputs((1, 16, 16))[1])
        assert any(not torch.equal(b, before[n]) for n, b in discriminator.named_buffers())


@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_spectral_norm_is_the_largest_singular_value(kind: str) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(20, 30) if kind == "linear" else nn.Conv2d(3, 8, 3)
    ours, theirs = deepcopy(layer), parametrizations.spectral_norm(deepcopy(layer))
    parametrize.register_parametrization(ours, "weight", SpectralNorm(ours.weight))
    for _ in range(200):
        normalized, reference = ours.weight, theirs.weight
    assert torch.linalg.matrix_norm(normalized.flatten(1), ord=2).item() == pytest.approx(1, abs=1e-3)
    assert_close(normalized, reference, rtol=1e-3, atol=1e-4)
    ours.eval()
    assert_close(ours.weight, normalized, rtol=1e-3, atol=1e-4)


def test_spectral_norm_allows_two_forwards_before_one_backward() -> None:
    _, discriminator = networks(IMAGE, "model=dcgan", "model.discriminator.normalization=spectral")
    real = inputs(IMAGE)[1]
    (discriminator(real).mean() - discriminator(-real).mean()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in discriminator.parameters())


def test_second_derivatives_reach_the_parameters() -> None:
    for model in ("mlp", "dcgan", "resnet"):
        _, discriminator = networks(IMAGE, f"model={model}", "activation=softplus")
        with no_buffer_updates(discriminator):
            gradient = torch.func.grad(lambda x: discriminator(x).sum())(inputs(IMAGE)[1])  # noqa: B023
        gradient.square().sum().backward()
        first = next(discriminator.parameters())
        assert first.grad is not None
        assert first.grad.abs().sum() > 0


@pytest.mark.parametrize("model", choices("model"))
def test_nothing_squashes_the_logits(model: str) -> None:
    """Logits are linear in the last layer, which no sigmoid or tanh behind it would leave them."""
    norm = [] if model == "pacgan" else ["model.discriminator.normalization=none"]
    _, discriminator = networks(IMAGE, f"model={model}", *norm)
    real = inputs(IMAGE)[1]
    with torch.no_grad():
        discriminator.output.bias.fill_(0.5)
        once = discriminator(real)
        for parameter in discriminator.output.parameters():
            parameter.mul_(-100)
        assert_close(discriminator(real), -100 * once)
        assert once.abs().max() > 0.02


@pytest.mark.parametrize("inplace", [False, True])
def test_residual_inputs_stay_intact(inplace: bool) -> None:
    """What each block is given is the same after it; an in-place ReLU shows that this would be noticed."""
    torch.manual_seed(0)

    def activation() -> nn.Module:
        return nn.ReLU(inplace=inplace)

    networks = (
        ResNetGenerator(5, IMAGE, activation, width=4, normalization="none"),
        ResNetDiscriminator(IMAGE, activation, width=4, normalization="none"),
    )
    for network, x in zip(networks, inputs(IMAGE), strict=True):
        given: list[tuple[Tensor, Tensor]] = []
        intact: list[bool] = []
        for block in network.blocks:
            block.register_forward_pre_hook(lambda module, args: given.append((args[0], args[0].clone())))  # noqa: B023
            block.register_forward_hook(lambda module, args, out: intact.append(torch.equal(*given[-1])))  # noqa: B023
        with torch.no_grad():
            network(x)
        assert len(intact) == len(network.blocks)
        assert all(intact) == (not inplace)


def test_maxout_and_packing_against_their_formulas() -> None:
    torch.manual_seed(0)
    network = MaxoutDiscriminator((2,), width=3, depth=1, pieces=4, packing=2)
    x = torch.randn(6, 2)
    packed = torch.stack([torch.cat([x[0], x[1]]), torch.cat([x[2], x[3]]), torch.cat([x[4], x[5]])])
    layer = network.hidden[0]
    maps = packed @ layer.weight.T + layer.bias
    units = torch.stack([maps[:, 4 * k : 4 * k + 4].max(dim=1).values for k in range(3)], dim=1)
    expected = (units @ network.output.weight.T + network.output.bias)[:, 0]
    assert_close(network(x), expected)
    with pytest.raises(ConfigurationError, match="batch_size must be a multiple of"):
        network(x[:5])


def test_upsamplings() -> None:
    assert [num_upsamples((1, s, s)) for s in (8, 128, 28, 112)] == [(4, 1), (4, 5), (7, 2), (7, 4)]
