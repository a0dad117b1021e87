"""The declared facts against published values, against samples and against autograd; what samples show."""

import json
import math
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import hardswish

from gan_lab.atlas.choices import ActivationQuery, build_spec
from gan_lab.atlas.declared import declared_facts
from gan_lab.atlas.describe import Description, find_facts
from gan_lab.atlas.facts import Facts, Interval
from gan_lab.atlas.sampled import GRID, Samples
from gan_lab.atlas.table import data, interval
from gan_lab.gan.initialization import second_moment_gain
from tests.helpers.experiments import choices

NAMES = choices("activation")
PHI = NormalDist().cdf

# A table that was computed without the atlas; snake and shifted_softplus from their derivatives
# 1 + sin(2x) and sigmoid(2x + 2).
# name: range, derivative, its kinks, smoothness, Lipschitz, monotone, calculate_gain, gain_fwd, gain_bwd
PUBLISHED: dict[str, tuple[Any, ...]] = {
    "sigmoid": ("(0, 1)", "(0, 0.25]", (), "Cinf", 0.25, True, 1, 1.846, 4.723),
    "tanh": ("(-1, 1)", "(0, 1]", (), "Cinf", 1, True, 5 / 3, 1.593, 1.467),
    "relu": ("[0, inf)", "{0, 1}", (0,), "C0", 1, True, math.sqrt(2), 1.414, 1.414),
    "leaky_relu": ("(-inf, inf)", "{0.2, 1}", (0,), "C0", 1, True, 1.3868, 1.3868, 1.3868),
    "prelu": ("(-inf, inf)", "{0.25, 1}", (0,), "C0", 1, True, None, 1.372, 1.372),
    "elu": ("(-1, inf)", "(0, 1]", (), "C1", 1, True, None, 1.245, 1.223),
    "selu": ("(-1.76, inf)", "(0, 1.76]", (0,), "C0", 1.75810, True, 3 / 4, 1.000, 0.966),
    "celu": ("(-1, inf)", "(0, 1]", (), "C1", 1, True, None, 1.245, 1.223),
    "gelu": ("[-0.17, inf)", "[-0.129, 1.13]", (), "Cinf", 1.1289, False, None, 1.534, 1.481),
    "silu": ("[-0.278, inf)", "[-0.0998, 1.1]", (), "Cinf", 1.0998, False, None, 1.677, 1.623),
    "mish": ("[-0.309, inf)", "[-0.113, 1.09]", (), "Cinf", 1.0885, False, None, 1.487, 1.445),
    "softplus": ("(0, inf)", "(0, 1)", (), "Cinf", 1, True, None, 1.042, 1.846),
    "softsign": ("(-1, 1)", "(0, 1]", (), "C1", 1, True, None, 2.338, 2.096),
    "hardswish": ("[-0.375, inf)", "(-0.5, 1.5)", (-3, 3), "C0", 1.5, False, None, 1.737, 1.670),
    "identity": ("(-inf, inf)", "{1}", (), "Cinf", 1, True, 1, 1, 1),
    "snake": ("(-inf, inf)", "[0, 2]", (), "Cinf", 2, True, None, None, None),
    "shifted_softplus": ("(-1, inf)", "(0, 1)", (), "Cinf", 1, True, None, None, None),
}
# Parameters beside the defaults.
SETTINGS = {
    "elu": ["alpha=0.5", "alpha=2"],
    "celu": ["alpha=0.5", "alpha=2"],
    "leaky_relu": [f"negative_slope={a}" for a in (-0.5, 0, 0.01, 1, 3)],
    "prelu": [f"init={a}" for a in (-0.5, 0, 1)],
    "softplus": ["beta=0.5", "beta=3"],
    "snake": ["alpha=0.5", "alpha=3", "trainable=true"],
    "gelu": ["approximate=tanh"],
}
CASES = [(name, "") for name in NAMES] + [(name, word) for name, words in SETTINGS.items() for word in words]
every_case = pytest.mark.parametrize(("name", "setting"), CASES, ids=lambda word: str(word) or "default")


@cache
def build(name: str, setting: str = "") -> nn.Module:
    overrides = (f"activation.{setting}",) if setting else ()
    return build_spec(ActivationQuery(name, overrides), None).module


@cache
def sampled(name: str, setting: str) -> Samples:
    return Samples(build(name, setting))


def declared(name: str, setting: str = "") -> Facts:
    facts = declared_facts(build(name, setting))
    assert facts is not None
    return facts


