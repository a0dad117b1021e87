"""Objects from a configuration: what cannot be built, applied or trained is refused in one sentence."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_lab.config.build import build, build_activation
from gan_lab.utils import memory
from gan_lab.utils.errors import ConfigurationError, GanLabError
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, composed, untrained

SECONDS = 20  # even if other tests share the machine
WICKED = """
from torch import nn
class Raises(nn.Module):
    def forward(self, x): raise RuntimeError("first line\\nsecond line")
class Fails(nn.Module):
    def __init__(self): raise KeyError("x")
class Late(nn.Module):
    def forward(self, x):
        if len(x.shape) == 4 or x.shape[-1] > 4: raise ValueError("late\\nline")
        return x
class Shape(nn.Module):
    def forward(self, x): return x[..., :1]
class LateShape(nn.Module):
    def forward(self, x): return x if x.shape == (2, 4) else x.sum()
class Nothing(nn.Module):
    def forward(self, x): return None
class Exits(nn.Module):
    def forward(self, x): raise SystemExit(0)
class InPlace(nn.Module):
    def forward(self, x): return x.exp_().mul_(2)
class Integers(nn.Module):
    def forward(self, x): return x.long()
class Detached(nn.Module):
    def forward(self, x): return x.detach()
class Endless(nn.Module):
    def forward(self, x): return self(x)
class Double(nn.Module):
    def forward(self, x): return x.double()
