"""The probe of many seeds at once: what it launches does not grow with their number."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from gan_lab.evaluation.diagnostics.probe import (
    Probe,
    UnrecordedPenalty,
    record_inputs,
    short_name,
    weight_tensors,
)
from gan_lab.evaluation.diagnostics.records import (
    ActivationRecord,
    ProbedNetwork,
    ProbeResult,
    WeightLayer,
    max_derivative,
)
from gan_lab.gan.activations import activation_sites
from gan_lab.gan.steps import LOSSES, PLAYERS, Batch
from gan_lab.utils.seeding import torch_seeded

Networks = Mapping[str, Tensor]  # by name in the GAN; of S seeds, so (S, *shape)


@dataclass(frozen=True)
class _ComputedRecord(ActivationRecord):
    """A record of one of many seeds: what its module says has been computed for all of them."""

    computed: Mapping[str, Any]

    def outputs(self) -> Tensor:
        out: Tensor = self.computed["outputs"]
        return out

    def derivatives(self) -> Tensor:
        derivatives: Tensor = self.computed["derivatives"]
        return derivatives

    def learned(self) -> list[Tensor]:
        return list(self.computed["learned"].values())

    def max_derivative(self) -> float | Tensor:
        largest: float | Tensor = self.computed["max_derivative"]
        return largest


@dataclass(frozen=True)
class _Names:
    """What is the same for all seeds of a network: names, and max |f'| of each f that learns nothing."""

    activations: list[str]
    max_derivatives: list[dict[str, float]]
    layers: list[str]


