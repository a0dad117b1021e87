"""What people can get wrong, at the command line: one sentence, exit code 2, nothing half-made left.

One case for each way in which a command is refused; what each sentence says is tested where it is made.
"""

import pytest

from tests.helpers.cli import refused
from tests.helpers.experiments import TINY_POINTS

FEW = ("steps=2", "log.every=2", "samples.every=0", "metrics.every=0", "diagnostics.every=0")
LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("activatoin=elu", "unknown setting 'activatoin', did you mean 'activation'?"),  # Hydra
        ("~activation", "activation"),  # an interpolation that leads nowhere
        ("steps=0", "steps must be a whole number of at least 1, got 0"),  # the schema
        ("study=../x", "study must be"),  # the name of the folder
        ("device=toaster", "device must be"),
        ("activation._target_=nothing.here", "activation: "),  # a part that cannot be built
        ("model=dcgan", "cannot make points of 2 numbers"),
        ("optimizer.betas=[2,3]", "optimizer: Invalid beta"),  # only the first step shows it
        ("model.generator.width=10000000", "model.generator is too large for this machine"),
        ("activation=glob(*)", "requires --multirun"),
        (f"{LONG}=3", "File name too long"),  # the operating system
        (f"activation={LONG}", "File name too long"),
    ],
    ids=lambda text: ascii(text)[:50],
)
def test_training_is_refused(override: str, sentence: str) -> None:
    assert sentence in refused("train", *TINY_POINTS, *FEW, override)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dataset=image_folder", "dataset.path=nowhere"], "dataset.path=nowhere does not exist"),
        (["dataset=mnist", "dataset.root=/dev/null/x"], "cannot be read from /dev/null/x"),
        (["--config-dir", "/nowhere"], "/nowhere"),
        (["--config-name", "nothing"], "nothing"),
        (["-m", "batch_size=8,0"], "batch_size must be a whole number of at least 1, got 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_training_is_refused_with_these_arguments(arguments: list[str], sentence: str) -> None:
    assert sentence in refused("train", *arguments, *FEW)


@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "nowhere"],
        ["sample", "."],
        ["evaluate", "nowhere"],
        ["evaluate", "."],
        ["report", "nowhere"],
        ["ls", "nowhere"],
        ["activations", "nothing"],
        ["activations", "activation.alpha=3"],
        ["activations", "elu", "steps=3"],
        ["activations", "../activation/elu/x"],
        ["activations", "--config-dir", "nowhere"],
        ["activations", "--device", "toaster"],
        ["activations", "elu", "--no-timing", "-o", "x.docx"],
    ],
    ids=lambda value: ascii(" ".join(value)),
)
def test_other_commands_are_refused(arguments: list[str]) -> None:
    refused(*arguments)
