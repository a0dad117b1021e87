"""Rehearsals: does training with these networks and optimizers keep what a run promises?

A run promises that its seeds do not depend on each other, and that it resumes to the same bits. Both depend
on code that anybody may have written, so nothing is decided by its name: a few steps are taken, on the CPU.
"""

import io
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any

import torch
from omegaconf import ListConfig
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lab.gan.steps import PLAYERS, Batch
from gan_lab.training.engines import Engine, EngineConfig, TrainState
from gan_lab.training.engines.optimizer_state import param_state, seed_part, settings
from gan_lab.training.engines.optimizers import OptimizerFactory, build_optimizer
from gan_lab.utils.errors import summarize_exception
from gan_lab.utils.seeding import seeded, stream

# Of a gradient's typical size, for the first seed and, backwards, for the second one: whatever an optimizer
# clips or scales, it does so for one seed and not for the other.
SCALES = (1e-2, 1.0, 1e2, 1e-1, 1e1, 1e-3, 1e-1, 1.0)
STEPS_BEFORE_SAVING = len(SCALES) // 2
GRADIENTS = 3  # different ones, which come again
LARGEST = 2**14  # numbers of a parameter; a larger one is rehearsed with smaller sides
TOLERANCE = 1e-3  # of a step; rounding is a thousand times less

Values = list[Tensor]
Rehearsal = Callable[[OptimizerFactory, nn.Module], str | None]


def _remember(rehearse: Rehearsal) -> Rehearsal:
    """Ask only once per process about a class of plain settings and parameters: a sweep's runs ask again."""
    answers: dict[Hashable, str | None] = {}

    @wraps(rehearse)
    def answer(factory: OptimizerFactory, network: nn.Module) -> str | None:
        if not isinstance(factory, partial) or not _is_plain([*factory.args, *factory.keywords.values()]):
            return rehearse(factory, network)
        key = (factory.func, repr(factory.args), repr(sorted(factory.keywords.items())))
        question = (*key, tuple(_rehearsed_shapes(network)))
        if question not in answers:
            answers[question] = rehearse(factory, network)
        return answers[question]

    return answer


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple, ListConfig)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


@_remember
def stacking_problem(factory: OptimizerFactory, network: nn.Module) -> str | None:
    """Say how an optimizer mixes seeds whose parameters are stacked; None if each gets what it gets alone."""
    starts, gradients = _rehearsed_numbers(network)
    alone = [_Rehearsed(factory, values) for values in starts]
    together = _Rehearsed(factory, _stack(starts), seeds=2)
    name = type(together.optimizer).__name__
    for step in range(len(SCALES)):
        if step == STEPS_BEFORE_SAVING:
            try:
                together = together.resumed(order=[1, 0])
            except Exception as error:
                return f"{name} cannot give each seed its own state ({summarize_exception(error)})"
            alone, gradients, starts = alone[::-1], gradients[::-1], starts[::-1]
        before = [[p.detach().clone() for p in solo.params.values()] for solo in alone]
        for solo, of_seed in zip(alone, gradients, strict=True):
            solo.step(of_seed[step], step)
        together.step(_stack([of_seed[step] for of_seed in gradients]), step)
        for k, solo in enumerate(alone):
            if not _same_step(before[k], solo.params.values(), [p[k] for p in together.params.values()]):
                return f"{name} gives seeds other numbers when they share its tensors"
    return None


@_remember
def resuming_problem(factory: OptimizerFactory, network: nn.Module) -> str | None:
    """Say why an optimizer cannot be saved and restored; None if it resumes to the same bits."""
    starts, gradients = _rehearsed_numbers(network)
    straight = _Rehearsed(factory, starts[0])
    name = type(straight.optimizer).__name__
    for step in range(STEPS_BEFORE_SAVING):
        straight.step(gradients[0][step], step)
    try:
        resumed = straight.resumed()
    except Exception as error:
        return f"{name} cannot be saved and restored ({summarize_exception(error)})"
    for step in range(STEPS_BEFORE_SAVING, len(SCALES)):
        for rehearsed in (straight, resumed):
            rehearsed.step(gradients[0][step], step)
    if all(_same_bits(a, b) for a, b in zip(straight.params.values(), resumed.params.values(), strict=True)):
        return None
    return f"{name} does not resume to the same numbers after it was saved and restored"


