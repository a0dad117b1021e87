"""Networks that start from trained weights: what ``init_from`` names is read, compared and taken."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig
from torch import Tensor

from gan_lab.gan.steps import PLAYERS
from gan_lab.runs import checkpoints
from gan_lab.runs.checkpoint_files import CHECKPOINTS
from gan_lab.runs.initial_weights import WEIGHTS, content_digest, source_status
from gan_lab.runs.weights import read_safetensors
from gan_lab.training.engines import TrainState
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.text import plural

Weights = Mapping[str, Tensor]  # of a GAN, by the names of its state dict
_ANY_SEED = -1  # a file has weights for whoever asks


def take_initial_weights(cfg: DictConfig, states: Sequence[TrainState]) -> dict[str, str]:
    """Put the weights that ``init_from`` names into fresh states; return network -> what was taken.

    A seed gets those of the same seed, or those of the only one that there is. They are the weights that were
    trained, not their average; optimizers start anew. A network of which nothing is named stays as it is.
    Raises ConfigurationError for what does not fit.
    """
    source = str(cfg.init_from)
    digest = content_digest(source)
    seeds = _read(source)
    if content_digest(source) != digest:  # a run that is trained at the same time
        raise ConfigurationError(f"init_from={source} is being written: wait until it is finished")
    taken: dict[str, str] = {}
    for state in states:
        weights = _inside_own_networks(_weights_for(state.seed, seeds, source), state.networks)
        fitting = {player: _fitting(source, player, state, weights, cfg.init_partial) for player in PLAYERS}
        if not any(fitting.values()):
            raise ConfigurationError(f"init_from={source} has no weight of the name and shape of any here")
        for player in PLAYERS:
            names = [name for name in state.networks if name.startswith(f"{player}.")]
            taken.setdefault(player, _describe(names, fitting[player]))
            for name, tensor in fitting[player].items():
                state.networks[name] = tensor.to(state.networks[name].dtype, copy=True)
    return taken


def _read(source: str) -> dict[int, Weights]:
    """Return seed -> weights of both networks."""
    path = Path(source).expanduser().resolve()
    try:
        status = source_status(source)
        if status is None:
            return {_ANY_SEED: _with_prefix(read_safetensors(path, path.parent))}
        content = checkpoints.load_latest(path / CHECKPOINTS, status.identity)
    except GanLabError as error:
        raise ConfigurationError(f"init_from: {error}") from error
    if content is None:
        raise ConfigurationError(
            f"init_from={source}: this run has no checkpoint, which would hold both networks; "
            f"{source}/seed_{status.seeds[0]}/{WEIGHTS} has the generator alone"
        )
    if content["step"] != status.step:
        raise ConfigurationError(
            f"init_from={source}: its last checkpoint is of step {content['step']}, and it was trained to "
            f"step {status.step}: train it to its end first"
        )
    try:
        states = [state for name in ("states", "diverged_states") for state in content[name]]
        seeds: dict[int, Weights] = {int(state["seed"]): dict(state["networks"]) for state in states}
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"init_from={source}: its checkpoint is not one of gan-lab's") from error
    if not all(isinstance(tensor, Tensor) for weights in seeds.values() for tensor in weights.values()):
        raise ConfigurationError(f"init_from={source}: its checkpoint holds more than weights")
    return seeds


def _with_prefix(tensors: Weights) -> Weights:
    """Return a file's tensors by the names of a GAN; without names of networks they are a generator's."""
    if any(name.startswith(f"{player}.") for name in tensors for player in PLAYERS):
        return tensors
    return {f"generator.{name}": tensor for name, tensor in tensors.items()}


def _inside_own_networks(weights: Weights, ours: Weights) -> Weights:
    """Return weights of the user's own networks by the names that they have inside of gan-lab's."""
    for player in PLAYERS:
        inside = f"{player}.network."
        if any(n.startswith(inside) for n in ours) and not any(n.startswith(inside) for n in weights):
            pattern = re.compile(rf"^{player}\.")
            weights = {pattern.sub(inside, name): tensor for name, tensor in weights.items()}
    return weights


def _weights_for(seed: int, seeds: Mapping[int, Weights], source: str) -> Weights:
    if seed in seeds:
        return seeds[seed]
    if len(seeds) == 1:
        return next(iter(seeds.values()))
    known = ", ".join(map(str, sorted(seeds)))
    raise ConfigurationError(f"init_from={source} has seeds {known}, and this run has a seed {seed}, too")


def _fitting(
    source: str, player: str, state: TrainState, weights: Weights, partial: bool | None
) -> dict[str, Tensor]:
    """Return the weights of one network that it can take; without ``partial`` all of them, or none at all."""
    ours = {name: t for name, t in state.networks.items() if name.startswith(f"{player}.")}
    theirs = {name: t for name, t in weights.items() if name.startswith(f"{player}.")}
    fitting = {name: t for name, t in theirs.items() if name in ours and t.shape == ours[name].shape}
    if partial or not theirs:
        return fitting
    for name in (*ours, *theirs):
        if name in fitting:
            continue
        there, here = (
            "missing" if name not in tensors else f"of shape {tuple(tensors[name].shape)}"
            for tensors in (theirs, ours)
        )
        raise ConfigurationError(
            f"init_from={source} does not fit the {player}: {name} is {there} there and {here} here; "
            "init_partial=true takes what fits"
        )
    return fitting


def _describe(names: Sequence[str], fitting: Weights) -> str:
    if not fitting:
        return "fresh"
    fresh = [name.partition(".")[2] for name in names if name not in fitting]
    text = f"{len(fitting)} of {plural(len(names), 'tensor')}"
    if fresh:
        more = f" and {len(fresh) - 3} more" if len(fresh) > 3 else ""
        text += f"; fresh: {', '.join(fresh[:3])}{more}"
    return text
