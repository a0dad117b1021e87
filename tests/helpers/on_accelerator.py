"""What `tests/processes/test_accelerator.py` has done in a process that has a pretended accelerator."""

import math
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_lab import train_run
from gan_lab.evaluation.evaluate import EvalOverrides, evaluate_study
from gan_lab.runs.load import TrainedRun, load
from gan_lab.training import build, run
from gan_lab.training.build import (
    Experiment,
    Limits,
    build_components,
    build_engine_config,
    build_experiment,
    fresh_states,
)
from gan_lab.training.diagnosing import Diagnoser
from gan_lab.training.divergence import DivergenceGuard
from gan_lab.training.engines import Engine, cuda_graph
from gan_lab.training.engines.choice import Choice, choices_on_trial
from gan_lab.training.engines.cuda_graph import WARMUP_STEPS
from gan_lab.training.scoring import Scoring
from gan_lab.utils.seeding import seeded
from tests.helpers import accelerator
from tests.helpers.capture import Repeating
from tests.helpers.experiments import composed

WARMUP = 2  # optimizers make their state, and batches of the first block are drawn


@dataclass(frozen=True)
class Steady:
    """One step after the first ones: what it launched, and whatever made the processor wait.

    difference: the largest between losses and logits of all steps and those on the CPU, over 1 + their size.
    """

    launches: int
    waits: list[str]
    difference: float


def begin() -> None:
    """Prepare this process: it has the accelerator from now on."""
    torch.set_num_threads(1)
    accelerator.install()


def steady_step(words: Sequence[str], *, offloaded: bool = False, resumed: bool = False) -> Steady:
    """Take a few steps on both devices. Raises `accelerator.Refused` for what a device would refuse.

    offloaded: the data stay on the CPU, as those do that do not fit into the device's memory; resumed: the
    last step is that of another engine, which has taken over the states.
    """
    ours = _Trained(words, torch.device(accelerator.NAME, 0), offloaded=offloaded)
    theirs = _Trained(words, torch.device("cpu"))
    history = []
    for step in range(WARMUP + 1):
        if resumed and step == WARMUP:
            ours.engine = ours.engine.select(ours.engine.states())
        accelerator.LEDGER.clear()
        history.append(ours.step(step))
    ledger = accelerator.LEDGER
    launches, waits = sum(ledger.launches.values()), [*ledger.reads, *ledger.blocking]
    differences = [_difference(history[step], theirs.step(step)) for step in range(WARMUP + 1)]
    return Steady(launches, waits, max(differences))


def whole_run(folder: Path, words: Sequence[str]) -> float:
    """Train, resume, evaluate and sample on the accelerator; return how far samples are from the CPU's.

    Raises AssertionError if anything was refused that a run survives, such as a metric.
    """
    os.chdir(folder)
    device = torch.device(accelerator.NAME, 0)
    accelerator.LEDGER.clear()
    chosen, run.select_device = run.select_device, lambda name: device
    try:
        train_run(["study=ours", *words, "steps=3"])
        ours = train_run(["study=ours", *words, "steps=5"])
        trained_scores = _scores(ours)
        scores = _scores(ours, device)
    finally:
        run.select_device = chosen
    assert ours.status.device.startswith(accelerator.NAME), ours.status.device
    kinds = (ours.sample, ours.interpolate)
    drawn = {kind.__name__: kind(4, device=device) for kind in kinds}
    assert not accelerator.LEDGER.refused, accelerator.LEDGER.refused
    theirs = train_run(["study=theirs", *words, "steps=5", "device=cpu"])
    # Scores count samples, so they may jump by one.
    expected = [_scores(theirs), _scores(theirs, torch.device("cpu"))]
    for one, other in zip([trained_scores, scores], expected, strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-6, nan_ok=True)
    return _difference(drawn, {"sample": theirs.sample(4), "interpolate": theirs.interpolate(4)})


