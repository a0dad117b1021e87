"""The facts of the activations that gan-lab ships, declared by formula for all their parameters.

Numbers without a formula are roots, solved to 16 digits. A row returns None for parameters that it is not
true for, and such an activation is sampled like any other.
"""

from collections.abc import Callable
from math import erf, exp, inf, isfinite, pi, sqrt
from typing import Any

from torch import nn
from torch.nn.init import calculate_gain

from gan_lab.atlas.facts import Facts, Interval
from gan_lab.gan import ShiftedSoftplus, Snake


def declared_facts(activation: nn.Module) -> Facts | None:
    """Return what is declared of exactly this type with these parameters, None if nothing is."""
    row = _TABLE.get(type(activation))
    return row(activation) if callable(row) else row


def _row(
    range: str,
    derivative: str,
    smoothness: str,
    source: str,
    *,
    monotone: bool = True,
    kinks: tuple[float, ...] = (),
    gain: float | None = None,
) -> Facts:
    """Facts; ``gain`` is that of `torch.nn.init.calculate_gain`, if it has one."""
    intervals = Interval.parse(range), Interval.parse(derivative)
    return Facts(*intervals, monotone, smoothness, kinks, (), calculate_gain=gain, source=source)


def _leaky(a: float, source: str, gain: float | None = None) -> Facts | None:
    """x for x > 0, else a x: bounded below by 0 if a is not above 0."""
    if not isfinite(a):
        return None
    kinks, smoothness = ((), "Cinf") if a == 1 else ((0.0,), "C0")
    range = "(-inf, inf)" if a > 0 else "[0, inf)"
    return _row(range, f"{{{a}, 1}}", smoothness, source, monotone=a >= 0, kinks=kinks, gain=gain)


def _elu(a: float) -> Facts | None:
    """x for x > 0, else a (exp(x) - 1): to the left of 0 the derivative is a exp(x), up to a."""
    kinks, smoothness = ((), "C1") if a == 1 else ((0.0,), "C0")
    row = _row(f"({-a}, inf)", f"(0, {max(a, 1)}]", smoothness, "Clevert et al. 2016", kinks=kinks)
    return row if 0 < a < inf else None


def _celu(a: float) -> Facts | None:
    """x for x > 0, else a (exp(x / a) - 1): the derivative exp(x / a) is 1 at 0 for every a."""
    return _row(f"({-a}, inf)", "(0, 1]", "C1", "Barron 2017") if 0 < a < inf else None


def _gelu(approximate: str) -> Facts:
    """x Phi(x): the derivative Phi(x) + x phi(x) is largest at sqrt(2), and f'(-x) = 1 - f'(x)."""
    low, slope = -0.16997120747990366, 1 / 2 + erf(1) / 2 + exp(-1) / sqrt(pi)
    if approximate == "tanh":  # (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 in the place of Phi(x)
        low, slope = -0.17004075057125405, 1.1289930686587718
    slopes = f"[{1 - slope}, {slope}]"
    return _row(f"[{low}, inf)", slopes, "Cinf", "Hendrycks and Gimpel 2016", monotone=False)


def _softplus(beta: float, threshold: float) -> Facts | None:
    """log(1 + exp(beta x)) / beta with derivative sigmoid(beta x).

    Torch returns x itself where beta x > threshold: from 20 on that is within 3e-9 / beta of the formula.
    """
    row = _row("(0, inf)", "(0, 1)", "Cinf", "Dugas et al. 2001")
    return row if 0 < beta < inf and threshold >= 20 else None


_TABLE: dict[type[nn.Module], Facts | Callable[[Any], Facts | None]] = {
    nn.Identity: _row("(-inf, inf)", "{1}", "Cinf", "f' = 1", gain=calculate_gain("linear")),
    nn.Sigmoid: _row("(0, 1)", "(0, 0.25]", "Cinf", "f' = f (1 - f)", gain=calculate_gain("sigmoid")),
    nn.Tanh: _row("(-1, 1)", "(0, 1]", "Cinf", "f' = 1 - f^2", gain=calculate_gain("tanh")),
    # x / (1 + |x|), with derivative 1 / (1 + |x|)^2.
    nn.Softsign: _row("(-1, 1)", "(0, 1]", "C1", "Bergstra et al. 2009"),
    nn.ReLU: lambda f: _leaky(0.0, "Nair and Hinton 2010", calculate_gain("relu")),
    nn.LeakyReLU: lambda f: _leaky(
        f.negative_slope, "Maas et al. 2013", calculate_gain("leaky_relu", f.negative_slope)
    ),
    # With a slope per channel it is not one function.
    nn.PReLU: lambda f: _leaky(f.weight.item(), "He et al. 2015") if f.weight.numel() == 1 else None,
    nn.ELU: lambda f: _elu(f.alpha),
    nn.CELU: lambda f: _celu(f.alpha),
    # ELU of alpha 1.6732632423543772 times 1.0507009873554805, whose product is 1.7580993408473766.
    nn.SELU: _row(
        "(-1.7580993408473766, inf)",
        "(0, 1.7580993408473766]",
        "C0",
        "Klambauer et al. 2017",
        kinks=(0.0,),
        gain=calculate_gain("selu"),
    ),
    nn.Softplus: lambda f: _softplus(f.beta, f.threshold),
    # softplus(2 x + 2) / 2 - 1, with derivative sigmoid(2 x + 2).
    ShiftedSoftplus: _row("(-1, inf)", "(0, 1)", "Cinf", "Gulrajani et al. 2017"),
    # x + sin(a x)^2 / a, with derivative 1 + sin(2 a x).
    Snake: _row("(-inf, inf)", "[0, 2]", "Cinf", "Ziyin et al. 2020"),
    nn.GELU: lambda f: _gelu(f.approximate),
    # x sigmoid(x): smallest at -1 - w, where w exp(w) = 1 / e; f' is largest at 2.3994, f'(-x) = 1 - f'(x).
    nn.SiLU: _row(
        "[-0.2784645427610738, inf)",
        "[-0.099839320128866917, 1.099839320128867]",
        "Cinf",
        "Elfwing et al. 2018",
        monotone=False,
    ),
    # x tanh(softplus(x)): f is smallest at -1.1924, f' at -2.2564, and f' is largest at 1.4906.
    nn.Mish: _row(
        "[-0.3088434130172504, inf)",
        "[-0.11252612238946256, 1.0884981612517279]",
        "Cinf",
        "Misra 2019",
        monotone=False,
    ),
    # x (x + 3) / 6 on [-3, 3]: smallest at -3 / 2, with derivative (2 x + 3) / 6; outside f' is 0 or 1.
    nn.Hardswish: _row(
        "[-0.375, inf)", "(-0.5, 1.5)", "C0", "Howard et al. 2019", monotone=False, kinks=(-3.0, 3.0)
    ),
}
