"""``gan-lab activations``: names, a user's own folder, formulas, tables, JSON and pictures."""

import importlib
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gan_lab.atlas.choices import ActivationQuery, available, build_spec, parse, shadowed_files
from gan_lab.atlas.describe import Description, describe, find_facts
from gan_lab.atlas.facts import Facts
from gan_lab.atlas.plot import plot
from gan_lab.utils.errors import ConfigurationError, GanLabError
from tests.helpers.experiments import choices

Cli = Callable[..., tuple[int, str, str]]
NAMES = choices("activation")


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
    spec = build_spec(ActivationQuery(name), None)
    assert spec.formula is not None
    keys = spec.settings | ({"a": spec.settings["init"]} if name == "prelu" else {})
    x = torch.linspace(-6, 6, 49, dtype=torch.float64)
    with torch.no_grad():
        value = spec.module.double()(x).tolist()
    expected = [evaluated(spec.formula, at, keys) for at in x.tolist()]
    assert value == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_words_are_names_and_their_keys() -> None:
    one, two = parse(["relu", "elu", "activation.alpha=2", "+activation.inplace=true"])
    assert one == ActivationQuery("relu")
    assert two.label == "elu alpha=2 +inplace=true"
    with pytest.raises(ConfigurationError, match="must follow the name"):
        parse(["activation.alpha=2"])
    with pytest.raises(ConfigurationError, match=r"only activation\.<key>=<value>"):
        parse(["elu", "batch_size=2"])


@pytest.fixture
def mine() -> Iterator[Path]:
    """A folder of the user's: good ones, and one for each way to be bad."""
    Path("own.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Raises(nn.Module):\n    def forward(self, x):\n        raise ValueError('no way\\nat all')\n"
        "class Root(nn.Module):\n    def forward(self, x):\n        return x.sqrt()\n"
        "class Square(nn.Module):\n    def forward(self, x):\n        return x * x\n"
        "class Doubles(nn.Module):\n    def forward(self, x):\n        return torch.cat([x, x])\n"
    )
    importlib.invalidate_caches()  # the folder may have been listed before the file was there
    folder = Path("my own's") / "activation"
    folder.mkdir(parents=True)
    for name, text in {
        "steep": "# Steeper.\n# f(x) = x for x > 0, else negative_slope * x\n"
        "_target_: torch.nn.LeakyReLU\nnegative_slope: 0.7\n",
        "silent": "_target_: torch.nn.ELU\nalpha: 3.0 # f(x) = no\n",
        "nan": "_target_: own.Root\n",
        "square": "# f(x) = x^2\n_target_: own.Square\n",
        "raises": "_target_: own.Raises\n",
        "doubles": "_target_: own.Doubles\n",
        "missing": "_target_: own.Missing\n",
        "broken": "_target_: [own\n",
        "elu": "_target_: torch.nn.ReLU\n",
    }.items():
        (folder / f"{name}.yaml").write_text(text)
    yield folder.parent
    sys.modules.pop("own", None)


def test_own_activations_are_built_and_bad_ones_named(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    assert {"steep", "nan", "relu"} <= set(available(mine))
    steep = describe(build_spec(ActivationQuery("steep"), mine), None)
    assert steep.formula == "x for x > 0, else negative_slope * x"
    assert steep.settings == {"negative_slope": 0.7}
    assert steep.facts.calculate_gain == pytest.approx(math.sqrt(2 / 1.49))
    silent = build_spec(ActivationQuery("silent"), mine)
    assert silent.formula is None
    assert describe(silent, None).module == "ELU(alpha=3.0)"
    assert find_facts(build_spec(ActivationQuery("nan"), mine).module).range is None
    for name in ("raises", "doubles", "missing", "broken"):
        with pytest.raises(GanLabError) as caught:
            build_spec(ActivationQuery(name), mine)
        assert not isinstance(caught.value, ConfigurationError)
    assert shadowed_files("elu", mine) == [mine / "activation/elu.yaml"]
    assert isinstance(build_spec(ActivationQuery("elu"), mine).module, nn.ELU)
    with pytest.raises(ConfigurationError, match="no activation named 'steap', did you mean 'steep'"):
        build_spec(ActivationQuery("steap"), mine)


def test_the_command_shows_every_activation_and_says_what_is_broken(run_cli: Cli, mine: Path) -> None:
    code, out, err = run_cli(
        "activations", "--config-dir", str(mine), "--no-timing", "-o", "atlas.png", PYTHONPATH="."
    )
    assert code == 0, err
    for name in (*NAMES, "steep", "silent", "square", "nan"):
        assert re.search(rf"^{name} ", out, re.MULTILINE), name
    assert re.search(
        r"^relu +\[0, inf\) +\{0, 1\} +0 +C0 +1 +yes +0.399 +1.41 +1.41 +1.41$", out, re.MULTILINE
    )
    assert re.search(r"^nan( +\?){9} +unsupported$", out, re.MULTILINE)
    assert "nan: not finite at x = " in out
    assert re.search(r"^silent +0 +R +ELU\(alpha=3.0\)$", out, re.MULTILINE)
    assert re.search(r"^square +\[0, 256\] +\[-32, 32\] +- +\? +32 +no +1 ", out, re.MULTILINE)
    assert re.search(r"^square +0 +\[-16, 16\] +x\^2$", out, re.MULTILINE)
    assert "relative to ReLU" not in out
    for name in ("raises", "doubles", "missing", "broken"):
        assert len(re.findall(rf"^gan-lab: {name}: .*$", err, re.MULTILINE)) == 1
    assert "gan-lab: raises: activation cannot be applied: ValueError: no way at all\n" in err
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
    content = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert "cpu" in content["measured_on"] or "cuda" in content["measured_on"]
    gelu, elu = content["activations"]
    assert (gelu["name"], elu["name"]) == ("gelu", "elu alpha=0.5")
    assert gelu["derivative"]["high"] == pytest.approx(
        1 / 2 + math.erf(1) / 2 + math.exp(-1) / math.sqrt(math.pi), abs=1e-11
    )
    assert (elu["range"]["low"], elu["range"]["high"]) == (-0.5, "inf")
    assert elu["range"]["low_attained"] is False
    assert elu["settings"] == {"alpha": 0.5}
    assert (elu["source"], elu["sampled_on"]) == ("Clevert et al. 2016", None)
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
    unknown = Description("a_$b$_{c", None, "", {}, Facts(notes=("not finite",)), None)
    known = Description("relu", None, "", {}, find_facts(nn.ReLU()), None)
    plot([unknown, *[known] * (many - 1)], tmp_path / "deep/picture.png")
    with Image.open(tmp_path / "deep/picture.png") as picture:
        assert picture.height > 250
        assert np.asarray(picture.convert("L")).std() > 5
