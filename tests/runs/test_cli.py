"""`gan-lab train` with activations of one's own."""

from collections.abc import Callable
from pathlib import Path

from gan_lab import load
from tests.helpers.experiments import TINY_POINTS

Cli = Callable[..., tuple[int, str, str]]
FEW = ("steps=4", "log.every=2", "samples.every=4")


def test_own_activation_from_a_folder(run_cli: Cli) -> None:
    own = Path("mine/activation/steep.yaml")
    own.parent.mkdir(parents=True)
    own.write_text("_target_: torch.nn.LeakyReLU\nnegative_slope: 0.7\n")
    code, _, err = run_cli("train", "--config-dir", "mine", "activation=steep", *TINY_POINTS, *FEW)
    assert code == 0, err
    (status,) = Path("outputs").rglob("status.json")
    run = load(status.parent)
    assert run.status.choices["activation"] == "steep"
    assert "negative_slope=0.7" in str(run.generator())