def engine_problem(config: EngineConfig, states: Sequence[TrainState], batch: Batch) -> str | None:
    """Say why an engine cannot train or resume these networks; None if it can.

    batch: of each seed, (S, B, ...).
    """
    config = replace(config, device=torch.device("cpu"), execution="eager", max_concurrent_seeds=None)
    try:
        straight = Engine(config, states)
        _turns(straight, batch, 0)
        straight.generate(batch.latent)
        resumed = Engine(config, _through_checkpoint([vars(s) for s in straight.states()]))
        for engine in (straight, resumed):
            _turns(engine, batch, 1)
    except Exception as error:
        return f"the networks cannot be trained so ({summarize_exception(error)})"
    for ours, theirs in zip(straight.states(), resumed.states(), strict=True):
        for name, tensor in ours.networks.items():
            if not _same_bits(tensor, theirs.networks[name]):
                what = "the networks do not resume to the same numbers after they were saved and restored"
                return f"{what} ({name})"
    return None


def _turns(engine: Engine, batch: Batch, step: int) -> None:
    engine.discriminator_step(batch, step)
    engine.generator_step(batch, step)


class _Rehearsed:
    """An optimizer of parameters that belong to no network, of one seed or of several stacked ones."""

    def __init__(
        self,
        factory: OptimizerFactory,
        values: Values,
        seeds: int | None = None,
        states: Sequence[TrainState] | None = None,
    ) -> None:
        self.factory, self.seeds = factory, seeds
        self.params = {str(k): nn.Parameter(value.clone()) for k, value in enumerate(values)}
        states = states or [TrainState(0, {})]
        self.optimizer = build_optimizer(
            factory, PLAYERS[0], self.params, states, stacked=seeds is not None, capturable=False
        )

    def step(self, gradients: Values, step: int) -> None:
        for param, gradient in zip(self.params.values(), gradients, strict=True):
            param.grad = gradient.clone()
        with seeded(0, "rehearsal/optimizer", step):
            self.optimizer.step()

    def resumed(self, order: Sequence[int] = (0,)) -> "_Rehearsed":
        """Save and restore, as a checkpoint does; stacked seeds come back in another order."""
        state = param_state(self.optimizer, self.params)
        states = []
        for index in order:
            remembered = state
            if self.seeds is not None:
                take = partial(torch.select, dim=0, index=index)
                remembered = {
                    name: seed_part(values, self.params[name].shape, take) for name, values in state.items()
                }
            states.append(TrainState(index, {}, remembered, {}, {PLAYERS[0]: settings(self.optimizer)}))
        values = [p.detach() for p in self.params.values()]
        if self.seeds is not None:
            values = [value[list(order)] for value in values]
        return _Rehearsed(
            self.factory, values, self.seeds, _through_checkpoint([vars(state) for state in states])
        )


def _through_checkpoint(states: list[dict[str, Any]]) -> list[TrainState]:
    buffer = io.BytesIO()
    torch.save(states, buffer)
    buffer.seek(0)
    return [TrainState(**state) for state in torch.load(buffer, weights_only=True)]


def _rehearsed_numbers(network: nn.Module) -> tuple[list[Values], list[list[Values]]]:
    """Start values and gradients of every step, for two seeds: parameters of the network's shapes."""
    shapes = _rehearsed_shapes(network)
    starts, gradients = [], []
    for seed, scales in enumerate((SCALES, SCALES[::-1])):
        generator = stream(seed, "rehearsal/optimizer")

        def draw(generator: torch.Generator = generator) -> Values:
            return [torch.randn(shape, generator=generator) for shape in shapes]

        starts.append([0.1 * value for value in draw()])
        pool = [draw() for _ in range(GRADIENTS)]
        gradients.append([[scale * g for g in pool[k % GRADIENTS]] for k, scale in enumerate(scales)])
    return starts, gradients


def _rehearsed_shapes(network: nn.Module) -> list[tuple[int, ...]]:
    return list(dict.fromkeys(_shape_of(p) for p in network.parameters() if p.requires_grad and p.numel()))


def _shape_of(param: Tensor) -> tuple[int, ...]:
    shape = list(param.shape)
    while torch.Size(shape).numel() > LARGEST:
        largest = shape.index(max(shape))
        shape[largest] = (shape[largest] + 1) // 2
    return tuple(shape)


def _stack(of_seeds: Sequence[Values]) -> Values:
    return [torch.stack(values) for values in zip(*of_seeds, strict=True)]


@torch.no_grad()
def _same_step(before: Values, alone: Iterable[Tensor], together: Values) -> bool:
    """Whether parameters have moved by the same, to rounding."""
    for start, ours, theirs in zip(before, alone, together, strict=True):
        moved = (ours - start).abs().max()
        rounding = 16 * torch.finfo(ours.dtype).eps * ours.abs().max()
        if not torch.allclose(ours, theirs, rtol=0, atol=float(TOLERANCE * moved + rounding), equal_nan=True):
            return False
    return True


def _same_bits(ours: Tensor, theirs: Tensor) -> bool:
    try:
        assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)
    except AssertionError:
        return False
    return True
