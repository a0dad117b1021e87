"""The atlas against a table that was computed without it, and against functions made to mislead it."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import hardswish

from gan_lab import atlas
from gan_lab.atlas.plot import draw
from gan_lab.atlas.table import data, interval, number
from gan_lab.utils.errors import ConfigurationError, GanLabError
from tests.helpers.experiments import choices

Cli = Callable[..., tuple[int, str, str]]
NAMES = choices("activation")
CPU = torch.device("cpu")

# evidence.md, section 5; snake and shifted_softplus from their derivatives 1 + sin(2x) and sigmoid(2x + 2).
# name: range, derivative, its kinks, Lipschitz, monotone, calculate_gain, gain_fwd, gain_bwd
TABLE: dict[str, tuple[Any, ...]] = {
    "sigmoid": ("(0, 1)", "(0, 0.25]", (), 0.25, True, 1, 1.846, 4.723),
    "tanh": ("(-1, 1)", "(0, 1]", (), 1, True, 5 / 3, 1.593, 1.467),
    "relu": ("[0, inf)", "{0, 1}", (0,), 1, True, math.sqrt(2), 1.414, 1.414),
    "leaky_relu": ("(-inf, inf)", "{0.2, 1}", (0,), 1, True, 1.3868, 1.3868, 1.3868),
    "prelu": ("(-inf, inf)", "{0.25, 1}", (0,), 1, True, None, 1.372, 1.372),
    "elu": ("(-1, inf)", "(0, 1]", (), 1, True, None, 1.245, 1.223),
    "selu": ("(-1.76, inf)", "(0, 1.76]", (0,), 1.75810, True, 3 / 4, 1.000, 0.966),
    "celu": ("(-1, inf)", "(0, 1]", (), 1, True, None, 1.245, 1.223),
    "gelu": ("[-0.17, inf)", "[-0.129, 1.13]", (), 1.1289, False, None, 1.534, 1.481),
    "silu": ("[-0.278, inf)", "[-0.0998, 1.1]", (), 1.0998, False, None, 1.677, 1.623),
    "mish": ("[-0.309, inf)", "[-0.113, 1.09]", (), 1.0885, False, None, 1.487, 1.445),
    "softplus": ("(0, inf)", "(0, 1)", (), 1, True, None, 1.042, 1.846),
    "softsign": ("(-1, 1)", "(0, 1]", (), 1, True, None, 2.338, 2.096),
    "hardswish": ("[-0.375, inf)", "(-0.5, 1.5)", (-3, 3), 1.5, False, None, 1.737, 1.670),
    "identity": ("(-inf, inf)", "{1}", (), 1, True, 1, 1, 1),
    "snake": ("(-inf, inf)", "[0, 2]", (), 2, True, None, None, math.sqrt(2 / (3 - math.exp(-8)))),
    "shifted_softplus": ("(-1, inf)", "(0, 1)", (), 1, True, None, None, None),
}
# The same source, where it has more digits than three.
DIGITS = {
    "gelu": (-0.16997, -0.12890, 1.12890),
    "silu": (-0.27846, -0.09984, 1.09984),
    "mish": (-0.30884, -0.11253, 1.08850),
    "selu": (-1.75810, 0, 1.75810),
    "hardswish": (-0.375, -0.5, 1.5),
}


def look(name: str, *overrides: str) -> atlas.Facts:
    return atlas.facts(atlas.choose(atlas.Request(name, overrides), None).module)


class Own(nn.Module):
    def __init__(self, f: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


class OnceDifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (x > 0)


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_has_the_published_facts(name: str) -> None:
    range_, slope, kinks, lipschitz, monotone, calculated, forward, backward = TABLE[name]
    found = look(name)
    assert (interval(found.range), interval(found.slope)) == (range_, slope)
    assert found.kinks == kinks
    assert found.jumps == ()
    assert found.monotone is monotone
    assert found.lipschitz == pytest.approx(lipschitz, abs=6e-5)
    assert found.gain_calculated == (None if calculated is None else pytest.approx(calculated, abs=5e-5))
    if forward is not None:
        assert found.gain_forward == pytest.approx(forward, abs=6e-4)
    if backward is not None:
        assert found.gain_backward == pytest.approx(backward, abs=6e-4)
    assert found.parameters == (1 if name == "prelu" else 0)
    assert found.notes == ()


@pytest.mark.parametrize("name", DIGITS)
def test_bounds_have_the_digits_of_the_table(name: str) -> None:
    found = look(name)
    assert found.range is not None
    assert found.slope is not None
    assert (found.range.low, found.slope.low, found.slope.high) == pytest.approx(DIGITS[name], abs=6e-6)


@pytest.mark.parametrize(
    ("name", "override", "range_", "slope", "lipschitz"),
    [
        ("elu", "activation.alpha=0.5", "(-0.5, inf)", "(0, 1]", 1),
        ("elu", "activation.alpha=2", "(-2, inf)", "(0, 2]", 2),
        ("celu", "activation.alpha=2", "(-2, inf)", "(0, 1]", 1),
        ("celu", "activation.alpha=0.5", "(-0.5, inf)", "(0, 1]", 1),
        ("leaky_relu", "activation.negative_slope=0.01", "(-inf, inf)", "{0.01, 1}", 1),
        ("leaky_relu", "activation.negative_slope=3", "(-inf, inf)", "{1, 3}", 3),
        ("prelu", "activation.init=-0.5", "[0, inf)", "{-0.5, 1}", 1),
        ("prelu", "activation.init=0", "[0, inf)", "{0, 1}", 1),
        ("snake", "activation.alpha=3", "(-inf, inf)", "[0, 2]", 2),
        ("softplus", "activation.beta=3", "(0, inf)", "(0, 1)", 1),
    ],
)
def test_what_the_article_says_wrongly_and_other_parameters(
    name: str, override: str, range_: str, slope: str, lipschitz: float
) -> None:
    found = look(name, override)
    assert (interval(found.range), interval(found.slope)) == (range_, slope)
    assert found.lipschitz == pytest.approx(lipschitz, rel=1e-9)


def test_elu_is_smooth_for_alpha_1_alone_and_celu_for_all() -> None:
    assert look("elu", "activation.alpha=0.5").kinks == (0,)
    assert look("celu", "activation.alpha=0.5").kinks == ()


FUNCTIONS: list[tuple[str, nn.Module, str, str, float, bool]] = [
    ("sin", Own(torch.sin), "[-1, 1]", "[-1, 1]", 1, False),
    ("fast sine", Own(lambda x: (1000 * x).sin()), "[-1, 1]", "[-1000, 1000]", 1000, False),
    ("arctan", Own(torch.atan), "(-1.57, 1.57)", "(0, 1]", 1, True),
    ("a logarithm", Own(torch.asinh), "(-inf, inf)", "(0, 1]", 1, True),
    ("a root", Own(lambda x: x.sign() * ((1 + x.abs()).sqrt() - 1)), "(-inf, inf)", "[0, 0.5]", 0.5, True),
    ("square", Own(torch.square), "[0, inf)", "(-inf, inf)", math.inf, False),
    ("exp", Own(torch.exp), "(0, inf)", "(0, inf)", math.inf, True),
    ("bell", Own(lambda x: (-x * x).exp()), "(0, 1]", "[-0.858, 0.858]", math.sqrt(2 / math.e), False),
    ("dip", Own(lambda x: 1 - x * x * (-x * x).exp()), "[0.632, 1]", "[-0.587, 0.587]", 0.587207, False),
    ("double exponential", Own(lambda x: (-(-x).exp()).exp()), "(0, 1)", "(0, 0.368]", 1 / math.e, True),
    ("relu6", nn.ReLU6(), "[0, 6]", "{0, 1}", 1, True),
    ("S", Own(lambda x: 3 * x.clamp(0, 1) ** 2 - 2 * x.clamp(0, 1) ** 3), "[0, 1]", "[0, 1.5]", 1.5, True),
    ("hardsigmoid", nn.Hardsigmoid(), "[0, 1]", "{0, 0.167}", 1 / 6, True),
    ("tanhshrink", nn.Tanhshrink(), "(-inf, inf)", "[0, 1)", 1, True),
    ("abs", Own(torch.abs), "[0, inf)", "{-1, 1}", 1, False),
    ("falling", Own(torch.neg), "(-inf, inf)", "{-1}", 1, True),
    ("constant", Own(lambda x: 0 * x + 3), "{3}", "{0}", 0, True),
    ("far off", Own(lambda x: (x + 1000).sigmoid()), "(0, 1)", "(0, 0.25]", 0.25, True),
    ("steep", Own(lambda x: (1e6 * x).sigmoid()), "(0, 1)", "(0, 2.5e+05]", 2.5e5, True),
    ("small", Own(lambda x: 1e-6 * x.tanh()), "(-1e-06, 1e-06)", "(0, 1e-06]", 1e-6, True),
    ("overflows", Own(lambda x: (1 + x.exp()).log()), "(0, inf)", "(0, 1)", 1, True),
    ("in place", nn.ReLU(inplace=True), "[0, inf)", "{0, 1}", 1, True),
    ("float32 inside", Own(lambda x: x.float().tanh()), "(-1, 1)", "(0, 1]", 1, True),
    ("a third", Own(lambda x: hardswish(x + 1 / 3)), "[-0.375, inf)", "(-0.5, 1.5)", 1.5, False),
    ("sign", Own(torch.sign), "{-1, 1}", "{0}", math.inf, True),
    ("hardshrink", nn.Hardshrink(), "(-inf, inf)", "{0, 1}", math.inf, True),
    ("sawtooth", Own(lambda x: x - x.floor()), "[0, 1)", "{1}", math.inf, False),
    ("tan", Own(torch.tan), "(-inf, inf)", "[1, inf)", math.inf, False),
]  # fmt: skip


@pytest.mark.parametrize("case", FUNCTIONS, ids=lambda case: case[0])
def test_functions_that_are_hard_to_see_through(case: tuple[str, nn.Module, str, str, float, bool]) -> None:
    _, module, range_, slope, lipschitz, monotone = case
    found = atlas.facts(module)
    assert (interval(found.range), interval(found.slope)) == (range_, slope)
    assert found.lipschitz == pytest.approx(lipschitz, rel=1e-5)
    assert found.monotone is monotone


@pytest.mark.parametrize(
    ("module", "note", "range_", "gain"),
    [
        (Own(torch.sqrt), "not finite at x = -0.0", "?", None),
        (Own(lambda x: x + torch.randn_like(x)), "it is random", "?", None),
        (nn.Softmax(-1), "it does not work element by element", "?", None),
        (nn.PReLU(4), "RuntimeError in float64", "?", None),
        (Own(lambda x: x / (1 + x.abs()) * x.sin()), None, "?", 2.87),
        (Own(torch.detach), "derivative: autograd has no derivative of it", "(-inf, inf)", 1),
        (Own(lambda x: x.abs().sqrt()), "derivative: not finite at x = 0", "[0, inf)", 1.1195),
        (Own(lambda x: x + (x.sign() - x).detach()), "is not the function's slope", "{-1, 1}", 1),
    ],
    ids=["nan", "random", "softmax", "channels", "swelling", "detached", "cusp", "straight-through"],
)
def test_what_cannot_be_told_is_a_question_mark(
    module: nn.Module, note: str | None, range_: str, gain: float | None
) -> None:
    found = atlas.facts(module)
    assert interval(found.range) == range_
    assert interval(found.slope) == "?"
    assert found.gain_forward == (None if gain is None else pytest.approx(gain, abs=2e-3))
    if note is not None:
        assert found.gain_backward is None
        assert any(note in sentence for sentence in found.notes)
    json.dumps(data(atlas.Entry("own", None, "", {}, found, None)), allow_nan=False)


def test_gains_stay_out_of_what_has_no_second_moment() -> None:
    assert atlas.facts(Own(torch.tan)).gain_forward is None
    assert atlas.facts(Own(lambda x: 0 * x)).gain_forward is None
    assert atlas.facts(Own(lambda x: (x * x / 3).exp())).gain_forward is None


def test_randomness_in_training_is_said() -> None:
    module = nn.RReLU()
    found = atlas.facts(module)
    assert any("random in training" in note for note in found.notes)
    assert interval(found.slope) == "{0.229, 1}"  # The mean of 1/8 and 1/3.
    assert module.training


def evaluated(formula: str, x: float, keys: dict[str, Any]) -> float:
    """A formula of a YAML file as Python: ``A for C, else B``, ``^`` and ``|x|`` are its only liberties."""
    pieces = re.fullmatch(r"(.*) for (.*), else (.*)", formula)
    text = f"({pieces[1]}) if ({pieces[2]}) else ({pieces[3]})" if pieces else formula
    names = {name: getattr(math, name) for name in ("exp", "log", "tanh", "sin")}
    names |= {"abs": abs, "min": min, "max": max, "Phi": NormalDist().cdf, "x": x}
    text = text.replace("^", "**").replace("|x|", "abs(x)")
    return float(eval(text, {"__builtins__": {}}, names | keys))


@pytest.mark.parametrize("name", NAMES)
def test_the_formula_of_every_file_is_true(name: str) -> None:
    choice = atlas.choose(atlas.Request(name), None)
    assert choice.formula is not None
    keys = choice.settings | ({"a": choice.settings["init"]} if name == "prelu" else {})
    x = torch.linspace(-6, 6, 49, dtype=torch.float64)
    with torch.no_grad():
        value = choice.module.double()(x).tolist()
    expected = [evaluated(choice.formula, at, keys) for at in x.tolist()]
    assert value == pytest.approx(expected, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_cost_is_measured(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atlas.cost, "ROUNDS", 3)
    cost = atlas.measure(atlas.choose(atlas.Request(name), None).module, CPU)
    assert cost.note == ""
    for value in (cost.forward, cost.backward, cost.double_backward):
        assert value is not None
        assert 0 < value < 1000


def test_relu_costs_as_much_as_relu() -> None:
    cost = atlas.measure(nn.ReLU(), CPU)
    assert cost.memory == 1
    for value in (cost.forward, cost.backward, cost.double_backward):
        assert value is not None
        assert 0.5 < value < 2


def test_time_is_that_of_the_work() -> None:
    ten = nn.Sequential(*[nn.ReLU() for _ in range(10)])
    cost = atlas.measure(ten, CPU)
    for value in (cost.forward, cost.backward, cost.double_backward):
        assert value is not None
        assert value > 4  # No upper end: a busy machine interrupts what takes longer.


@pytest.mark.parametrize(
    ("module", "tensors"),
    [
        (nn.Tanh(), 1),  # The output, which is all that its derivative needs.
        (nn.Identity(), 1),
        (nn.GELU(), 2),  # Input and output.
        (nn.PReLU(), 2),
        (Own(lambda x: x.exp().exp()), 2),
        (Own(lambda x: x.sin().sin().sin()), 4),
        (nn.Sequential(nn.ReLU(), nn.ReLU()), 2),
    ],
)
def test_memory_counts_what_has_to_stay(module: nn.Module, tensors: int) -> None:
    assert atlas.measure(module, CPU).memory == pytest.approx(tensors, rel=1e-4)


def test_what_autograd_cannot_do_is_left_out() -> None:
    once = atlas.measure(Own(OnceDifferentiable.apply), CPU)
    assert once.backward is not None
    assert once.double_backward is None
    assert once.note == "autograd has no double backward"
    never = atlas.measure(Own(lambda x: (x > 0).float()), CPU)
    assert never.forward is not None
    assert never.backward is None
    assert never.note == "autograd has no backward and double backward"
    failing = atlas.measure(nn.PReLU(3), CPU)
    assert failing.forward is None
    assert "cost not measured: RuntimeError" in failing.note


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "?"), (-0.0, "0"), (math.inf, "inf"), (-1.7581, "-1.76"), (1234.5, "1234"), (2e-7, "2e-07")],
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_words_are_names_and_their_keys() -> None:
    one, two = atlas.parse(["relu", "elu", "activation.alpha=2", "+activation.inplace=true"])
    assert one == atlas.Request("relu")
    assert two.label == "elu alpha=2 +inplace=true"
    with pytest.raises(ConfigurationError, match="must follow the name"):
        atlas.parse(["activation.alpha=2"])
    with pytest.raises(ConfigurationError, match=r"only activation\.<key>=<value>"):
        atlas.parse(["elu", "batch_size=2"])


@pytest.fixture
def mine() -> Path:
    """A folder of the user's: good ones, and one for each way to be bad."""
    Path("own.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Raises(nn.Module):\n    def forward(self, x):\n        raise ValueError('no way\\nat all')\n"
        "class Root(nn.Module):\n    def forward(self, x):\n        return x.sqrt()\n"
        "class Doubles(nn.Module):\n    def forward(self, x):\n        return torch.cat([x, x])\n"
    )
    folder = Path("my own's") / "activation"
    folder.mkdir(parents=True)
    for name, text in {
        "steep": "# Steeper.\n# f(x) = x for x > 0, else negative_slope * x\n"
        "_target_: torch.nn.LeakyReLU\nnegative_slope: 0.7\n",
        "silent": "_target_: torch.nn.ELU\nalpha: 3.0 # f(x) = no\n",
        "nan": "_target_: own.Root\n",
        "raises": "_target_: own.Raises\n",
        "doubles": "_target_: own.Doubles\n",
        "missing": "_target_: own.Missing\n",
        "broken": "_target_: [own\n",
        "elu": "_target_: torch.nn.ReLU\n",
    }.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder.parent


