"""Networks of the user's own: which sites are seen, what is put there, and what is refused."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from gan_lab.gan import R1, AsWritten, OwnDiscriminator, OwnGenerator
from gan_lab.gan.activations import activation_sites
from gan_lab.utils.errors import ConfigurationError
from tests.helpers import own_networks as nets

# network -> what is swapped, what is not, further keys
PATTERNS: dict[type[nn.Module], tuple[list[str], list[str], dict[str, Any]]] = {
    nets.SharedInstance: (["model.1", "model.3"], [], {}),
    nets.DefaultArgument: (["block1.activation", "block2.activation"], [], {}),
    nets.CalledTwice: (["activation", "activation-2"], [], {}),
    nets.Functional: (["relu", "leaky_relu"], [], {}),
    nets.Methods: (["relu", "tanh"], [], {}),
    nets.PreActivation: (["act1", "act2"], [], {}),
    nets.WithDropout: (["relu", "relu-2"], [], {}),
    nets.TupleOutput: (["relu", "leaky_relu"], [], {"output": 0}),
    nets.Dictionary: (["relu", "leaky_relu"], [], {"output": "logit"}),
    nets.SigmoidAtTheEnd: (["relu", "relu-2"], ["sigmoid"], {}),
    nets.OldSpectralNorm: (["relu", "leaky_relu"], [], {}),
    nets.OldWeightNorm: (["relu", "leaky_relu"], [], {}),
    nets.OwnSpectralNorm: (["relu", "leaky_relu"], [], {}),
    nets.CheckpointedModules: (["act1", "act2"], [], {}),
    nets.OwnFunction: (["swish1", "swish2"], [], {"swap": ["swish1", "swish2"]}),
    nets.OneSwish: (["swish1", "swish1-2"], [], {"swap": ["swish1"]}),
    nets.EqualisedRates: (["leaky_relu", "leaky_relu-2"], [], {}),
    nets.Gates: (["relu"], ["sigmoid"], {}),
    nets.Noise: (["relu", "relu-2"], [], {}),
    nets.LastActivation: (["relu"], ["leaky_relu"], {}),
    nets.Step: (["relu", "leaky_relu"], [], {"forward": {"step": 1}}),
}


def own(network: type[nn.Module], activation: Callable[..., nn.Module] = AsWritten, **options: Any) -> Any:
    torch.manual_seed(0)
    return OwnDiscriminator((2,), activation, network(), **options)


def points(rows: int = 8) -> Tensor:
    return torch.randn(rows, 2, generator=torch.Generator().manual_seed(1))


def run(network: Callable[..., Tensor], x: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    torch.manual_seed(2)
    out = network(x)
    weights = torch.linspace(-1, 2, len(out))
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    return [out, *torch.autograd.grad((weights * out).sum(), learned, allow_unused=True)]


@pytest.mark.parametrize("network", PATTERNS)
def test_as_written_is_the_network_to_the_bit(network: type[nn.Module]) -> None:
    options = PATTERNS[network][2]
    swapped = own(network, **options)
    torch.manual_seed(0)
    plain = network()

    def original(x: Tensor) -> Tensor:
        out = plain(x, **options.get("forward", {}))
        out = out[options["output"]] if "output" in options else out
        return (torch.logit(out) if network is nets.SigmoidAtTheEnd else out).view(-1)

    ours = run(swapped, points(), list(swapped.parameters()))
    theirs = run(original, points(), list(plain.parameters()))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if network is nets.SigmoidAtTheEnd:  # undone by hand
            torch.testing.assert_close(a, b)
        elif a is None or b is None:  # a layer that is not used
            assert a is b
        else:
            assert torch.equal(a, b)


@pytest.mark.parametrize("network", PATTERNS)
def test_every_site_has_an_instance_of_its_own(network: type[nn.Module]) -> None:
    names, kept, options = PATTERNS[network]
    swapped = own(network, nn.PReLU, **options)
    sites = dict(activation_sites(swapped))
    assert list(sites) == names
    assert len({id(site) for site in sites.values()}) == len(names)
    assert [call.name for call in swapped.calls if call.action != "swap"] == kept
    out = swapped(points())
    assert out.shape == (8,)
    (out.square().sum()).backward()
    for name, site in sites.items():
        assert site.weight.grad is not None, name
        assert site.weight.grad.abs() > 0, name
    assert R1()(swapped, points(), points(), points()).isfinite()


@pytest.mark.parametrize("network", PATTERNS)
def test_what_is_put_there_is_what_is_computed(network: type[nn.Module]) -> None:
    """With f = 0 behind the last site only the output's bias is left."""
    swapped = own(network, lambda: nn.Threshold(1e9, 0.0), **PATTERNS[network][2])
    out = swapped(points()).detach()
    torch.testing.assert_close(out, out[:1].expand_as(out))


def test_in_place_stays_in_place() -> None:
    swapped = own(nets.PreActivation, nn.ELU)
    n, x = deepcopy(swapped.network), points()
    h = nn.functional.elu(n.fc1(x))
    expected = n.out(nn.functional.elu(h + n.fc2(h))).view(-1)
    torch.testing.assert_close(swapped(x), expected)


def test_instances_of_all_seeds_run_under_vmap() -> None:
    networks = [own(nets.Functional, nn.PReLU) for _ in range(3)]
    x = torch.stack([points() + k for k in range(3)])
    state = stack_module_state(networks)
    together = vmap(lambda state, x: functional_call(networks[0], state, (x,)))(state, x)
    for k in range(3):
        torch.testing.assert_close(together[k], networks[k](x[k]))