def _scores(trained: TrainedRun, device: torch.device | None = None) -> dict[str, float]:
    """Return what a run's first seed scores; measured anew where a device is given."""
    if device is not None:
        _, errors = evaluate_study(trained.folder, EvalOverrides(samples=32), device, force=True)
        assert not errors, errors
    metrics = load(trained.folder).run.seeds[0].results["metrics"]
    # None is what is not defined, such as the spread of modes without a sample.
    return {name: math.nan if score["last"] is None else score["last"] for name, score in metrics.items()}


def copies_into_an_engine(words: Sequence[str]) -> tuple[int, int]:
    """Return how many copies to the device it takes to go on there from a checkpoint, and how many it needs.

    That is one for each tensor of the engine.
    """
    trained = _Trained(words, torch.device("cpu"))
    trained.step(0)
    config = replace(trained.engine.config, device=torch.device(accelerator.NAME, 0))
    states = trained.engine.states()
    accelerator.LEDGER.clear()
    engine = Engine(config, states)
    copies = accelerator.LEDGER.blocking.total()
    needed = 0
    for group in engine.groups:
        remembered = [state for optimizer in group.optimizers.values() for state in optimizer.state.values()]
        for tensors in (group.params, group.buffers, group.average, *remembered):
            needed += sum(tensor.device == config.device for tensor in tensors.values())
    return copies, needed


def diagnostic_look(words: Sequence[str]) -> tuple[int, int, int]:
    """Return how many operations a look at all seeds launches, and how often it reads and waits to write.

    Raises AssertionError if it finds other numbers than a look at each seed by itself.
    """
    trained = _Trained(words, torch.device(accelerator.NAME, 0))
    experiment = trained.experiment
    assert experiment.probe is not None
    trained.step(0)
    diagnoser = Diagnoser(experiment.probe, experiment.diagnostics)
    accelerator.LEDGER.clear()
    found = diagnoser(trained.engine, lambda what: nullcontext())
    ledger = accelerator.LEDGER
    counted = ledger.launches.total(), ledger.reads.total(), ledger.blocking.total()
    assert len(found) == len(trained.engine.seeds) * len(experiment.diagnostics)
    assert not diagnoser._one_by_one
    diagnoser._one_by_one.add("networks")
    alone = diagnoser(trained.engine, lambda what: nullcontext())
    for (seed, ours), (same_seed, theirs) in zip(found, alone, strict=True):
        assert seed == same_seed
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-6)
    return counted


def evaluation(words: Sequence[str], samples: int) -> tuple[int, int]:
    """Return how often an evaluation of all seeds in training reads from the device, and waits to write."""
    trained = _Trained((*words, f"metrics.samples={samples}"), torch.device(accelerator.NAME, 0))
    evaluator = trained.experiment.evaluator
    assert evaluator is not None
    assert evaluator.count == samples
    trained.step(0)
    accelerator.LEDGER.clear()
    scoring = Scoring(evaluator, workers=0)
    pending = scoring.begin(trained.engine, _fail, _fail)
    assert len(pending.scores()) == len(trained.engine.seeds)
    return accelerator.LEDGER.reads.total(), accelerator.LEDGER.blocking.total()


def _fail(*errors: object) -> None:
    raise AssertionError(errors)


def is_restored(words: Sequence[str]) -> bool:
    """Whether the device's global generator is as before, after a step whose networks draw from it."""
    device = torch.device(accelerator.NAME, 0)
    backend = torch.get_device_module(device)
    backend.manual_seed(7)
    before = backend.get_rng_state()
    _Trained(words, device, limits=Limits(draws=True)).step(0)
    with seeded(0, "a stream of the CPU"):
        pass
    return bool(backend.get_rng_state().equal(before))