class StackedProbeResult:
    """What `Probe` records, of S seeds: every tensor has a leading dimension S."""

    def __init__(self, names: Mapping[str, _Names], tensors: Mapping[str, Any]) -> None:
        self._names, self._tensors = names, tensors

    def scalars(self, compute: Callable[[ProbeResult], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Apply what computes scalars () of one seed to all of them: {tag: (S,)}."""
        scalars: dict[str, Tensor] = vmap(lambda tensors: compute(self._one(tensors)))(self._tensors)
        return scalars

    def _one(self, tensors: Mapping[str, Any]) -> ProbeResult:
        players = {}
        for player, names in self._names.items():
            records, weights = tensors[player]
            # Without a module: there is one of every seed.
            activations: list[ActivationRecord] = [
                _ComputedRecord(name, None, record["inputs"], record | largest)  # type: ignore[arg-type]
                for name, record, largest in zip(
                    names.activations, records, names.max_derivatives, strict=True
                )
            ]
            layers = [WeightLayer(name, *pair) for name, pair in zip(names.layers, weights, strict=True)]
            players[player] = ProbedNetwork(activations, layers)
        return ProbeResult(players, tensors["real"], tensors["fake"])


def probe_stacked(probe: Probe, params: Networks, buffers: Networks) -> StackedProbeResult:
    """Probe the GANs of S seeds as `Probe.run` does each of them; their tensors are left as they are.

    Raises whatever `torch.func.vmap` raises for networks that it cannot lift.
    """
    stacked = _StackedGAN(probe, params, buffers)
    with torch_seeded(0, probe.device), torch.autocast(probe.device.type, enabled=False):
        names, tensors = dict[str, _Names](), dict[str, Any]()
        for player in PLAYERS:
            names[player], tensors[player] = stacked.look_at(player)
        stacked.search_max_derivatives()
        for name, samples in (("real", stacked.batch.real), ("fake", stacked.fake())):
            tensors[name] = stacked.input_gradients(samples)
    return StackedProbeResult(names, tensors)


class _StackedGAN:
    def __init__(self, probe: Probe, params: Networks, buffers: Networks) -> None:
        self.probe, self.gan = probe, probe.gan
        self.seeds = len(next(iter(params.values())))
        # The same for all seeds, and yet one for each: penalties tell by their input that they are lifted.
        self.batch = Batch(*(part.expand(self.seeds, *part.shape) for part in probe.batch))
        # Tied weights go by the first of their names, as they are stacked.
        ours = (*self.gan.named_parameters(), *self.gan.named_buffers())
        self.names = {id(tensor): name for name, tensor in ours}
        self._learning: list[tuple[nn.Module, dict[str, Any], int]] = []
        self.state: dict[str, Tensor] = {}
        for name, template in ours:
            if name in buffers:  # copied: a pass in training mode writes running statistics
                self.state[name] = buffers[name].clone()
            else:
                self.state[name] = params[name].detach().requires_grad_(template.requires_grad)

    def look_at(self, player: str) -> tuple[_Names, list[list[Any]]]:
        """Return the names of activations and layers, and the tensors of each."""
        network = self.gan.get_submodule(player)

        def loss_of_one(state: dict[str, Tensor], batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
            with record_inputs(network) as inputs:
                penalty = UnrecordedPenalty(self.probe.gan_loss.regularizer, inputs)
                gan_loss = replace(self.probe.gan_loss, regularizer=penalty)
                loss, _ = functional_call(self.gan, state, (LOSSES[player], gan_loss, batch))
            return loss, {name: torch.cat(parts) for name, parts in inputs.items()}

        losses, inputs = vmap(loss_of_one)(self.state, self.batch)
        layers = [(name, self._stacked(weight)) for name, weight in weight_tensors(network)]
        gradients = torch.autograd.grad(losses.sum(), [weight for _, weight in layers], allow_unused=True)
        pairs = [
            (weight.detach(), torch.zeros_like(weight) if gradient is None else gradient)
            for (_, weight), gradient in zip(layers, gradients, strict=True)
        ]
        modules = dict(activation_sites(network))
        records = [self._record(modules[name], x) for name, x in inputs.items()]
        largest = [
            {} if record["learned"] else {"max_derivative": max_derivative(modules[name], x.shape[2])}
            for record, (name, x) in zip(records, inputs.items(), strict=True)
        ]
        names = _Names([short_name(name) for name in inputs], largest, [name for name, _ in layers])
        return names, [records, pairs]

    def _record(self, module: nn.Module, inputs: Tensor) -> dict[str, Any]:
        """Compute what a record knows of its module, for all seeds."""
        learned = {name: self._stacked(tensor).detach() for name, tensor in module.named_parameters()}
        state = learned | {name: self._stacked(tensor) for name, tensor in module.named_buffers()}
        x = inputs.detach().requires_grad_(True)
        outputs = _call_stacked(module, state, x)
        (derivatives,) = torch.autograd.grad(outputs.sum(), x)
        record: dict[str, Any] = {"inputs": inputs, "outputs": outputs.detach(), "derivatives": derivatives}
        record["learned"] = learned
        if learned:
            self._learning.append((module, record, inputs.shape[2]))
        return record

    def search_max_derivatives(self) -> None:
        """Add max |f'|, (S,), to the record of each f that learns: on the CPU, in double precision."""
        if not self._learning:
            return
        values = [v for _, record, _ in self._learning for v in record["learned"].values()]
        # One copy from the device for all of them, and one back.
        on_cpu = torch.cat([v.reshape(self.seeds, -1) for v in values], dim=1).cpu()
        parts = iter(torch.split(on_cpu, [v[0].numel() for v in values], dim=1))
        columns = []
        for module, record, width in self._learning:
            scratch = deepcopy(module)
            # Parameters are about to be written, so that only buffers are worth a copy from the device.
            scratch = (
                scratch.cpu() if any(True for _ in scratch.buffers()) else scratch.to_empty(device="cpu")
            )
            learned = {name: next(parts).reshape(v.shape) for name, v in record["learned"].items()}
            column = []
            for seed in range(self.seeds):
                scratch.load_state_dict({name: v[seed] for name, v in learned.items()}, strict=False)
                column.append(max_derivative(scratch, width))
            columns.append(column)
        largest = torch.tensor(columns, dtype=torch.float32).to(self.probe.device)
        for (_, record, _), column_of_one in zip(self._learning, largest.unbind(), strict=True):
            record["max_derivative"] = column_of_one

    @torch.no_grad()
    def fake(self) -> Tensor:
        """Generate (S, N, *shape) from the probe's latents."""
        return _call_stacked(self.gan.generator, self._of("generator"), self.batch.latent)

    def input_gradients(self, samples: Tensor) -> Tensor:
        """Compute grad_x D(x) at samples (S, N, *shape)."""
        samples = samples.detach().requires_grad_(True)
        logits = _call_stacked(self.gan.discriminator, self._of("discriminator"), samples)
        (gradients,) = torch.autograd.grad(logits.sum(), samples)
        return gradients

    def _stacked(self, tensor: Tensor) -> Tensor:
        """Return what the seeds have in the place of a parameter or buffer of the template."""
        return self.state[self.names[id(tensor)]]

    def _of(self, player: str) -> dict[str, Tensor]:
        network = self.gan.get_submodule(player)
        own = (*network.named_parameters(), *network.named_buffers())
        return {name: self._stacked(tensor) for name, tensor in own}


def _call_stacked(module: nn.Module, state: dict[str, Tensor], x: Tensor) -> Tensor:
    def call(state: dict[str, Tensor], x: Tensor) -> Tensor:
        out: Tensor = functional_call(module, state, (x,))
        return out

    out: Tensor = vmap(call)(state, x)
    return out
