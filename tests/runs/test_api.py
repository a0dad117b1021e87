"""What Python code calls: one run, a study, its tables, and a process that is as it was."""

import importlib.util
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize
from hydra.core.global_hydra import GlobalHydra

import gan_lab
from gan_lab import GanLabError, Study, TrainedRun, load, train_run
from gan_lab.utils.errors import ConfigurationError, RunFailedError
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS

FEW = ("steps=2", "samples.every=0", "metrics.every=2", "metrics.samples=64")
needs_pandas = pytest.mark.skipif(
    importlib.util.find_spec("pandas") is None and not os.environ.get("CI"), reason="there is no pandas here"
)


def test_its_names_are_all_there_is() -> None:
    assert dir(gan_lab) == sorted(gan_lab.__all__)
    assert all(getattr(gan_lab, name).__doc__ for name in dir(gan_lab))
    with pytest.raises(AttributeError, match="no attribute 'Studdy'"):
        gan_lab.Studdy  # noqa: B018


def test_keywords_and_overrides_are_the_same_run() -> None:
    words = [word for word in TINY_POINTS if word != "model=mlp"]
    run = train_run([*words, *FEW], activation="elu", optimizer__lr=0.01)
    again = train_run([*words, *FEW, "activation=elu", "optimizer.lr=0.01"])
    assert run.folder == again.folder
    assert run.status.choices["model"] == "mlp"
    assert repr(run).splitlines() == [
        f"{run.folder}: finished at step 2, 1 seed",
        f"mode_js {run.run.seeds[0].results['metrics']['mode_js']['last']:.3g} (real data 0.0177)",
    ]
    assert load(run.folder).sample().shape == (64, 2)


@needs_pandas
def test_a_study_is_trained_and_read() -> None:
    study = Study("try")
    assert repr(study).splitlines()[0] == "Study('try'): no runs yet in outputs/try"
    runs = study.train([*TINY_POINTS, *FEW], activation=["relu", "elu"], seeds=2)
    assert [run.cfg.activation._target_ for run in runs] == ["torch.nn.ReLU", "torch.nn.ELU"]
    assert [run.folder.parent for run in runs] == [Path("outputs/try")] * 2
    assert len(repr(study).splitlines()) == 2
    assert repr(study).startswith("Study('try'): 2 runs in outputs/try, 2 finished\nactivation=elu")

    scores = study.scores()
    table = scores[scores["metric"] == "mode_js"].set_index(["activation", "seed"])
    assert sorted(table.index) == [("elu", 0), ("elu", 1), ("relu", 0), ("relu", 1)]
    for run in runs:
        name = run.status.choices["activation"]
        for seed in run.run.seeds:
            assert table.loc[(name, seed.number), "last"] == seed.results["metrics"]["mode_js"]["last"]
    curves = study.curves().set_index(["activation", "seed", "step"])
    assert sorted(set(curves.index)) == [
        (a, s, step) for a in ("elu", "relu") for s in (0, 1) for step in (0, 2)
    ]
    assert curves.loc[("elu", 1, 2), "metrics/mode_js"] == table.loc[("elu", 1), "last"]

    before = {path: path.stat().st_mtime_ns for path in Path("outputs").glob("*/*/status.json")}
    assert [run.folder for run in study.train([*TINY_POINTS, *FEW, "activation=relu,elu", "seeds=2"])] == [
        run.folder for run in runs
    ]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [type(run) for run in study.runs()] == [TrainedRun] * 2


def test_a_report_is_written_and_its_verdict_printed(capsys: pytest.CaptureFixture[str]) -> None:
    study = Study("told")
    study.train([*TINY_POINTS, *FEW], activation=["relu"])
    capsys.readouterr()
    page = study.report()
    assert page == Path("outputs/told/report/index.html")
    assert "<html" in page.read_text()
    assert "relu" in capsys.readouterr().out


def test_a_run_that_fails_stops_no_other() -> None:
    with pytest.raises(RunFailedError, match=r"1 run of 2 failed: .*Invalid beta parameter at index 0: 2\.0"):
        Study("bad").train(
            [*TINY_POINTS, "steps=1", "metrics.every=0"], optimizer__betas=[(2.0, 0.9), (0.5, 0.9)]
        )
    (status,) = Path("outputs/bad").glob("*/status.json")
    assert '"finished"' in status.read_text()


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda: Study("x").train("activation=elu"), r"must be a list, \['activation=elu'\]"),
        (lambda: Study("x").train(activation="relu,elu"), r"activation=\['relu', 'elu'\], got 'relu,elu'"),
        (lambda: train_run(activation=["relu", "elu"]), r"train_run\(\) trains one run, got several values"),
        (lambda: Study("x").train(study="y"), "study is the name of this study, 'x': leave it out"),
        (lambda: Study("a/b"), "study must be a name"),
        (lambda: train_run(config_dir="nowhere"), "config_dir must be a folder of YAML files"),
        (lambda: train_run(stepz=3), "unknown setting 'stepz', did you mean 'steps'"),
        (lambda: train_run(lr=3), r"there is no 'lr' here; type optimizer\.lr=3"),
        (lambda: Study("x").report(), "outputs/x is neither a run nor a study"),
    ],
)
def test_a_mistake_is_a_sentence_and_leaves_nothing(mistake: object, sentence: str) -> None:
    with pytest.raises(GanLabError, match=sentence):
        mistake()  # type: ignore[operator]
    assert not Path("outputs").exists()