def complaints() -> dict[str, str]:
    """Do what a device refuses or waits for; return what the accelerator says of each."""
    ledger, device = accelerator.LEDGER, torch.device(accelerator.NAME, 0)
    ours, theirs = torch.ones(3, device=device), torch.ones(3)
    said = {}
    for what, act in {
        "compute with a tensor of the CPU": lambda: ours + theirs,
        "compare with a number": lambda: ours > torch.tensor(0.5),
        "draw from a generator of the CPU": lambda: torch.randn(
            2, device=device, generator=torch.Generator().manual_seed(1)
        ),
        "draw from a generator of its own": lambda: torch.randn(
            2, device=device, generator=torch.Generator(device).manual_seed(1)
        ),
        "compute in float64": ours.double,
        "read one number": lambda: float(ours.sum()),
        "read all numbers": ours.tolist,
        "copy to the CPU": ours.cpu,
        "write into the CPU": lambda: theirs.copy_(ours),
        "ask how many there are": ours.nonzero,
        "copy to the device": lambda: theirs.to(device),
        "copy to the device ahead of time": lambda: theirs.to(device, non_blocking=True),
        "make a number on the device": lambda: torch.full((), 0.5, device=device),
        "take indices of the CPU": lambda: ours[torch.tensor([0, 2])],
        "launch two operations": lambda: (ours * 2).view(3, 1).exp_(),
    }.items():
        ledger.clear()
        try:
            act()
        except accelerator.Refused:
            said[what] = "refused"
        else:
            words = (("waits", ledger.reads), ("waits to write", ledger.blocking))
            said[what] = next(
                (word for word, counter in words if counter), f"{ledger.launches.total()} launched"
            )
    return said


def after_a_trial(words: Sequence[str], best: str) -> tuple[str, float]:
    """Have auto time its choices, of which ``best`` is the fastest; return what it takes, and a difference.

    That is the largest of a few steps from those of a run that was told so; they are to have the same bits.
    """
    cfg, device = composed(*words, "steps=1000"), torch.device(accelerator.NAME, 0)
    config = build_engine_config(cfg, build_components(cfg, device), Limits())
    compared = choices_on_trial(config, "auto", "auto")
    timed = []

    def timer(engine: Engine, step: Callable[[], None], times: int) -> float:
        step()
        timed.append(str(Choice(engine.config.engine, engine.execution.name)))
        return times * (0.1 if timed[-1] == best else 0.15)

    accelerator.LEDGER.clear()
    backend = torch.get_device_module(device)
    before = backend.get_rng_state()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as cache:
        patch.setenv("GAN_LAB_CACHE", cache)
        patch.setattr(cuda_graph, "CudaCapture", Repeating)
        patch.setattr(build, "timer_for", lambda device: timer)
        ours = _Trained(words=[*words, "steps=1000"], device=device)
        taken = Choice(ours.engine.config.engine, ours.engine.config.execution)
        assert list(dict.fromkeys(timed)) == [str(choice) for choice in compared]
        patch.setattr(build, "timer_for", lambda device: None)
        theirs = _Trained([*words, f"engine={taken.engine}", "execution=eager"], device)
        difference = max(_difference(ours.step(step), theirs.step(step)) for step in range(WARMUP_STEPS + 2))
    assert backend.get_rng_state().equal(before)
    assert not accelerator.LEDGER.refused, accelerator.LEDGER.refused
    return str(taken), difference


class _Trained:
    def __init__(
        self,
        words: Sequence[str],
        device: torch.device,
        *,
        offloaded: bool = False,
        limits: Limits | None = None,
    ) -> None:
        cfg = composed(*words)
        components = build_components(cfg, torch.device("cpu") if offloaded else device)
        components.device = components.data.device = device
        self.experiment: Experiment = build_experiment(cfg, components, fresh_states(cfg, components), limits)
        assert self.experiment.engine is not None
        self.engine = self.experiment.engine
        self.guard = DivergenceGuard(self.engine, lambda *_: None)

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step of both networks; return its scalars."""
        discriminator_batches, generator_batch = self.experiment.batches(step)
        scalars: dict[str, Tensor] = {}
        for turn, batch in enumerate(discriminator_batches, step * len(discriminator_batches)):
            scalars = self.engine.discriminator_step(batch, turn)
        scalars = scalars | self.engine.generator_step(generator_batch, step)
        self.guard.record(scalars)
        return scalars


def _difference(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    assert ours.keys() == theirs.keys()
    pairs = [(ours[name].cpu().double(), theirs[name].cpu().double()) for name in ours]
    return max(float(((a - b).abs() / (1 + b.abs())).max()) for a, b in pairs)