def test_own_activations_are_built_and_bad_ones_named(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    assert {"steep", "nan", "relu"} <= set(atlas.known(mine))
    steep = atlas.look_up(atlas.choose(atlas.Request("steep"), mine), None)
    assert steep.formula == "x for x > 0, else negative_slope * x"
    assert steep.settings == {"negative_slope": 0.7}
    assert steep.facts.gain_calculated == pytest.approx(math.sqrt(2 / 1.49))
    silent = atlas.choose(atlas.Request("silent"), mine)
    assert silent.formula is None
    assert atlas.look_up(silent, None).module == "ELU(alpha=3.0)"
    assert atlas.facts(atlas.choose(atlas.Request("nan"), mine).module).range is None
    for name in ("raises", "doubles", "missing", "broken"):
        with pytest.raises(GanLabError) as caught:
            atlas.choose(atlas.Request(name), mine)
        assert not isinstance(caught.value, ConfigurationError)
    assert atlas.hidden("elu", mine) == [mine / "activation/elu.yaml"]
    assert isinstance(atlas.choose(atlas.Request("elu"), mine).module, nn.ELU)
    with pytest.raises(ConfigurationError, match="no activation named 'steap', did you mean 'steep'"):
        atlas.choose(atlas.Request("steap"), mine)


def test_the_command_shows_every_activation_and_says_what_is_broken(run_cli: Cli, mine: Path) -> None:
    code, out, err = run_cli("activations", "--config-dir", str(mine), "--no-timing", "-o", "atlas.png")
    assert code == 0, err
    for name in (*NAMES, "steep", "silent", "nan"):
        assert re.search(rf"^{name} ", out, re.MULTILINE), name
    assert re.search(r"^relu +\[0, inf\) +\{0, 1\} +0 +1 +yes +1.41 +1.41 +1.41$", out, re.MULTILINE)
    assert re.search(r"^nan( +\?){7} +unsupported$", out, re.MULTILINE)
    assert "nan: not finite at x = " in out
    assert "silent" in out
    assert "relative to ReLU" not in out
    for name in ("raises", "doubles", "missing", "broken"):
        assert len(re.findall(rf"^gan-lab: {name}: .*$", err, re.MULTILINE)) == 1
    assert "gan-lab: raises: activation cannot be applied: ValueError: no way\n" in err
    assert "elu.yaml is not read, because gan-lab has an entry of that name" in err
    assert "Traceback" not in err
    assert out.splitlines()[-1] == "atlas.png"
    with Image.open("atlas.png") as picture:
        assert picture.width > 1200
        assert picture.height > 900
        assert np.asarray(picture.convert("L")).std() > 10


def test_json_has_all_digits(run_cli: Cli) -> None:
    code, out, err = run_cli("activations", "gelu", "elu", "activation.alpha=0.5", "--json", "-o", "a.svg")
    assert code == 0, err
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert "cpu" in found["measured_on"] or "cuda" in found["measured_on"]
    gelu, elu = found["activations"]
    assert (gelu["name"], elu["name"]) == ("gelu", "elu alpha=0.5")
    assert gelu["derivative"]["high"] == pytest.approx(
        1 / 2 + math.erf(1) / 2 + math.exp(-1) / math.sqrt(math.pi), abs=1e-11
    )
    assert (elu["range"]["low"], elu["range"]["high"]) == (-0.5, "inf")
    assert elu["range"]["low_attained"] is False
    assert elu["settings"] == {"alpha": 0.5}
    assert elu["calculate_gain"] is None
    assert all(value > 0 for value in gelu["cost_relative_to_relu"].values())
    assert err == "a.svg\n"
    assert Path("a.svg").read_text().count("<path") > 20


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["gelu2"], "no activation named 'gelu2', did you mean 'gelu'?"),
        (["relu", "activation.alhpa=1"], "unknown setting 'activation.alhpa'"),
        (["relu", "-o", "picture.pdf"], "--output must end in .png or .svg, got picture.pdf"),
        (["relu", "--config-dir", "nowhere"], "--config-dir must be a folder, got nowhere"),
        (["relu", "--device", "cuda:99"], "device=cuda:99 was asked for"),
    ],
)
def test_bad_words_are_one_sentence(run_cli: Cli, words: list[str], sentence: str) -> None:
    code, out, err = run_cli("activations", "--no-timing", *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"gan-lab: {sentence}")
    assert err.count("\n") == 1


def test_nothing_measured_is_an_error(run_cli: Cli, mine: Path) -> None:
    code, out, err = run_cli("activations", "raises", "--config-dir", str(mine))
    assert (code, out) == (2, "")
    assert err.endswith("gan-lab: there is no activation left to measure\n")


@pytest.mark.parametrize("many", [1, 3, 7])
def test_pictures_of_few_and_of_unknown_ones(many: int, tmp_path: Path) -> None:
    """An activation of which nothing is known, with a name that looks like mathematics, is a panel too."""
    unknown = atlas.Entry("a_$b$_{c", None, "", {}, atlas.facts(Own(torch.sqrt)), None)
    known = atlas.Entry("relu", None, "", {}, atlas.facts(nn.ReLU()), None)
    draw([unknown, *[known] * (many - 1)], tmp_path / "deep/picture.png")
    with Image.open(tmp_path / "deep/picture.png") as picture:
        assert picture.height > 250
        assert np.asarray(picture.convert("L")).std() > 5
