"""A run knows its data: it is neither skipped nor resumed over other images."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_lab.runs.checkpoints import load_latest
from gan_lab.runs.existing import existing_status, is_done
from gan_lab.runs.load import load
from gan_lab.utils.errors import ConfigurationError, DataError
from tests.helpers.experiments import composed, train

SMALL = (
    *("dataset=image_folder", "dataset.size=8", "dataset.path=pictures", "model.latent_size=8"),
    *("model.generator.width=4", "model.discriminator.width=4", "batch_size=4", "steps=2"),
    *("samples.every=0", "metrics.every=0", "diagnostics.every=0", "activation=relu"),
)


def pictures(color: tuple[int, int, int], number: int = 12) -> None:
    Path("pictures").mkdir(exist_ok=True)
    for path in Path("pictures").iterdir():
        path.unlink()
    rng = np.random.default_rng(sum(color))
    for index in range(number):
        pixels = np.clip(rng.normal(color, 25, (8, 8, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(f"pictures/{index:02}.png")


def test_other_pictures_under_the_same_names_are_refused() -> None:
    pictures((220, 40, 40))
    run = train(SMALL)
    assert run.status.data_samples == 12
    status = run.folder / "status.json"
    elsewhere = status.read_text().replace(f'"process": {os.getpid()}', '"process": 1')
    status.write_text(elsewhere)
    pictures((40, 40, 220))
    for words in (SMALL, (*SMALL, "steps=4")):
        with pytest.raises(ConfigurationError, match="as many samples with other content"):
            train(words)
        assert status.read_text() == elsewhere
    pictures((220, 40, 40), number=9)
    with pytest.raises(ConfigurationError, match="12 samples then, 9 now"):
        train(SMALL)
    assert train((*SMALL, "rerun=true")).status.data_samples == 9


def test_the_same_pictures_written_again_are_the_same_data() -> None:
    pictures((220, 40, 40))
    first = train(SMALL)
    pictures((220, 40, 40))
    for path in Path("pictures").iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    again = train(SMALL)
    assert again.status.data_fingerprint == first.status.data_fingerprint
    assert (again.status.state, again.status.step) == ("finished", 2)


def test_a_finished_run_notices_changed_files_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures((220, 40, 40))
    run = train(SMALL)
    cfg = composed(*SMALL)
    status = existing_status(cfg, run.folder)
    assert status is not None
    monkeypatch.setitem(sys.modules, "torch", None)
    assert is_done(cfg, status)
    pictures((40, 40, 220))
    assert not is_done(cfg, status)


def test_generators_are_not_measured_against_other_data(run_cli: Callable[..., tuple[int, str, str]]) -> None:
    pictures((220, 40, 40))
    run = train(SMALL)
    code, _, err = run_cli("evaluate", str(run.folder), "--metric", "sliced_wasserstein")
    assert code == 0, err
    results = run.folder / "seed_0" / "results.json"
    before = results.read_bytes()
    for path in Path("pictures").iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    code, out, err = run_cli("evaluate", str(run.folder), "--metric", "sliced_wasserstein")
    assert (code, "up to date" in out) == (0, True), err
    pictures((40, 40, 220), number=9)
    for words in ((), ("--force",), ("--metric", "prdc")):
        code, out, err = run_cli("evaluate", str(run.folder), *words)
        assert code == 2
        assert "was trained on other data than dataset=image_folder holds now (12 samples then, 9 now)" in err
        assert "--force" not in err
    assert results.read_bytes() == before


def test_a_run_over_other_data_is_loaded_only_on_demand(run_cli: Callable[..., tuple[int, str, str]]) -> None:
    pictures((220, 40, 40))
    folder = train(SMALL).folder
    assert load(folder).sample(2).shape == (2, 3, 8, 8)
    pictures((40, 40, 220), number=9)
    with pytest.raises(DataError, match=r"12 samples then, 9 now\): load\(folder, changed_data=True\)"):
        load(folder)
    assert load(folder, changed_data=True).sample(2).shape == (2, 3, 8, 8)
    assert run_cli("sample", str(folder), "--number", "4")[0] == 0
    shutil.rmtree("pictures")
    assert load(folder).sample(2).shape == (2, 3, 8, 8)


def test_checkpoint_and_results_carry_the_fingerprint() -> None:
    pictures((220, 40, 40))
    words = (
        *(word for word in SMALL if "metrics" not in word),
        "metric=sliced_wasserstein",
        "metrics.every=2",
    )
    run = train((*words, "features=raw"))
    expected = (run.status.data_fingerprint, 12)
    assert len(expected[0]) == 64
    results = run.run.seeds[0].results
    checkpoint = load_latest(run.folder / "checkpoint", run.status.identity)
    assert results is not None
    assert checkpoint is not None
    for content in (results, checkpoint):
        assert (content["data_fingerprint"], content["data_samples"]) == expected
    replace(run.status, data_fingerprint="", data_samples=0).save(run.folder)  # a status that knows nothing
    pictures((40, 40, 220))
    with pytest.raises(ConfigurationError, match="as many samples with other content"):
        train((*words, "features=raw", "steps=4"))
