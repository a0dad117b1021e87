"""Two processes draw the same random numbers inside their networks."""

from pathlib import Path

import pytest

from tests.helpers.cli import call_process
from tests.helpers.experiments import TINY_POINTS


@pytest.mark.parametrize("activation", ["torch.nn.Dropout", "torch.nn.RReLU"])
def test_the_same_command_in_another_process_gives_the_same_bits(activation: str) -> None:
    words = (*TINY_POINTS, "~activation", f"+activation._target_={activation}", "samples.every=0", "seeds=2")
    for study, *steps in (("straight", 6), ("again", 6), ("resumed", 3, 6)):
        for number in steps:
            code, _, err = call_process("train", *words, f"study={study}", f"steps={number}")
            assert code == 0, err
            assert "the seeds are trained one by one (engine=sequential)" in err
    for seed in (0, 1):
        weights = [
            next(Path("outputs", study).glob(f"*/seed_{seed}/generator.safetensors")).read_bytes()
            for study in ("straight", "again", "resumed")
        ]
        assert weights[0] == weights[1] == weights[2]
