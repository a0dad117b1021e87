"""What the README says is run, and said of every command and entry there is."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gan_lab.cli import COMMANDS
from gan_lab.config.schema import VALIDATORS
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import UNMEASURED, choices

README = (Path(__file__).parents[2] / "README.md").read_text()
Cli = Callable[..., tuple[int, str, str]]
SMALL = ["steps=1", "batch_size=4", "seeds=1", "samples.number=4", "samples.every=0", *UNMEASURED]


def commands(name: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(f"gan-lab {name}")]


@pytest.mark.parametrize("line", commands("train"))
def test_every_training_command_trains(line: str, run_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine/activation").mkdir(parents=True)
    own = re.search(r"```yaml\n# mine/activation/steep.yaml\n(.*?)```", README, re.DOTALL)
    assert own
    (tmp_path / "mine/activation/steep.yaml").write_text(own[1])
    (tmp_path / "my_pictures").mkdir()
    from PIL import Image

    for k in range(8):
        Image.new("RGB", (70, 80), (30 * k, 0, 255 - 30 * k)).save(tmp_path / f"my_pictures/{k}.png")
    words = shlex.split(line, comments=True)[2:]
    code, out, err = run_cli("train", *words, *SMALL)
    assert code == 0, err
    assert "finished: 1 steps, 1 seed" in out


def test_sample_and_python_as_the_readme_has_them(run_cli: Cli) -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code
    names: dict[str, object] = {}
    small = code[1].replace('"steps=200"', '"steps=2", "batch_size=4", "metrics.every=0"')
    assert small != code[1]
    exec(small, names)
    images = names["images"]
    assert isinstance(images, torch.Tensor)
    assert images.shape == (64, 1, 16, 16)
    (line,) = commands("sample")
    (run,) = Path("outputs/digits").iterdir()
    words = shlex.split(line, comments=True)[1:]
    rc, out, err = run_cli(*(str(run) if "<run>" in word else word for word in words))
    assert rc == 0, err
    assert Path(out.strip()).exists()


def test_what_comes_after_training_as_the_readme_has_it(run_cli: Cli) -> None:
    for study in ("digits", "activations_on_digits"):
        code, _, err = run_cli(
            "train",
            "-m",
            f"study={study}",
            "activation=relu,elu",
            *SMALL,
            "metrics.every=1",
            "metrics.samples=64",
        )
        assert code == 0, err
    lines = [line for name in ("report", "evaluate", "ls", "activations") for line in commands(name)]
    assert {line.split()[1] for line in lines} == {"report", "evaluate", "ls", "activations"}
    for line in lines:
        code, out, err = run_cli(*shlex.split(line, comments=True)[1:])
        assert code == 0, f"{line}: {err}"
        assert "relu" in out
    assert Path("outputs/activations_on_digits/report/index.html").exists()


@pytest.mark.parametrize(
    "group",
    sorted({str(p.parent.relative_to(config_dir())) for p in config_dir().glob("*/**/*.yaml")}),
)
def test_every_entry_of_every_group_is_named(group: str) -> None:
    (row,) = re.findall(rf"^\| `{group}` \|(.*)$", README, re.MULTILINE)
    for name in choices(group):
        assert re.search(rf"\b{name}\b", row), f"{group}={name} is not in the README's table"


def test_every_command_is_named() -> None:
    for name in COMMANDS:
        assert f"gan-lab {name}" in README


def test_every_key_of_the_root_is_checked_and_explained() -> None:
    from omegaconf import OmegaConf

    text = (config_dir() / "train.yaml").read_text()
    root = OmegaConf.load(config_dir() / "train.yaml")
    plain = {str(k) for k in root if k not in ("defaults", "hydra")}
    checked = {key.split(".")[0] for key in VALIDATORS}
    assert plain <= checked
    for key in plain - {"log", "samples", "metrics", "diagnostics", "checkpoint"}:  # they have a common one
        assert re.search(rf"^{key}:.* # ", text, re.MULTILINE), f"{key} has no comment"
