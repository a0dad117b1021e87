"""Run folders from strangers: nothing that came with one is run."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from gan_lab import load
from gan_lab.config.trust import modules_of, refuse_untrusted
from gan_lab.evaluation.evaluate import EvalOverrides, evaluate
from gan_lab.runs import checkpoints
from gan_lab.runs.naming import to_plain
from gan_lab.runs.status import STATUS_FORMAT
from gan_lab.utils.errors import ConfigurationError, DataError, GanLabError
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, choices, composed, train

Cli = Callable[..., tuple[int, str, str]]
FEW = ("steps=2", "log.every=2", "samples.every=0", "metrics.every=0", "diagnostics.every=0")
CPU = torch.device("cpu")
PWNED = Path("pwned")


class Payload:
    """Unpickling it makes a file."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.system, (f"touch {PWNED.absolute()}",)


@pytest.fixture
def run() -> Path:
    return train([*TINY_POINTS, *FEW]).folder


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
        "_target_": "gan_lab.utils.files.write_whole",
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


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("key", ["model.generator.activation", "dataset", "metric.modes", "anywhere[0]"])
def test_what_a_stranger_names_is_not_built(attack: Any, key: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    status: dict[str, Any] = {"identity": "", "state": "finished", "step": 1, "steps": 1, "seeds": [0]}
    status |= {
        "format": STATUS_FORMAT,
        "shape": [2],
        "choices": {},
        "device": "cpu",
        "engine": "",
        "execution": "",
    }
    (folder / "status.json").write_text(json.dumps(status))
    plain = to_plain(composed(*TINY_POINTS))
    plain["anywhere"] = [0]
    cfg = OmegaConf.create({k: v for k, v in plain.items() if k != "anywhere"})
    if key == "anywhere[0]":
        cfg["anywhere"] = [attack]
    else:
        OmegaConf.update(cfg, key, attack, merge=False)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
    with pytest.raises(GanLabError) as caught:
        load(folder)
    said = str(caught.value)
    assert "\n" not in said
    assert key.split("[")[0] in said
    done, failed = evaluate(folder, EvalOverrides(), CPU)
    assert (done, len(failed)) == ([], 1)
    assert not PWNED.exists()


def test_the_sentence_names_target_key_and_the_way_to_trust_it(run: Path, run_cli: Cli) -> None:
    rewrite(run, "model.generator.activation", {"_target_": "mine.activations.Steep"})
    for command in ("sample", "evaluate"):
        code, _, err = run_cli(command, str(run))
        assert code == 2
        assert err.count("\n") == 1
        assert "model.generator.activation._target_=mine.activations.Steep" in err
        assert "--trust mine.activations" in err
    code, out, _ = run_cli("ls", str(run))
    assert (code, "finished" in out) == (0, True)


def test_every_choice_that_comes_with_gan_lab_is_trusted() -> None:
    groups = {"metric": "metric=[{}]", "diagnostic": "diagnostic=[{}]"}
    for group in ("activation", "dataset", "model", "optimizer", "objective", "regularizer", "augmentation"):
        groups[group] = f"{group}={{}}"
    for group in ("initialization", "features", *groups):
        for name in choices(group):
            cfg = composed(groups.get(group, f"{group}={{}}").format(name))
            refuse_untrusted(to_plain(cfg))


def test_a_module_that_the_user_names_is_built(run: Path, run_cli: Cli, monkeypatch: Any) -> None:
    Path("mine.py").write_text(
        "import os\nfrom torch import nn\nclass Steep(nn.LeakyReLU):\n    pass\n"
        "def relu():\n    return nn.ReLU()\n"
    )
    monkeypatch.syspath_prepend(".")
    rewrite(run, "model.generator.activation", {"_target_": "mine.Steep", "negative_slope": 0.7})
    with pytest.raises(ConfigurationError, match=r"mine\.Steep is not built"):
        load(run)
    with pytest.raises(ConfigurationError, match=r"mine\.Steep is not built"):
        load(run, trust=["min"])
    assert "negative_slope=0.7" in str(load(run, trust=["mine"]).generator())
    rewrite(run, "model.generator.activation", {"_target_": "mine.relu"})
    assert "ReLU()" in str(load(run, trust=["mine"]).generator())
    code, out, err = run_cli("sample", str(run), "--trust", "mine", "-o", "x.png", PYTHONPATH=".")
    assert (code, out.strip()) == (0, "x.png"), err
    code, _, err = run_cli("evaluate", str(run), "--trust", "mine", PYTHONPATH=".")
    assert code == 0, err
    rewrite(run, "model.generator.activation", {"_target_": "mine.os.system", "_args_": ["touch pwned"]})
    with pytest.raises(ConfigurationError, match=r"defined elsewhere than it says"):
        load(run, trust=["mine"])
    with pytest.raises(ConfigurationError, match=r"trust must name a module"):
        load(run, trust=[""])
    assert not PWNED.exists()


def test_the_modules_of_a_configuration_are_those_that_are_not_ours() -> None:
    cfg = composed(*TINY_POINTS, "activation._target_=mine.deep.Steep", "dataset=mnist")
    assert modules_of(cfg) == ("mine.deep",)
    assert modules_of(DictConfig({"a": [{"_target_": "x.Y"}, {"_target_": 3}]})) == ("x",)


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


def test_weights_that_are_a_pickle_are_refused(run: Path, run_cli: Cli) -> None:
    weights = run / "seed_0/generator.safetensors"
    for write in (
        lambda: weights.write_bytes(pickle.dumps(Payload())),
        lambda: torch.save({"weight": Payload()}, weights),
        lambda: weights.write_bytes(b""),
    ):
        write()
        for command in ("sample", "evaluate"):
            code, out, err = run_cli(command, str(run))
            assert (code, out, err.count("\n")) == (2, "", 1), err
            assert "is not a sound safetensors file" in err
            assert not PWNED.exists()


def test_a_checkpoint_with_a_payload_is_refused(run: Path, run_cli: Cli) -> None:
    checkpoints.save(run / "checkpoint", 3, "", {})
    path = run / "checkpoint/step_00000003.pt"
    import hashlib

    torch.save({"format": checkpoints.CHECKPOINT_FORMAT, "step": 3, "states": Payload()}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n")
    code, _, err = run_cli("train", *TINY_POINTS, *(o for o in FEW if "steps" not in o), "steps=5")
    assert code == 2
    assert err.count("\n") == 1
    assert "step_00000003.pt is not read, because it holds more than numbers" in err
    assert not PWNED.exists()
    # The same file, trusted, would have done it: the test can fail.
    probe = f"import torch; torch.load({str(path)!r}, weights_only=False)"
    subprocess.run([sys.executable, "-c", probe], check=False, capture_output=True)
    assert PWNED.exists()


def test_inception_weights_that_are_a_pickle_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    from gan_lab.evaluation.features import inception_v3

    path = Path("weights.pth").absolute()
    torch.save({"weight": Payload()}, path)
    # As if somebody had found a file with these first digits of a digest, which is a matter of minutes.
    monkeypatch.setattr(inception_v3, "DIGEST", hashlib.sha256(path.read_bytes()).hexdigest()[:8])
    with pytest.raises(DataError, match=r"does not hold weights"):
        inception_v3.Inception(inception_v3.weights_file(path))
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


def test_links_do_not_lead_out_of_the_folder(run: Path, run_cli: Cli) -> None:
    precious = Path("precious").absolute()
    precious.write_text("mine")
    (run / "seed_0/samples_0.png").symlink_to(precious)
    assert run_cli("sample", str(run), "--number", "2")[0] == 0
    assert precious.read_text() == "mine"
    assert not (run / "seed_0/samples_0.png").is_symlink()
    elsewhere = Path("elsewhere").absolute()
    (run / "seed_0").rename(elsewhere)
    (run / "seed_0").symlink_to(elsewhere)
    with pytest.raises(GanLabError, match=r"is a link that leads out"):
        load(run)


@pytest.mark.parametrize("name", ["../../x", "a/b", "", "x" * 300, 3, None])
def test_a_data_sets_name_is_no_path(name: Any, run: Path) -> None:
    rewrite(run, "dataset.name", name)
    done, failed = evaluate(run, EvalOverrides(), CPU)
    assert done == []
    assert "dataset.name must be" in failed[0]


def test_numbers_that_cannot_be_are_said(run: Path) -> None:
    for key, value in (("model.latent_size", "x"), ("model.latent_size", None), ("model", 3)):
        before = (run / "config.yaml").read_text()
        rewrite(run, key, value)
        with pytest.raises(GanLabError):
            load(run).sample(1)
        (run / "config.yaml").write_text(before)
    with pytest.raises(ConfigurationError, match=r"1000000000000 samples is too large"):
        load(run).sample(10**12)
    rewrite(run, "model.generator.width", 10**7)
    with pytest.raises(ConfigurationError, match=r"model\.generator is too large for this machine"):
        load(run).generator()
    rewrite(run, "model.generator.width", 9)
    with pytest.raises(GanLabError, match=r"does not fit the run's config\.yaml: size mismatch"):
        load(run).generator()


def test_images_are_sampled_without_building_their_data() -> None:
    folder = train([*TINY_IMAGES, *FEW]).folder
    rewrite(folder, "dataset.size", "broken")
    assert load(folder).sample(2).shape == (2, 1, 8, 8)
