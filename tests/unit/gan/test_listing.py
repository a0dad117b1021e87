"""Sites of networks from elsewhere, in words."""

import torch
from torch import nn

from gan_lab.gan import OwnDiscriminator
from gan_lab.gan.listing import describe_fate, describe_output, is_named, summarize_calls
from gan_lab.gan.sites import Call
from tests.helpers import own_networks as nets


def call(name: str, kind: str = "relu", where: str = "", **more: object) -> Call:
    return Call(name, kind, name, not where, False, (4, 6), where, **more)  # type: ignore[arg-type]


def test_a_name_is_that_of_a_site_or_of_a_module_around_it() -> None:
    assert is_named(call("block2.activation"), ["block2"])
    assert is_named(call("block2.activation-2"), ["block2.activation"])
    assert is_named(call("block2.activation-2"), ["block2.activation#2"])
    assert not is_named(call("block22.activation"), ["block2"])
    assert not is_named(call("block2"), ["block2.activation"])


def test_one_line_says_what_is_swapped_and_what_is_kept() -> None:
    calls = [
        call("relu", where="nets.py:3", action="swap", gain=2**0.5),
        call("gate", "sigmoid", role="gate"),
        call("act", role="hidden"),
        call("last", "sigmoid", role="output", action="strip"),
    ]
    assert summarize_calls("D", calls, ["a note"], as_written=False) == (
        "D, swaps 1 of 4 sites: relu [nets.py:3] x 1.414; keeps gate (sigmoid, gate), act (relu, as asked); "
        "leaves out last (sigmoid), because the losses take logits; a note"
    )
    assert summarize_calls("D", calls[:1], [], as_written=True) == (
        "D as written, 1 site, outputs and gradients checked to the bit: relu [nets.py:3] x 1.414"
    )
    fates = [describe_fate(c, as_written=False) for c in calls]
    expected = ["swapped, then x 1.414", "kept: sigmoid, gate", "kept: relu, as asked"]
    expected.append("left out: the losses take logits")
    assert fates == expected


def test_gains_and_lines_of_a_network_are_found() -> None:
    summary = OwnDiscriminator((2,), nn.ELU, nets.EqualisedRates()).summary()
    assert "x 1.414" in summary
    assert "own_networks.py:" in summary


def test_what_a_network_returned_is_described() -> None:
    x = torch.zeros(4, 1)
    assert describe_output((x, [x.T], {"a": None})) == (
        "a tuple of a tensor (4, 1), a list of a tensor (1, 4), a dict of 'a': a NoneType"
    )
    assert describe_output(()) == "a tuple of nothing"
