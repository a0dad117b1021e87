"""configs/README.md: all files in it are written, all commands run, and the examples do what they say."""

import json
import math
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import load_file
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.testing import assert_close

from gan_lab.config.build import build
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import TINY_POINTS

Cli = Callable[..., tuple[int, str, str]]
README = (config_dir() / "README.md").read_text()
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE))
FILES = dict(
    re.findall(r"^```\w+\n(?=(?:# @[^\n]*\n)?# (mine/\S+)\n)(.*?)^```", README, re.DOTALL | re.MULTILINE)
)
SMALL = ("steps=2", "batch_size=4", "seeds=1", "samples.every=0", "samples.number=4")
# What a section does not show is left out, because it takes longer than two steps.
MEASURED = {"features": ("metrics",), "metric": ("metrics",), "diagnostic": ("diagnostics",)}
MEASURED["experiment"] = ("metrics", "diagnostics")


def commands(text: str) -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("gan-lab ")]


def shortened(words: list[str], section: str) -> list[str]:
    """The same command with arguments that make it quick, and keep it in this process."""
    if words[0] == "activations":
        return [*words, "--no-timing"]
    if words[0] != "train":
        return [path for word in words for path in (sorted(map(str, Path().glob(word))) or [word])]
    if "--cfg" in words:
        return words
    observers = [
        f"{name}.samples=64" if name in MEASURED.get(section, ()) else f"{name}.every=0"
        for name in ("metrics", "diagnostics")
    ]
    if section == "hydra/launcher":
        observers.append("hydra.launcher.n_jobs=1")
    elif "-m" in words or section == "experiment":
        observers.append("hydra/launcher=basic")
    return [*words, *SMALL, *observers]


@pytest.fixture(autouse=True)
def mine(tmp_path: Path) -> Path:
    """The user's folder, with every file of the README."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "mine"


def composed(mine: Path, *overrides: str) -> DictConfig:
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        return compose("train", overrides=[*overrides, f"hydra.searchpath=['file://{mine}']"])


def test_every_group_has_a_section_and_every_file_a_command(mine: Path) -> None:
    groups = {str(path.parent.relative_to(config_dir())) for path in config_dir().glob("*/**/*.yaml")}
    assert set(SECTIONS) == groups
    typed = {word for text in SECTIONS.values() for command in commands(text) for word in command}
    for path in mine.rglob("*.yaml"):
        group, name = path.parent.relative_to(mine), path.stem
        assert any(re.search(rf"(^|@\w*|\b){group}.*=.*\b{name}\b", w) or w == name for w in typed), path


def test_the_readme_is_no_group_and_no_choice() -> None:
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        loader = GlobalHydra.instance().config_loader()
        assert not any("README" in name for name in loader.list_groups(""))
        assert "README" not in loader.get_group_options("")


# tests/processes/test_loggers.py runs those of loggers, which start processes
@pytest.mark.parametrize("section", [section for section in SECTIONS if section != "logger"])
def test_every_command_runs(section: str, mine: Path, run_cli: Cli) -> None:
    for words in commands(SECTIONS[section]):
        code, out, err = run_cli(*shortened(words, section), PYTHONPATH=str(mine))
        assert code == 0, f"{words}: {err}"
        if words[0] == "train" and "--cfg" not in words:
            assert "finished: 2 steps" in out
            assert "failed" not in out
    assert commands(SECTIONS[section])
    for status in Path("outputs").glob("*/*/status.json"):
        assert json.loads(status.read_text())["state"] == "finished"


def test_scores_and_diagnostics_of_ones_own_are_recorded(mine: Path, run_cli: Cli) -> None:
    words = [
        *("train", "--config-dir", "mine", "metric=[mean_distance]", "diagnostic=[sparsity]"),
        *("features=half_size", "activation=relu", "metrics.samples=64", "diagnostics.samples=16"),
    ]
    code, _, err = run_cli(*words, *SMALL, PYTHONPATH=str(mine))
    assert code == 0, err
    (folder,) = Path("outputs/digits").glob("*/seed_0")
    results = json.loads((folder / "results.json").read_text())
    assert results["primary"] == "mean_distance"
    assert results["features"] == {"name": "half_size", "hash": "half256", "dimensions": 64}
    assert results["metrics"]["mean_distance"]["last"] > 0
    last = json.loads((folder / "stats.jsonl").read_text().splitlines()[-1])
    shares = [value for key, value in last.items() if key.endswith("/zeros")]
    assert shares
    assert all(0 < share < 1 for share in shares)


@pytest.fixture
def part(mine: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Build an example as training does."""
    monkeypatch.syspath_prepend(str(mine))

    def built(group: str, name: str, *overrides: str, **arguments: object) -> object:
        cfg = composed(mine, f"{group}={name}", *overrides)
        if OmegaConf.select(cfg, f"{group}._partial_"):
            return build(cfg, group)(**arguments)
        return build(cfg, group, **arguments)

    return built


