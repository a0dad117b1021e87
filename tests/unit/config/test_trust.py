"""Run folders from strangers: nothing that came with one is run."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from gan_lab import load
from gan_lab.config.trust import refuse_untrusted, target_modules
from gan_lab.datasets import load_digits
from gan_lab.evaluation.evaluate import EvalOverrides, evaluate_study
from gan_lab.evaluation.features import classifier
from gan_lab.runs.naming import to_plain
from gan_lab.runs.status import Status
from gan_lab.utils.errors import DataError, GanLabError
from gan_lab.utils.paths import cache_dir, config_dir
from tests.helpers.cli import call
from tests.helpers.experiments import TINY_POINTS, composed

CPU = torch.device("cpu")
PWNED = Path("pwned")


class Payload:
    """Unpickling it makes a file."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.system, (f"touch {PWNED.absolute()}",)


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return to_plain(composed(*TINY_POINTS))


@pytest.fixture
def run(plain: dict[str, Any]) -> Path:
    """The folder of a run as far as `load` reads it; it has no weights."""
    folder = Path("run")
    folder.mkdir()
    Status("", "finished", 1, 1, [0], [2], {}, device="cpu", engine="", execution="").save(folder)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(plain)))
    return folder


def rewrite(folder: Path, key: str, value: Any) -> None:
    cfg = OmegaConf.load(folder / "config.yaml")
    OmegaConf.update(cfg, key, value, merge=False, force_add=True)
    OmegaConf.save(cfg, folder / "config.yaml")


TOUCH = {"_target_": "os.system", "_args_": ["touch pwned"]}
ATTACKS: dict[str, Any] = {
    "plain": {"_target_": "os.system", "command": "touch pwned"},
    "not on hydra's list": {"_target_": "pathlib.Path.touch", "_args_": ["pwned"]},
    "alias of a library": {"_target_": "logging.os.system", "_args_": ["touch pwned"]},
    "alias in torch": {"_target_": "torch.nn.modules.module.functools.reduce", "_args_": [1, [2]]},
    "builtin through torch": {"_target_": "torch.nn.modules.module.__builtins__.exec", "_args_": ["x"]},
    "torch, but not a part of it": {"_target_": "torch.load", "f": "x"},
    "torch.load through torch.nn": {"_target_": "torch.nn.modules.module.torch.load", "f": "x"},
    "a function of torch.nn": {"_target_": "torch.nn.init.zeros_", "tensor": 3},
    "a base class": {"_target_": "torch.nn.ReLU.__base__.__subclasses__"},
    "nested in an argument": {"_target_": "torch.nn.ELU", "alpha": TOUCH},
    "nested in a list": {"_target_": "torch.nn.Sequential", "_args_": [[{"a": [TOUCH]}]]},
    "partial": {**TOUCH, "_partial_": True},
    "left as it is": {"_target_": "torch.nn.ELU", "_recursive_": False, "alpha": TOUCH},
    "converted": {"_target_": "torch.nn.ELU", "_convert_": "object", "alpha": TOUCH},
    "interpolated": {"_target_": "${study}", "_args_": ["touch pwned"]},
    "interpolated as a whole": "${discriminator_activation}",
    "made by a resolver": "${oc.create:{_target_:os.system}}",
    "interpolated after an escape": "\\${oc.create:{_target_:os.system}}",
    "get_class": {"_target_": "hydra.utils.get_class", "path": "subprocess.Popen"},
    "get_class of what unpickles": {"_target_": "hydra.utils.get_class", "path": "torchvision.datasets.LSUN"},
    "get_class by position": {"_target_": "hydra.utils.get_class", "_args_": ["subprocess.Popen"]},
    "get_class twice": {
        "_target_": "hydra.utils.get_class",
        "path": "torchvision.datasets.MNIST",
        "_args_": ["subprocess.Popen"],
    },
    "get_method": {"_target_": "hydra.utils.get_method", "path": "os.system"},
    "get_object": {"_target_": "hydra.utils.get_object", "path": "os.system"},
    "call": {"_target_": "hydra.utils.call", "config": TOUCH},
    "instantiate": {"_target_": "hydra.utils.instantiate", "config": TOUCH},
    "gan-lab writes files, too": {
        "_target_": "gan_lab.utils.files.atomic_write",
        "path": "pwned",
        "content": "x",
    },
    "gan-lab trains, too": {"_target_": "gan_lab.train.train", "overrides": ["study=pwned"]},
    "gan-lab builds, too": {"_target_": "gan_lab.config.build.build", "cfg": {"a": TOUCH}, "key": "a"},
    "unpickles what it is given": {
        "_target_": "gan_lab.evaluation.features.inception.Inception",
        "weights": {"_target_": "pathlib.Path", "_args_": ["x"]},
    },
    "a module": {"_target_": "torch.nn"},
    "not a name": {"_target_": ["os.system"]},
    "no name": {"_target_": ""},
    "nothing": {"_target_": None},
    "unknown": {"_target_": "stranger.Activation"},
}


def test_the_functions_of_gan_lab_among_the_attacks_exist() -> None:
    targets = [attack["_target_"] for attack in ATTACKS.values() if isinstance(attack, dict)]
    ours = [target for target in targets if str(target).startswith("gan_lab.")]
    assert len(ours) > 3
    for target in ours:
        assert get_object(target) is not None, target


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("key", ["model.generator.activation", "dataset", "metric.modes", "anywhere[0]"])
def test_what_a_stranger_names_is_not_built(attack: Any, key: str, run: Path) -> None:
    rewrite(run, "anywhere", [attack]) if key == "anywhere[0]" else rewrite(run, key, attack)
    with pytest.raises(GanLabError) as caught:
        load(run)
    assert "\n" not in str(caught.value)
    assert key.split("[")[0] in str(caught.value)
    done, failed = evaluate_study(run, EvalOverrides(), CPU)
    assert (done, len(failed)) == ([], 1)
    assert not PWNED.exists()