def test_parameters_that_are_not_learned_are_state() -> None:
    swapped, plain = own(nets.OwnSpectralNorm, nn.ELU), nets.OwnSpectralNorm()
    assert all(parameter.requires_grad for parameter in swapped.parameters())
    assert {name.removeprefix("network.") for name in swapped.state_dict()} == set(plain.state_dict())
    before = swapped.network.fc1.layer.weight_u.clone()
    swapped.eval()
    assert torch.equal(swapped(points()), swapped(points()))
    assert torch.equal(swapped.network.fc1.layer.weight_u, before)
    swapped.train()(points())
    assert not torch.equal(swapped.network.fc1.layer.weight_u, before)


def test_weights_keep_their_authors_names() -> None:
    for network in (nets.Functional, nets.SharedInstance):
        names = {name.removeprefix("network.") for name in own(network, nn.ELU).state_dict()}
        assert names == set(network().state_dict())


def test_keys_keep_swap_and_place() -> None:
    for keep in (["leaky_relu"], "leaky_relu"):
        kept = own(nets.Functional, nn.ELU, keep=keep)
        assert list(kept.sites()) == ["relu"]
    forced = own(nets.Gates, nn.ELU, swap=["sigmoid"])
    assert list(forced.sites()) == ["sigmoid", "relu"]
    mixed = own(nets.DefaultArgument, nn.ELU, at={"block2": nn.Tanh})
    assert [type(site) for site in mixed.sites().values()] == [nn.ELU, nn.Tanh]


@pytest.mark.parametrize(
    ("network", "options", "sentence"),
    [
        (nets.ByHand, {}, r"no activation to swap in ByHand .*clamp at own_networks.py:\d+"),
        (
            nets.TupleOutput,
            {},
            r"a tuple of a tensor \(4, 1\), a tensor \(4, 6\): model.discriminator.output",
        ),
        (nets.TupleOutput, {"output": 2}, r"output=2 names no part"),
        (
            nets.SharedInstance,
            {"swap": ["model.0"]},
            r"model.discriminator.swap names model.0, which is no activation: Linear is a layer of its own; "
            r"there are model.1, model.3$",
        ),
        (nets.SharedInstance, {"swap": ["model"]}, r"swap names model, which .*: Sequential makes 1 of 2; "),
        (nets.TupleOutput, {"output": 1}, r"makes \(4, 6\) of 4 samples, and must make one number"),
        (
            nets.Labels,
            {},
            r"Labels needs more than gan-lab gives it, 'labels': .*model.discriminator.forward",
        ),
        (nets.Functional, {"keep": ["blok"]}, r"keep names blok, .*there are relu, leaky_relu"),
        (nets.Functional, {"at": {"blok": nn.ELU}}, r"at names blok"),
        (
            nets.Functional,
            {"keep": ["relu"], "at": {"relu": nn.ELU}},
            r"at names relu, where nothing is swapped; swapped are leaky_relu$",
        ),
        (nets.Latent, {}, r"Latent cannot take inputs of shape \(2,\) \(dataset.size"),
    ],
)
def test_what_cannot_be_swapped_is_refused(network: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        own(network, nn.ELU, **options)


def test_places_of_their_own_need_another_activation_than_as_written() -> None:
    with pytest.raises(ConfigurationError, match="activation=as_written leaves all as they are"):
        own(nets.Functional, at={"relu": nn.ELU})


def test_a_packing_that_the_network_does_not_have_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"one number for 2 samples, as model.discriminator.packing=2"
    ):
        own(nets.Functional, nn.ELU, packing=2)


def test_a_network_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match=r"model.discriminator.network must hold the _target_"):
        OwnDiscriminator((2,), nn.ELU, None)


def test_other_calls_than_were_listed() -> None:
    moody = own(nets.Moody, nn.ELU)
    assert moody(points()).shape == (8,)
    with pytest.raises(ConfigurationError, match=r"the discriminator does not call .*relu-2 is missing"):
        moody.eval()(points())


def test_a_generator_maps_latents_to_the_shape_of_the_data() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.out = nn.Conv2d(4, 6, 1), nn.Linear(6, 16)

        def forward(self, z: Tensor) -> Tensor:
            return torch.sigmoid(self.out(torch.relu(self.fc(z)).flatten(1)))

    flat = OwnGenerator(4, (1, 4, 4), nn.ELU, Flat(), latent_shape=[4, 1, 1])
    images = flat(torch.randn(64, 4))
    assert images.shape == (64, 1, 4, 4)
    assert images.min() < -0.2
    assert images.abs().max() <= 1
    with pytest.raises(ConfigurationError, match=r"shape \(16,\), and those of the data are \(1, 8, 8\)"):
        OwnGenerator(4, (1, 8, 8), nn.ELU, Flat(), latent_shape=[4, 1, 1])
    with pytest.raises(
        ConfigurationError, match=r"or of its forward \(model.generator.forward: step, scale\)"
    ):
        OwnGenerator(2, (4,), nn.ELU, nets.Growing())
    with pytest.raises(ConfigurationError, match=r"latent_shape must hold model.latent_size=4 numbers"):
        OwnGenerator(4, (1, 4, 4), nn.ELU, Flat(), latent_shape=[5])