def test_files_of_ones_own_are_found(tmp_path: Path) -> None:
    (tmp_path / "mine/activation").mkdir(parents=True)
    (tmp_path / "mine/activation/steep.yaml").write_text(
        "_target_: torch.nn.LeakyReLU\nnegative_slope: 0.7\n"
    )
    run = train_run([*TINY_POINTS, "steps=1"], activation="steep", config_dir="mine")
    assert run.cfg.activation.negative_slope == 0.7


def test_the_process_is_as_it_was() -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    plain = train_run([*TINY_IMAGES, "steps=2", "study=plain"])
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            inside = train_run([*TINY_IMAGES, "steps=2", "study=inside"])
            assert torch.get_default_dtype() == torch.float64
            assert not torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
    tiny = torch.full((1,), 2.0**-1040, dtype=torch.float64)
    assert (tiny * 1.5).item() > 0  # denormal numbers are numbers
    assert torch.get_num_threads() == 1
    after = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert after == before
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    # and what the caller has set changes no bit of the run
    weights = [(run.folder / "seed_0/generator.safetensors").read_bytes() for run in (plain, inside)]
    assert weights[0] == weights[1]


def test_it_works_inside_an_application_of_hydra(tmp_path: Path) -> None:
    with initialize(version_base=None, config_path=None):
        mine = GlobalHydra.instance().hydra
        train_run([*TINY_POINTS, "steps=1"])
        assert GlobalHydra.instance().hydra is mine
        assert compose(overrides=["+mine=3"]).mine == 3


def test_an_error_inside_leaves_the_process_as_it_was() -> None:
    with pytest.raises(ConfigurationError):
        train_run([*TINY_POINTS, "activation=leaky_relu", "activation.negative_slope=x"])
    assert (torch.full((1,), 2.0**-1040, dtype=torch.float64) * 1.5).item() > 0


RUN = "the path of a run's folder, such as 'outputs/digits/<run>'"
TRUST = r"trust must be a list of modules' names, such as \['my_module'\]"
WHOLE = "number must be a whole number of at least 1"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda run: run.sample(-1), f"{WHOLE}, got -1"),
        (lambda run: run.sample(2.5), f"{WHOLE}, got 2.5"),
        (lambda run: run.interpolate(-1), f"{WHOLE}, got -1"),
        (lambda run: run.interpolate(2.5), f"{WHOLE}, got 2.5"),
        (lambda run: run.sample(2, seed="0"), "has no seed '0'; it has 0"),
        (lambda run: run.sample(2, device="gpu"), "device must be auto, cpu, .*got 'gpu'"),
        (lambda run: run.generator(device=3.5), "device must be auto, cpu, .*got 3.5"),
        (lambda run: load(None), f"folder must be {RUN}, got None"),
        (lambda run: load(3), f"folder must be {RUN}, got 3"),
        (lambda run: load(run.folder, trust="mine"), f"{TRUST}, got 'mine'"),
        (lambda run: load(run.folder, trust=3), f"{TRUST}, got 3"),
        (lambda run: Study("points").runs(trust=3), f"{TRUST}, got 3"),
        (lambda run: train_run(3), r"overrides must be a list such as \['activation=elu'\], got 3"),
        (lambda run: train_run(None), "overrides must be a list such as .*, got None"),
        (lambda run: Study("points").train(3), "overrides must be a list such as .*, got 3"),
        (lambda run: train_run(config_dir=3), "config_dir must be a folder of YAML files, .*got 3"),
        (lambda run: train_run(dataset=[torch.zeros(1, 8, 8)] * 9), "dataset must be one tensor .*9 images"),
        (lambda run: Study("x").train(dataset=[np.zeros((8, 8))] * 9), "dataset must be one .*9 images"),
        (lambda run: train_run(dataset={"a": 1}), "dataset must be images .*, got dict"),
        (
            lambda run: train_run(dataset=torch.zeros(3, 1, 8, 8, dtype=torch.uint8), metrics__every=1),
            "must have at least 4 samples, half of them to compare with, got 3: metrics.every=0 trains",
        ),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence(
    call: Callable[[TrainedRun], object], sentence: str, trained: Callable[..., TrainedRun]
) -> None:
    with pytest.raises(GanLabError, match=sentence) as caught:
        call(trained(*TINY_POINTS, "steps=2", "samples.every=0"))
    assert "\n" not in str(caught.value)