def test_the_sentence_names_target_key_and_the_way_to_trust_it(run: Path) -> None:
    rewrite(run, "model.generator.activation", {"_target_": "mine.activations.Steep"})
    for command in ("sample", "evaluate"):
        code, _, err = call(command, str(run))
        assert code == 2
        assert err.count("\n") == 1
        assert "model.generator.activation._target_=mine.activations.Steep" in err
        assert "--trust mine.activations" in err
    code, out, _ = call("ls", str(run))
    assert (code, "finished" in out) == (0, True)


def test_all_of_torch_is_never_trusted() -> None:
    node = {"_target_": "torch.sin", "_partial_": True}
    with pytest.raises(GanLabError, match="pass --trust MODULE"):
        refuse_untrusted(node)
    with pytest.raises(GanLabError, match=r"must not name all of torch.*torch.nn.functional"):
        refuse_untrusted(node, ["torch"])
    for name in ("mish", "gelu"):  # Python's, and a compiled one
        refuse_untrusted({"_target_": f"torch.nn.functional.{name}"}, ["torch.nn.functional"])
    for way_out in ("torch.load", "torch.hub.load", "warnings.warn"):
        with pytest.raises(GanLabError, match="defined elsewhere"):
            refuse_untrusted({"_target_": f"torch.nn.functional.{way_out}"}, ["torch.nn.functional"])


def test_every_choice_that_comes_with_gan_lab_is_trusted() -> None:
    files = [path for path in config_dir().glob("*/*.yaml") if path.parent.name != "experiment"]
    assert len(files) > 50
    for path in files:
        refuse_untrusted(OmegaConf.to_container(OmegaConf.load(path)))
    refuse_untrusted(to_plain(composed("dataset=mnist")))


def test_the_modules_of_a_configuration_are_those_that_are_not_ours() -> None:
    cfg = composed(*TINY_POINTS, "activation._target_=mine.deep.Steep", "dataset=mnist")
    assert target_modules(cfg) == ("mine.deep",)
    assert target_modules(DictConfig({"a": [{"_target_": "x.Y"}, {"_target_": 3}]})) == ("x",)


def test_inception_weights_that_are_a_pickle_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    from gan_lab.evaluation.features import inception

    path = Path("weights.pth").absolute()
    torch.save({"weight": Payload()}, path)
    # As if somebody had found a file with these first digits of a digest, which is a matter of minutes.
    monkeypatch.setattr(inception, "DIGEST", hashlib.sha256(path.read_bytes()).hexdigest()[:8])
    with pytest.raises(DataError, match=r"does not hold weights"):
        inception.Inception(inception.weights_file(path))
    assert not PWNED.exists()


WRONG = {
    "seeds": [["../../x"], [-1], [True], [], "0", [1.5], {}, None],
    "shape": [[0], [1, 2], ["2"], [], None, 2],
    "step": ["1", -1, 1.5, None],
    "steps": [{}, True],
    "state": ["done", 3, ["finished"]],
    "choices": [[], {"activation": 3}, {"metric": [1]}],
    "diverged": [{"../x": 1}, {"0": "x"}, []],
    "seconds": ["1", float("nan"), None],
    "process": [-1, 0, 2**31, "1"],
    "host": [3, None],
    "gains": [{"generator": "x"}],
    "versions": [3],
}


@pytest.mark.parametrize("name", ["../../pwned", "/pwned", "", 3, None])
def test_a_data_sets_name_is_no_path(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "fit_classifier", lambda data, recipe: b"")
    data = load_digits(8, name=name)
    assert classifier._trained(data).parent == cache_dir() / "extractors"
    assert {path.parent for path in Path().resolve().rglob("*.safetensors")} == {cache_dir() / "extractors"}


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "- 1\n",
        "",
        "7\n",
        "a: [\n",
        "a: \x00\n",
        "a: " + "[" * 3000,
        "!!python/name:os.system\n",
    ],
)
def test_a_config_that_is_no_configuration_is_said(run: Path, text: str) -> None:
    (run / "config.yaml").write_text(text)
    with pytest.raises(GanLabError, match=r"config\.yaml") as caught:
        load(run)
    assert "\n" not in str(caught.value)
    (run / "config.yaml").unlink()
    with pytest.raises(GanLabError, match=r"config\.yaml cannot be read"):
        load(run)


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, vs in WRONG.items() for v in vs])
def test_a_status_of_another_type_is_damaged(key: str, value: Any, run: Path) -> None:
    status = json.loads((run / "status.json").read_text()) | {key: value}
    (run / "status.json").write_text(json.dumps(status))
    with pytest.raises(GanLabError, match=r"status\.json is damaged") as caught:
        load(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "3", '{"format": 2}', '{"format": 2, "seeds": [0]}', "[" * 100_000, "\x00"]
)
def test_a_status_that_is_none_is_damaged(text: str, run: Path) -> None:
    (run / "status.json").write_text(text)
    with pytest.raises(GanLabError, match=r"status\.json is damaged"):
        load(run)