def function(x): return x
"""


@pytest.fixture(scope="module", autouse=True)
def _modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A module of wicked activations, and one that is no Python."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "wicked.py").write_text(WICKED)
    (folder / "no_python.py").write_text("def (:\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


@pytest.fixture(scope="module")
def points() -> DictConfig:
    return composed(*TINY_POINTS, "metrics.every=500", "diagnostics.every=500")


@pytest.fixture(scope="module")
def images() -> DictConfig:
    return composed(*TINY_IMAGES, "metrics.every=500", "diagnostics.every=500")


def changed(cfg: DictConfig, **values: Any) -> DictConfig:
    """Return a copy in which the dotted keys (with __ for dots) have other values."""
    copy = cfg.copy()
    with open_dict(copy):
        for key, value in values.items():
            OmegaConf.update(copy, key.replace("__", "."), value, merge=False)
    return copy


def refusal(cfg: DictConfig) -> str:
    """Return the sentence with which an experiment is refused before its first step."""
    begun = time.monotonic()
    with pytest.raises(GanLabError) as caught:
        untrained(cfg)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 1000
    assert time.monotonic() - begun < SECONDS
    return text


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        ({"_target_": "os.system"}, "blocklisted"),
        ({"_target_": ""}, "Error locating target"),
        ({"_target_": 3}, "Expected a callable target"),
        ({"_target_": "torch.nn"}, "Expected a callable target"),
        ({"_target_": "math.nan"}, "Expected a callable target"),
        ({"_target_": "nothing.here"}, "No module named 'nothing'"),
        ({"_target_": "no_python.X"}, "invalid syntax"),
        ({"_target_": "torch.nn.ELU", "beta": 1}, "unexpected keyword argument"),
        ({"_target_": "torch.nn.LeakyReLU", "negative_slope": None}, "activation cannot be applied"),
        ({"_target_": "torch.nn.LeakyReLU", "negative_slope": [1]}, "activation cannot be applied"),
        ({"_target_": "torch.nn.ELU", "alpha": "${nothing}"}, "activation: Interpolation key 'nothing'"),
        ({"alpha": 1}, "activation must hold a _target_"),
        ([1, 2], "activation must hold a _target_, got [1, 2]"),
        (3, "activation must hold a _target_, got 3"),
        ({"_target_": "wicked.Raises"}, "activation cannot be applied: RuntimeError: first line"),
        ({"_target_": "wicked.Fails"}, "activation: 'x'"),
        ({"_target_": "wicked.Shape"}, "must keep the shape of its input, but made (2, 1) of (2, 4)"),
        ({"_target_": "wicked.Nothing"}, "activation cannot be applied"),
        ({"_target_": "wicked.Exits"}, "activation cannot be applied: SystemExit"),
        ({"_target_": "wicked.Endless"}, "activation cannot be applied: RecursionError"),
        ({"_target_": "wicked.function"}, "activation: function() missing"),
    ],
)
def test_an_activation_that_cannot_be_built_or_applied(node: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_activation(OmegaConf.create({"activation": node}), "activation")
    assert str(caught.value).startswith("activation")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_script_that_reads_the_command_line_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "import argparse\n\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--width', required=True)\nopt = parser.parse_args([])\n"
    )
    (tmp_path / "a_script.py").write_text(text)
    (tmp_path / "around_it.py").write_text(
        "import sys\nprint('loud', file=sys.stderr)\nfrom a_script import opt\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("a_script", "around_it"):
        cfg = OmegaConf.create(
            {"model": {"network": {"_target_": f"{module}.Generator"}, "_target_": "torch.nn.Identity"}}
        )
        with pytest.raises(
            ConfigurationError, match=r"importing \w+ runs a_script.py as a script, .* line 5 .*copy"
        ) as caught:
            build(cfg, "model")
        assert f"importing {module}" in str(caught.value)
    assert "usage" not in "".join(capsys.readouterr())


def test_what_a_module_prints_while_it_is_imported_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "talkative.py").write_text(
        "import sys\nfrom torch.nn import Identity\nprint('a warning', file=sys.stderr)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    build(OmegaConf.create({"model": {"_target_": "talkative.Identity"}}), "model")
    assert capsys.readouterr().err == "a warning\n"


def test_a_refusal_names_the_whole_key_and_keeps_its_kind() -> None:
    cfg = OmegaConf.create({"metric": {"mine": {"_target_": "os.system"}}})
    with pytest.raises(ConfigurationError, match=r"^metric\.mine: .*blocklisted"):
        build(cfg, "metric.mine")
    node = {"_target_": "gan_lab.datasets.load_image_folder", "path": "nowhere"}
    with pytest.raises(GanLabError, match=r"^dataset\.path=nowhere does not exist$") as caught:
        build(OmegaConf.create({"dataset": node}), "dataset")
    assert not isinstance(caught.value, ConfigurationError)
    node = {"_target_": "hydra.utils.get_class", "path": "nothing.here"}
    with pytest.raises(ConfigurationError, match=r"^dataset: .*No module named 'nothing'"):
        build(OmegaConf.create({"dataset": {"_target_": "gan_lab.datasets.load_torchvision", "dataset": node}}), "dataset")  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("wicked.Late", "cannot take a step with these choices: late line"),
        ("wicked.LateShape", "cannot take a step with these choices"),
        ("wicked.InPlace", "modified by an inplace operation"),
        ("wicked.Integers", "cannot take a step with these choices"),
        ("wicked.Detached", "no gradient reaches the generator"),
        ("wicked.Double", "cannot take a step with these choices"),
    ],
)
def test_an_activation_that_cannot_be_trained(
    target: str, sentence: str, points: DictConfig, images: DictConfig
) -> None:
    for cfg in (points, images):
        assert sentence in refusal(changed(cfg, activation={"_target_": target}))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        # choices that do not go together
        ({"augmentation": {"_target_": "gan_lab.gan.Flip"}}, "augmentation=flip works on images"),
        ({"features": {"_target_": "gan_lab.evaluation.classifier_features"}}, "needs labeled images"),
        ({"features": {"_target_": "gan_lab.evaluation.inception_features"}}, "needs images"),
        ({"metric": {}}, "metric must name at least one metric"),
        ({"metric": {"x": {"_target_": "gan_lab.evaluation.StackedModes"}}}, "names nothing that applies"),
        ({"metric__fid": 3}, "metric.fid must hold a _target_"),
        ({"diagnostic__units": 3}, "diagnostic.units must hold a _target_"),
        ({"report__primary": "nothing"}, "report.primary must be null or one of"),
        # keys that only torch checks
        ({"optimizer__betas": [2, 3]}, "optimizer: Invalid beta"),
        ({"optimizer__betas": 3}, "optimizer: "),
        ({"optimizer__weight_decay": -1}, "optimizer: Invalid weight_decay"),
        # keys of the parts, each under the name of its node
        ({"model__latent_size": -1}, "model.generator: latent_size must be"),
        ({"model__latent_size": None}, "latent_size must be"),
        ({"model__latent_size": 10**30}, "model.generator"),
        ({"model__generator__depth": 10**9}, "model.generator: depth must be a whole number from 1 to 1000"),
        ({"model__discriminator__depth": 10**9}, "model.discriminator: depth must be a whole number"),
        ({"model__generator__normalization": "nothing"}, "model.generator: normalization must be one of"),
        ({"initialization__std": float("nan")}, "std must be"),
        ({"dataset__radius": float("nan")}, "dataset.radius must be"),
        ({"metric__modes__radius": float("nan")}, "metric.modes.radius must be"),
        ({"diagnostic__units__tau": float("nan")}, "diagnostic.units.tau must be"),
    ],
    ids=lambda value: ascii(value)[:60],
)  # fmt: skip
def test_choices_that_cannot_be(values: dict[str, Any], sentence: str, points: DictConfig) -> None:
    assert sentence in refusal(changed(points, **values))


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"model__generator__width": 10**7}, "model.generator"),
        ({"model__discriminator__width": 10**7}, "model.discriminator"),
        ({"model__latent_size": 10**12}, "model.generator"),
        ({"seeds": 10**9}, "seeds"),
        ({"samples__every": 1, "samples__number": 10**12}, "samples.number"),
        ({"discriminator_steps": 10**9}, "discriminator_steps"),
        ({"dataset__size": 10**12}, "dataset.size"),
        ({"dataset__modes": 10**12}, "dataset.modes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_is_too_large_is_refused_before_it_is_built(
    values: dict[str, Any], what: str, points: DictConfig
) -> None:
    text = refusal(changed(points, **values))
    assert what in text
    assert "is too large for this machine: it takes at least" in text


def test_a_deep_network_of_images_is_refused(images: DictConfig) -> None:
    assert "depth must be a whole number from 1 to 1000" in refusal(
        changed(images, model__discriminator__depth=10**9)
    )


def test_probes_that_need_more_memory_than_there_is_are_refused(
    images: DictConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both networks pass on more than a kilobyte per sample: eight of them fit into this, a thousand do not.
    monkeypatch.setattr(memory, "available", lambda device=None: 1_000_000)
    untrained(changed(images, diagnostics__samples=8, metrics__every=0))
    text = refusal(changed(images, diagnostics__samples=1000, metrics__every=0))
    assert "diagnostics.samples=1000 is too large" in text


def test_a_batch_that_needs_more_memory_than_there_is_is_refused(
    points: DictConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "batch_size must be at most 1000" in refusal(changed(points, batch_size=10**9))
    monkeypatch.setattr(memory, "available", lambda device=None: 100_000)
    text = refusal(changed(points, batch_size=1000))
    assert "batch_size=1000 is too large for this machine: it takes at least" in text


def test_samples_that_are_judged_together_divide_the_batch() -> None:
    packed = composed(*TINY_POINTS, "model=pacgan", "model.discriminator.packing=3", "metrics.every=0")
    message = "batch_size must be a multiple of model.discriminator.packing=3, got 8"
    assert message in refusal(changed(packed, model__generator__width=8))
    untrained(changed(packed, batch_size=9))  # and the probe's samples need not
    assert not Path("outputs").exists()
