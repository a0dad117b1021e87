"""Networks as people publish them, each with one habit that makes its activations hard to swap."""

import itertools
import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Latent(nn.Module):
    """A generator of points, (B, 4) -> (B, 2), with nothing special in it."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(4, width), nn.ReLU(True), nn.Linear(width, width), nn.ReLU(True), nn.Linear(width, 2)
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.main(z)


class Base(nn.Module):
    """Two hidden layers of 6 units between 2 numbers and one."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.out = nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 1)


class SharedInstance(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        act = nn.LeakyReLU(0.3)
        self.model = nn.Sequential(nn.Linear(2, 6), act, nn.Linear(6, 6), act, nn.Linear(6, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, activation: nn.Module = nn.ReLU()) -> None:  # noqa: B008
        super().__init__()
        self.fc, self.activation = nn.Linear(inputs, outputs), activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.fc(x))


class DefaultArgument(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block1, self.block2, self.out = Block(2, 6), Block(6, 6), nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.block2(self.block1(x)))


class CalledTwice(Base):
    def __init__(self) -> None:
        super().__init__()
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.activation(self.fc2(self.activation(self.fc1(x)))))


class Functional(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.leaky_relu(self.fc2(F.relu(self.fc1(x))), 0.1))


class Methods(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.fc2(self.fc1(x).relu_())).mul(1.0))


class PreActivation(Base):
    """The ReLU overwrites what the shortcut adds."""

    def __init__(self) -> None:
        super().__init__()
        self.act1, self.act2 = nn.ReLU(True), nn.ReLU(True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.fc1(x)
        h = h + self.fc2(self.act1(h))
        return self.out(self.act2(h))


class WithDropout(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.dropout(F.relu(self.fc2(F.relu(self.fc1(x)))), 0.5, self.training))


class TupleOutput(Functional):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x), self.fc1(x)


class SigmoidAtTheEnd(Base):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.out(F.relu(self.fc2(F.relu(self.fc1(x)))))).view(-1)


class OldSpectralNorm(Functional):
    def __init__(self) -> None:
        super().__init__()
        for layer in (self.fc1, self.fc2, self.out):
            nn.utils.spectral_norm(layer)


class OldWeightNorm(Functional):
    """Its weights are computed from others from the start, so that torch cannot copy it."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            for layer in (self.fc1, self.fc2, self.out):
                nn.utils.weight_norm(layer)


class SpectralNorm(nn.Module):
    """Spectral normalization around a layer, as it was written before torch had one."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        w = layer.weight.data
        del layer._parameters["weight"]
        layer.register_parameter("weight_u", nn.Parameter(w.new_ones(len(w)), requires_grad=False))
        layer.register_parameter("weight_bar", nn.Parameter(w))

    def forward(self, x: Tensor) -> Tensor:
        w, u = self.layer.weight_bar, self.layer.weight_u
        v = F.normalize(w.data.t() @ u.data, dim=0)
        u.data = F.normalize(w.data @ v, dim=0)
        self.layer.weight = w / (u @ w @ v)
        return self.layer(x)


class OwnSpectralNorm(Functional):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = SpectralNorm(self.fc1), SpectralNorm(self.fc2)


class Checkpointed(Base):
    """Its functions are computed again in the backward pass."""

    def part(self, h: Tensor) -> Tensor:
        return F.relu(self.fc2(h))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(checkpoint(self.part, F.relu(self.fc1(x)), use_reentrant=False))


class CheckpointedModules(PreActivation):
    def forward(self, x: Tensor) -> Tensor:
        h = checkpoint(lambda h: self.act1(self.fc1(h)), x, use_reentrant=False)
        return self.out(self.act2(self.fc2(h)))


class CheckpointedNorm(PreActivation):
    """Batch normalization in a checkpoint is another one in the backward pass of a generator's step."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x: Tensor) -> Tensor:
        h = checkpoint(lambda h: self.act1(self.norm(self.fc1(h))), x, use_reentrant=False)
        return self.out(self.act2(self.fc2(h)))


class _Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return F.silu(x)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return gradient * s * (1 + x * (1 - s))


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return _Swish.apply(x)


class OwnFunction(Base):
    def __init__(self) -> None:
        super().__init__()
        self.swish1, self.swish2 = Swish(), Swish()

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.swish2(self.fc2(self.swish1(self.fc1(x)))))


class OneSwish(OwnFunction):
    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.swish1(self.fc2(self.swish1(self.fc1(x)))))


class EqualLinear(nn.Module):
    """Weights scaled at run time, and a gain behind the activation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.randn(outputs, inputs)), inputs**-0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale)


class EqualisedRates(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.out = EqualLinear(2, 6), EqualLinear(6, 6), EqualLinear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.fc1(x), 0.2) * 2**0.5
        return self.out(F.leaky_relu(self.fc2(x), 0.2) * 2**0.5)


class Gates(Base):
    """GLU is the nonlinearity, a sigmoid a gate, softmax an attention; one ReLU is left."""

    def __init__(self) -> None:
        super().__init__()
        self.glu, self.gate = nn.Linear(6, 12), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        h = F.glu(self.glu(self.fc1(x)), dim=1)
        h = h * torch.sigmoid(self.gate(h)) * torch.softmax(h, dim=1)
        return self.out(F.relu(self.fc2(h)))


class Noise(Base):
    def forward(self, x: Tensor) -> Tensor:
        h = self.fc1(x)
        return self.out(F.relu(self.fc2(F.relu(h + 0.1 * torch.randn_like(h)))))


class LastActivation(Base):
    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.out(F.relu(self.fc1(x))), 0.2)


class ByHand(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.fc1(x).clamp(min=0))


class Labels(Functional):
    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return super().forward(x) + labels


class Step(Functional):
    def forward(self, x: Tensor, step: int) -> Tensor:
        for _ in range(step):
            x = torch.cat([x[:, 1:], x[:, :1]], dim=1)
        return super().forward(x)


class Growing(nn.Module):
    """A generator that makes more numbers at a later step."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, z: Tensor, step: int = 0, scale: float = 1.0) -> Tensor:
        return (scale * F.relu(self.fc(z))).repeat(1, step + 1)


class Counting(Base):
    """Gives other numbers at each call, from a state that no copy has of its own."""

    count = itertools.count()

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.fc1(x))) + next(self.count)


class Moody(Base):
    """Calls another number of functions in evaluation mode."""

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.fc1(x))
        return self.out(F.relu(self.fc2(h)) if self.training else h)


class Dictionary(Functional):
    def forward(self, x: Tensor) -> Tensor:
        return {"logit": super().forward(x)}


def make_functional() -> nn.Module:
    return Functional()
