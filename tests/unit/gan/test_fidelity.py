"""What tells whether a network with other activations is otherwise the one that its author wrote."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lab.gan import OwnDiscriminator
from gan_lab.gan.fidelity import in_place_is_visible, is_bit_equal, refuse_untrue_gradients
from gan_lab.gan.sites import Call, record
from gan_lab.gan.swapping import CallSites
from gan_lab.utils.errors import ConfigurationError
from tests.helpers import own_networks as nets


def recorded(network: nn.Module) -> tuple[list[Call], Tensor]:
    """List a network's calls, all of them to be swapped, and return its output."""
    listed = record(network, points(), {}, lambda out: out)
    for call in listed.calls:
        call.action = "swap"
    return listed.calls, listed.result


def points() -> Tensor:
    return torch.randn(4, 2, generator=torch.Generator().manual_seed(1))


def run(x: Tensor, network: nn.Module, caught: CallSites) -> Tensor:
    with caught.catching("discriminator"):
        out: Tensor = network(x)
        return out


@pytest.mark.parametrize(
    ("network", "visible"),
    [(nets.PreActivation, True), (nets.Methods, False), (nets.CalledTwice, False)],
)
def test_in_place_is_visible_where_a_shortcut_sees_it(network: type[nn.Module], visible: bool) -> None:
    made = network()
    assert in_place_is_visible(made, recorded(network())[0], points(), run) is visible


def test_in_place_that_is_visible_is_said() -> None:
    def summary(network: type[nn.Module]) -> str:
        return OwnDiscriminator((2,), nn.ELU, network()).summary()

    assert "shortcut" in summary(nets.PreActivation)
    assert "shortcut" not in summary(nets.Methods)


def test_bits_differ_if_in_place_is_lost() -> None:
    network = nets.PreActivation()
    calls, _ = recorded(nets.PreActivation())
    assert is_bit_equal(network, calls, points(), run, in_place=True)
    assert not is_bit_equal(network, calls, points(), run, in_place=False)


def test_a_network_that_gives_other_numbers_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Counting \(model.discriminator\) gives other numbers"):
        OwnDiscriminator((2,), nn.ELU, nets.Counting())


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (nets.Checkpointed, r"relu \(own_networks.py:\d+\) of Theirs .*second time in the backward"),
        (nets.OwnFunction, r"swish1.silu \(own_networks.py:\d+\) of Theirs .*gradients off"),
    ],
)
def test_gradients_that_would_be_others_are_refused(network: type[nn.Module], sentence: str) -> None:
    twin = network()
    calls, result = recorded(twin)
    with pytest.raises(ConfigurationError, match=sentence):
        refuse_untrue_gradients(twin, calls, result, name="Theirs", key="model.discriminator")
    options: dict[str, Any] = {"name": "Theirs", "key": "model.discriminator"}
    for call in calls:
        call.action = "keep"
    twin = network()
    refuse_untrue_gradients(twin, calls, twin(points()), **options)


def test_modules_inside_a_checkpoint_may_be_swapped() -> None:
    twin = nets.CheckpointedModules()
    calls, result = recorded(twin)
    refuse_untrue_gradients(twin, calls, result, name="Theirs", key="model.discriminator")