COMMON_WISHES = {
    "label smoothing": ("objective=label_smoothing",),
    "instance noise": ("augmentation=instance_noise", "augmentation.numbers=2"),
    "weight clamping": ("objective=wasserstein", "optimizer=clamped", "optimizer.lr=1e-2"),
    "a schedule": ("schedule=stairs", "schedule.every=1"),
    "clipping": ("clipping=each", "clipping.max_norm=1e-3", "optimizer=sgd"),
}


@pytest.mark.parametrize("name", COMMON_WISHES)
def test_what_is_often_asked_for_trains_stacked_as_alone_and_resumes_to_the_same_bits(
    name: str, mine: Path, run_cli: Cli
) -> None:
    def trained(study: str, *words: str) -> dict[str, torch.Tensor]:
        code, _, err = run_cli(
            *("train", "--config-dir", "mine", *COMMON_WISHES[name], f"study={study}", *TINY_POINTS),
            *("seeds=2", "log.every=1", "samples.every=0", *words),
            PYTHONPATH=str(mine),
        )
        assert code == 0, err
        assert "one by one" not in err
        (folder,) = Path(f"outputs/{study}").glob("*/seed_1")
        return load_file(folder / "generator.safetensors")

    straight = trained("straight", "engine=vmap", "steps=4")
    trained("resumed", "engine=vmap", "steps=2")
    assert_close(trained("resumed", "engine=vmap", "steps=4"), straight, rtol=0, atol=0)
    assert_close(trained("alone", "engine=sequential", "steps=4"), straight, rtol=2e-4, atol=2e-5)


def test_label_smoothing_is_cross_entropy_with_smooth_labels(part: Callable[..., object]) -> None:
    objective = part("objective", "label_smoothing", "objective.smoothing=0.2")
    real, fake = torch.randn(2, 9, dtype=torch.float64)
    loss = objective.discriminator_loss(real, fake)  # type: ignore[attr-defined]
    expected = binary_cross_entropy_with_logits(real, torch.full_like(real, 0.8))
    expected += binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    torch.testing.assert_close(loss, expected)


def test_clamped_weights_stay_in_their_limits(part: Callable[..., object]) -> None:
    parameter = torch.nn.Parameter(torch.tensor([-3.0, 0.001, 3.0]))
    optimizer = part("optimizer", "clamped", "optimizer.limit=0.5", params=[parameter])
    parameter.grad = torch.zeros(3)
    optimizer.step()  # type: ignore[attr-defined]
    assert parameter.tolist() == pytest.approx([-0.5, 0.001, 0.5])


def test_instance_noise_is_normal_and_on_both_kinds_of_samples(part: Callable[..., object]) -> None:
    noise = part("augmentation", "instance_noise", "augmentation.std=0.5")
    samples, rand = torch.ones(400, 1, 16, 16), torch.rand(400, 256)
    for kind in ("real", "fake"):
        added = getattr(noise, kind)(samples, rand) - samples
        assert added.mean().item() == pytest.approx(0, abs=0.01)
        assert added.std().item() == pytest.approx(0.5, abs=0.01)
        assert (added.abs() < 0.5).float().mean().item() == pytest.approx(
            math.erf(1 / math.sqrt(2)), abs=0.01
        )
