"""A run with networks of the user's own: listed, trained, measured, drawn from, resumed to the bit."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.helpers.own_networks import Latent, make_functional

Cli = Callable[..., tuple[int, str, str]]
YOURS = """\
defaults: [own, _self_]
latent_size: 4
generator:
  network: {_target_: tests.helpers.own_networks.Latent}
discriminator:
  network: {_target_: tests.helpers.own_networks.make_functional}
"""
SMALL = (
    "dataset=ring",
    "dataset.size=500",
    "batch_size=8",
    "seeds=2",
    "samples.number=8",
    "metrics.samples=64",
)
EVERY = (
    "metrics.samples=64",
    "log.every=2",
    "samples.every=4",
    "metrics.every=4",
    "diagnostics.every=4",
    "diagnostics.samples=16",
)


@pytest.fixture(autouse=True)
def yours() -> None:
    Path("mine/model").mkdir(parents=True)
    Path("mine/model/yours.yaml").write_text(YOURS)


def words(*more: str) -> list[str]:
    return ["train", "--config-dir", "mine", "model=yours", *SMALL, *EVERY, *more]


def run_of(pattern: str) -> Path:
    (folder,) = Path("outputs/ring").glob(pattern)
    return folder


def test_networks_of_ones_own_take_their_own_state_dicts(run_cli: Cli) -> None:
    torch.manual_seed(3)
    networks = {"generator": Latent(), "discriminator": make_functional()}
    weights = {
        f"{player}.{n}": t for player, network in networks.items() for n, t in network.state_dict().items()
    }
    save_file(weights, "both.safetensors")
    save_file(networks["generator"].state_dict(), "generator.safetensors")
    started = ("steps=1", "optimizer.lr=0", "metrics.every=0", "diagnostics.every=0")
    for source, discriminator in (("both", "6 of 6 tensors"), ("generator", "fresh")):
        code, _, err = run_cli(*words(*started, f"init_from={source}.safetensors", f"study={source}"))
        assert code == 0, err
        (folder,) = Path(f"outputs/{source}").glob("*/status.json")
        taken = json.loads(folder.read_text())["initial_weights"]
        count = len(networks["generator"].state_dict())
        assert taken == {"generator": f"{count} of {count} tensors", "discriminator": discriminator}
        state = load_file(folder.parent / "seed_1" / "generator.safetensors")
        assert {n.removeprefix("network."): t.tolist() for n, t in state.items()} == {
            n: t.tolist() for n, t in networks["generator"].state_dict().items()
        }


def test_from_the_table_to_the_report(run_cli: Cli) -> None:
    code, out, err = run_cli("inspect", "--config-dir", "mine", "model=yours", "activation=elu", *SMALL)
    assert code == 0, err
    assert "main.1" in out
    assert "own_networks.py:" in out
    assert not Path("outputs").exists()
    for activation in ("as_written", "prelu"):
        code, out, err = run_cli(*words("steps=4", f"activation={activation}", "engine=vmap"))
        assert code == 0, err
        assert "finished: 4 steps, 2 seeds" in out
    assert "\ngenerator: Latent, swaps 2 of 2 sites: main.1, main.3\n" in f"\n{err}"
    assert "WARNING" not in err
    status = json.loads((run_of("activation=prelu*") / "status.json").read_text())
    assert status["sites"]["generator"] == "Latent, swaps 2 of 2 sites: main.1, main.3"
    last = json.loads((run_of("activation=prelu*") / "seed_1/stats.jsonl").read_text().splitlines()[-1])
    assert "diagnostics/generator/main.3/dead" in last
    assert "diagnostics/discriminator/leaky_relu/slope" in last
    for command in ("sample", "evaluate"):
        code, _, err = run_cli(
            command, str(run_of("activation=prelu*")), "--trust", "tests.helpers.own_networks"
        )
        assert code == 0, err
        code, _, err = run_cli(command, str(run_of("activation=prelu*")))
        assert code == 2
    code, out, err = run_cli("report", "outputs/ring")
    assert code == 0, err
    page = (Path("outputs/ring/report/index.html")).read_text()
    assert "swaps 2 of 2 sites" in page
    assert "as_written" in out
    weights = load_file(run_of("activation=as_written*") / "seed_0/generator.safetensors")
    Latent().load_state_dict({name.removeprefix("network."): t for name, t in weights.items()})


@pytest.mark.parametrize("activation", ["prelu", "as_written"])
def test_a_run_that_was_stopped_ends_in_the_same_bits(activation: str, run_cli: Cli) -> None:
    both = []
    for study, stops in (("straight", [4]), ("resumed", [2, 4])):
        for steps in stops:
            more = (
                f"study={study}",
                f"steps={steps}",
                f"activation={activation}",
                "ema=0.9",
                "diagnostics.every=0",
            )
            code, _, err = run_cli(*words(*more), "metrics.every=0", "regularizer=r1")
            assert code == 0, err
        (file,) = Path(f"outputs/{study}").glob("*/seed_1/generator.safetensors")
        both.append(load_file(file))
    for name, tensor in both[0].items():
        assert torch.equal(tensor, both[1][name]), name


def test_as_written_is_refused_where_nothing_was_written(run_cli: Cli) -> None:
    code, _, err = run_cli("train", "dataset=ring", "model=mlp", "activation=as_written", "steps=1")
    assert code == 2
    assert "activation=as_written is what networks of your own have already" in err
    assert not Path("outputs").exists()


def test_a_module_that_is_not_there_is_named_with_where_it_was_looked_for(run_cli: Cli) -> None:
    target = "model.generator.network._target_=nowhere.Generator"
    code, _, err = run_cli(*words("steps=1", target))
    assert code == 2
    assert "No module named 'nowhere'" in err
    assert str(Path.cwd()) in err


def test_checkpoints_around_batch_normalization_are_refused(run_cli: Cli) -> None:
    target = "model.discriminator.network._target_=tests.helpers.own_networks.CheckpointedNorm"
    code, _, err = run_cli(*words("steps=1", target))
    assert code == 2
    assert "a gradient checkpoint computes something else the second time" in err
    assert not Path("outputs").exists()