class Custom(nn.Module):
    def __init__(self, f: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_has_the_published_facts(name: str) -> None:
    range_, derivative, kinks, smoothness, lipschitz, monotone, calculated, forward, backward = PUBLISHED[
        name
    ]
    facts = find_facts(build(name))
    assert (interval(facts.range), interval(facts.derivative)) == (range_, derivative)
    assert (facts.kinks, facts.jumps, facts.smoothness) == (kinks, (), smoothness)
    assert facts.monotone is monotone
    assert facts.lipschitz == pytest.approx(lipschitz, abs=6e-5)
    assert facts.calculate_gain == (None if calculated is None else pytest.approx(calculated, abs=5e-5))
    assert facts.gain_fwd == pytest.approx(forward or facts.gain_fwd, abs=6e-4)
    assert facts.gain_bwd == pytest.approx(backward or facts.gain_bwd, abs=6e-4)
    assert facts.parameters == (1 if name == "prelu" else 0)
    assert (facts.notes, facts.sampled_on) == ((), None)
    assert facts.source


def check_interval(bounds: Interval | None, grid: np.ndarray, far: np.ndarray, smooth: np.ndarray) -> None:
    """Assert that samples lie in an interval, and that each end is what its bracket says."""
    assert bounds is not None
    if bounds.values:
        assert set(grid[1::2].round(9)) == {round(value, 9) for value in bounds.values}
    check_end(bounds.low, "[" in bounds.brackets, grid, far, smooth)
    check_end(-bounds.high, "]" in bounds.brackets, -grid, -far, smooth)


def check_end(low: float, attained: bool, grid: np.ndarray, far: np.ndarray, smooth: np.ndarray) -> None:
    """The lower end. That an open one is no value shows on [-5, 5]: in float64 sigmoid(-800) is 0."""
    lowest = min(grid.min(), far.min())
    if math.isinf(low):
        assert lowest < -1e5
    else:
        assert low - 1e-9 * max(1.0, np.abs(grid).max()) <= lowest <= low + 1e-3
        if attained:
            assert grid.min() == pytest.approx(low, abs=1e-6)
        else:
            assert grid[smooth & (np.abs(GRID) <= 5)].min() > low


@every_case
def test_values_and_derivatives_fill_the_declared_intervals(name: str, setting: str) -> None:
    facts, samples = declared(name, setting), sampled(name, setting)
    far = np.concatenate([-(10.0 ** np.arange(8, 1, -0.25)), 10.0 ** np.arange(2, 8.25, 0.25)])
    smooth = ~np.isin(GRID, facts.kinks or ())  # at a kink autograd has one of many slopes
    assert samples.slopes is not None
    check_interval(facts.range, samples.values, samples.value(far), smooth)
    check_interval(facts.derivative, samples.slopes, samples.slope(far), smooth)


@every_case
def test_samples_agree_on_monotonicity_kinks_and_jumps(name: str, setting: str) -> None:
    facts, observed = declared(name, setting), sampled(name, setting).observed_facts()
    assert (facts.monotone, facts.kinks, facts.jumps) == (observed.monotone, observed.kinks, observed.jumps)
    assert facts.lipschitz == pytest.approx(observed.lipschitz, rel=1e-3)


@every_case
def test_second_derivatives_jump_as_declared(name: str, setting: str) -> None:
    facts, module = declared(name, setting), deepcopy(build(name, setting)).double().requires_grad_(False)
    x = torch.linspace(-12, 12, 2**15, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(module(x.clone()).sum(), x, create_graph=True)
    second = torch.autograd.grad(slope.sum(), x)[0] if slope.requires_grad else torch.zeros_like(x)
    jumps = second.diff().abs().max().item() > 0.1
    if facts.kinks:
        assert facts.smoothness == "C0"
    else:
        assert facts.smoothness == ("C1" if jumps else "Cinf")


def elu_moment(a: float, rate: float = 1.0) -> float:
    """E f(z)² of x for x > 0, else a (exp(x / rate) - 1); below 0, E exp(k z) is exp(k²/2) Phi(-k)."""
    k = 1 / rate
    return 1 / 2 + a**2 * (math.exp(2 * k**2) * PHI(-2 * k) - 2 * math.exp(k**2 / 2) * PHI(-k) + 1 / 2)


def elu_slope_moment(a: float, rate: float = 1.0) -> float:
    return 1 / 2 + (a / rate) ** 2 * math.exp(2 / rate**2) * PHI(-2 / rate)


def snake_moments(a: float) -> tuple[float, float]:
    """From E cos(k z) = exp(-k²/2)."""
    sin4 = 3 / 8 - math.exp(-2 * a**2) / 2 + math.exp(-8 * a**2) / 8
    return 1 + sin4 / a**2, 1 + (1 - math.exp(-8 * a**2)) / 2


SELU = 1.0507009873554805, 1.6732632423543772
MOMENTS: list[tuple[str, str, float, float]] = [
    ("identity", "", 1, 1),
    ("relu", "", 1 / 2, 1 / 2),
    *[("leaky_relu", f"negative_slope={a}", (1 + a**2) / 2, (1 + a**2) / 2) for a in (-0.5, 0.01, 3)],
    ("prelu", "init=-0.5", 5 / 8, 5 / 8),
    *[("elu", f"alpha={a}", elu_moment(a), elu_slope_moment(a)) for a in (0.5, 1, 2)],
    *[("celu", f"alpha={a}", elu_moment(a, a), elu_slope_moment(a, a)) for a in (0.5, 1, 2)],
    ("selu", "", SELU[0] ** 2 * elu_moment(SELU[1]), SELU[0] ** 2 * elu_slope_moment(SELU[1])),
    *[("snake", f"alpha={a}", *snake_moments(a)) for a in (0.5, 1, 3)],
    # By parts: E z² Phi² = E Phi² + 2 E z Phi phi = 1/3 + E phi² = 1/3 + 1 / (2 pi sqrt(3)).
    ("gelu", "", 1 / 3 + 1 / (2 * math.pi * math.sqrt(3)), 1.481**-2),
]


@pytest.mark.parametrize(("name", "setting", "moment", "slope_moment"), MOMENTS)
def test_gains_are_those_of_the_formulas(name: str, setting: str, moment: float, slope_moment: float) -> None:
    facts = find_facts(build(name, setting))
    assert facts.gain_fwd == pytest.approx(moment**-0.5, rel=1e-6)
    assert facts.gain_bwd == pytest.approx(slope_moment**-0.5, rel=1e-3 if name == "gelu" else 1e-6)


@every_case
def test_the_forward_gain_is_the_one_that_matched_initialization_uses(name: str, setting: str) -> None:
    module = build(name, setting)
    assert find_facts(module).gain_fwd == pytest.approx(second_moment_gain(module), rel=1e-6)


def test_means_are_those_of_the_formulas() -> None:
    means = {
        "relu": 1 / math.sqrt(2 * math.pi),
        "sigmoid": 1 / 2,
        "tanh": 0,
        "softsign": 0,
        "identity": 0,
        "selu": 0,
    }
    means["snake"] = (1 - math.exp(-2)) / 2
    means["gelu"] = 1 / (2 * math.sqrt(math.pi))
    means["elu"] = 1 / math.sqrt(2 * math.pi) + math.exp(0.5) * PHI(-1) - 1 / 2
    for name, mean in means.items():
        assert find_facts(build(name)).mean == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(
    "module",
    [
        nn.ELU(-1.0),  # Bounded below by 0, which the formula for a > 0 is not.
        nn.CELU(-1.0),
        nn.Softplus(beta=-1.0),
        nn.Softplus(threshold=1),  # Jumps where torch goes over to the identity.
        nn.PReLU(4),
        type("Child", (nn.SiLU,), {})(),  # May do something else.
    ],
)
def test_nothing_is_declared_beyond_what_the_formulas_are_true_for(module: nn.Module) -> None:
    assert declared_facts(module) is None
    assert find_facts(module).source is None


# name, module, what shows on [-16, 16] of range and derivative, Lipschitz constant, monotone, kinks, jumps
OBSERVED: list[tuple[str, nn.Module, str, str, float, bool, tuple[float, ...], tuple[float, ...]]] = [
    ("sin", Custom(torch.sin), "[-1, 1]", "[-1, 1]", 1, False, (), ()),
    ("fast sine", Custom(lambda x: (500 * x).sin()), "[-1, 1]", "[-500, 500]", 500, False, (), ()),
    ("square", Custom(torch.square), "[0, 256]", "[-32, 32]", 32, False, (), ()),
    ("exp", Custom(torch.exp), "[1.13e-07, 8.89e+06]", "[1.13e-07, 8.89e+06]", math.exp(16), True, (), ()),
    ("bell", Custom(lambda x: 1 - (-x * x).exp()), "[0, 1]", "[-0.858, 0.858]", 0.857764, False, (), ()),
    ("relu6", nn.ReLU6(), "[0, 6]", "{0, 1}", 1, True, (0, 6), ()),
    ("hardsigmoid", nn.Hardsigmoid(), "[0, 1]", "{0, 0.167}", 1 / 6, True, (-3, 3), ()),
    ("abs", Custom(torch.abs), "[0, 16]", "{-1, 1}", 1, False, (0,), ()),
    ("falling", Custom(torch.neg), "[-16, 16]", "{-1}", 1, True, (), ()),
    ("constant", Custom(lambda x: 0 * x + 3), "{3}", "{0}", 0, True, (), ()),
    ("steep", Custom(lambda x: (1e6 * x).sigmoid()), "[0, 1]", "[0, 2.5e+05]", 2.5e5, True, (), ()),
    ("small", Custom(lambda x: 1e-6 * x.tanh()), "[-1e-06, 1e-06]", "[5.06e-20, 1e-06]", 1e-6, True, (), ()),
    ("in place", nn.Threshold(0, 0, inplace=True), "[0, 16]", "{0, 1}", 1, True, (0,), ()),
    ("float32 inside", Custom(lambda x: x.float().tanh()), "[-1, 1]", "[0, 1]", 1, True, (), ()),
    ("shifted", Custom(lambda x: hardswish(x + 0.3)), "[-0.375, 16.3]", "[-0.5, 1.5]", 1.5, False, (-3.3, 2.7), ()),  # noqa: E501
    ("sign", Custom(torch.sign), "{-1, 1}", "{0}", math.inf, True, (), (0,)),
    ("hardshrink", nn.Hardshrink(), "[-16, 16]", "{0, 1}", math.inf, True, (-0.5, 0.5), (-0.5, 0.5)),
    ("step", Custom(lambda x: x + (x > 1.7)), "[-16, 17]", "{1}", math.inf, True, (), (1.7,)),
]  # fmt: skip


@pytest.mark.parametrize("case", OBSERVED, ids=lambda case: case[0])
def test_other_functions_are_observed_on_the_grid(case: tuple[Any, ...]) -> None:
    _, module, range_, derivative, lipschitz, monotone, kinks, jumps = case
    facts = find_facts(module)
    assert (facts.sampled_on, facts.source, facts.smoothness) == ((-16, 16), None, None)
    assert (interval(facts.range), interval(facts.derivative)) == (range_, derivative)
    assert facts.lipschitz == pytest.approx(lipschitz, rel=1e-4)
    assert (facts.monotone, facts.kinks, facts.jumps) == (monotone, kinks, jumps)
    assert bool(facts.notes) is bool(jumps)


def test_many_jumps_are_one_note() -> None:
    facts = find_facts(Custom(lambda x: x - x.floor()))
    assert facts.notes == ("jumps at many places",)
    assert facts.lipschitz == math.inf
    assert (interval(facts.derivative), facts.kinks) == ("{1}", ())


@pytest.mark.parametrize(
    ("module", "note", "range_", "gain"),
    [
        (Custom(torch.sqrt), "not finite at x = -0.000488", "?", None),
        (Custom(lambda x: x + torch.randn_like(x)), "it is random", "?", None),
        (nn.Softmax(-1), "it does not work element by element", "?", None),
        (nn.PReLU(4), "in float64: RuntimeError", "?", None),
        (Custom(torch.detach), "derivative: autograd has none", "[-16, 16]", 1),
        (Custom(lambda x: x.abs().sqrt()), "derivative: not finite at x = 0", "[0, 4]", 1.1195),
        (Custom(lambda x: x + (x.sign() - x).detach()), "not the function's slope", "{-1, 1}", 1),
    ],
    ids=["nan", "random", "softmax", "channels", "detached", "cusp", "straight-through"],
)
def test_what_samples_do_not_show_is_a_question_mark(
    module: nn.Module, note: str, range_: str, gain: float | None
) -> None:
    facts = find_facts(module)
    assert interval(facts.range) == range_
    assert interval(facts.derivative) == "?"
    assert facts.gain_fwd == (None if gain is None else pytest.approx(gain, abs=2e-3))
    assert facts.gain_bwd is None
    assert any(note in sentence for sentence in facts.notes)
    json.dumps(data(Description("custom", None, "", {}, facts, None)), allow_nan=False)


def test_gains_stay_out_of_what_has_no_second_moment() -> None:
    assert find_facts(Custom(torch.tan)).gain_fwd is None
    assert find_facts(Custom(lambda x: 0 * x)).gain_fwd is None
    assert find_facts(Custom(lambda x: (x * x / 3).exp())).gain_fwd is None


def test_randomness_in_training_is_a_note() -> None:
    module = nn.RReLU()
    facts = find_facts(module)
    assert any("random in training" in note for note in facts.notes)
    assert interval(facts.derivative) == "{0.229, 1}"  # The mean of 1/8 and 1/3.
    assert module.training
