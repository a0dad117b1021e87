"""One look at a pair of networks: activations, gradients and D's inputs on a fixed batch."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from gan_lab.datasets.base import Dataset
from gan_lab.gan.activations import activation_sites
from gan_lab.gan.steps import GAN, PLAYERS, Batch, GANLoss, discriminator_loss, generator_loss
from gan_lab.utils.seeding import stream


@dataclass(frozen=True)
class ActivationRecord:
    """A hidden activation: what went in, (N, C) or (N, C, H, W), where C are its units."""

    name: str
    module: nn.Module
    inputs: Tensor

    def outputs(self) -> Tensor:
        with torch.no_grad():
            out: Tensor = self.module(self.inputs)
            return out

    def slopes(self) -> Tensor:
        """f' at every input: the gradient of the summed outputs, for f works on each number by itself."""
        with torch.enable_grad():
            x = self.inputs.detach().requires_grad_(True)
            (slopes,) = torch.autograd.grad(self.module(x).sum(), x)
        return slopes


@dataclass(frozen=True)
class WeightLayer:
    """A layer's weight and the gradient in it of its own player's loss."""

    name: str
    weight: Tensor
    gradient: Tensor


@dataclass(frozen=True)
class ProbedNetwork:
    """What was seen of one player, from input to output."""

    sites: list[ActivationRecord]
    layers: list[WeightLayer]


@dataclass(frozen=True)
class ProbeResult:
    """What was seen of a pair. real_gradients, fake_gradients: grad_x D(x), (N, *shape)."""

    players: Mapping[str, ProbedNetwork]
    real_gradients: Tensor
    fake_gradients: Tensor


class Diagnostic(ABC):
    """Numbers read from a look; their tags are ``diagnostics/<player>/...`` or ``diagnostics/pair/...``."""

    @abstractmethod
    def __call__(self, look: ProbeResult) -> dict[str, float]: ...


class Probe:
    """Plays both turns on a copy of the networks it is shown; every seed and step sees the same batch."""

    def __init__(
        self,
        template: GAN,
        game: GANLoss,
        data: Dataset,
        *,
        samples: int,
        latent_size: int,
        device: torch.device,
    ) -> None:
        self.pair, self.game, self.device = deepcopy(template).to(device).train(), game, device
        rows = torch.randperm(len(data), generator=stream(0, "probe data"))[:samples]
        count = len(rows)
        latent = torch.randn(count, latent_size, generator=stream(0, "probe latent"))
        uniforms = torch.rand(count, game.num_rand, generator=stream(0, "probe uniforms"))
        self.batch = Batch(data.batch(rows), latent.to(device), uniforms.to(device))

    def look(self, state: Mapping[str, Tensor]) -> ProbeResult:
        """Look at a pair in training mode and full precision; whatever it draws shifts nobody's noise."""
        self.pair.load_state_dict(state)
        seen: dict[str, ProbedNetwork] = {}
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda), torch.autocast(self.device.type, enabled=False):
            torch.manual_seed(0)
            for player, turn in zip(PLAYERS, (generator_loss, discriminator_loss), strict=True):
                network: nn.Module = getattr(self.pair, player)
                with inputs_of_sites(network) as inputs:
                    loss, _ = turn(self.pair.generator, self.pair.discriminator, self.game, self.batch)
                seen[player] = ProbedNetwork(_sites(network, inputs), _gradients(network, loss))
            with torch.no_grad():
                fake = self.pair.generator(self.batch.latent)
            return ProbeResult(seen, self._input_gradients(self.batch.real), self._input_gradients(fake))

    def _input_gradients(self, samples: Tensor) -> Tensor:
        samples = samples.detach().requires_grad_(True)
        (gradients,) = torch.autograd.grad(self.pair.discriminator(samples).sum(), samples)
        return gradients


@contextmanager
def inputs_of_sites(network: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Collect what goes into each hidden activation while the network computes, a tensor a call."""
    seen: dict[str, list[Tensor]] = {}
    handles = []
    for name, module in activation_sites(network):

        def keep(_: nn.Module, args: tuple[Any, ...], name: str = name) -> None:
            seen.setdefault(name, []).append(args[0].detach())

        handles.append(module.register_forward_pre_hook(keep))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _sites(network: nn.Module, inputs: Mapping[str, list[Tensor]]) -> list[ActivationRecord]:
    modules = dict(activation_sites(network))
    # In the order of use. D's turn calls it on real and on generated samples: both belong to the probe.
    return [ActivationRecord(_short(name), modules[name], torch.cat(parts)) for name, parts in inputs.items()]


def _short(name: str) -> str:
    return name.removesuffix(".activation") or name


def _gradients(network: nn.Module, loss: Tensor) -> list[WeightLayer]:
    found = [(n, _weight(m)) for n, m in network.named_modules() if isinstance(m, (nn.Linear, _ConvNd))]
    gradients = torch.autograd.grad(loss, [w for _, w in found], allow_unused=True)
    return [
        WeightLayer(name, weight.detach(), torch.zeros_like(weight) if g is None else g)
        for (name, weight), g in zip(found, gradients, strict=True)
    ]


def _weight(layer: Any) -> Tensor:
    """The tensor that is learned: under a parametrization such as spectral normalization, the original."""
    if parametrize.is_parametrized(layer, "weight"):
        given = layer.parametrizations.weight
        found: Tensor = given.original if hasattr(given, "original") else given.original1
        return found
    own: Tensor = layer.weight
    return own
