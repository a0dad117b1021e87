"""Objectives of the two networks: pairs of losses on logits. sp is softplus; D is the logit of a sample.

They take logits, because log(sigmoid(D)) is -inf long before -sp(-D) is.
"""

from typing import ClassVar, Protocol

from torch import Tensor
from torch.nn.functional import relu, softplus


class Objective(Protocol):
    """Two losses to descend, means over (B,) logits. The generator of a relativistic one also gets D(x)."""

    relativistic: ClassVar[bool]

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor: ...
    def generator_loss(self, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor: ...


class Minimax:
    """-V(D, G) for D and V(D, G) for G, equation 1 of Goodfellow et al. (2014).

    L_D = E sp(-D(x)) + E sp(D(G(z))), binary cross-entropy;  L_G = -E sp(D(G(z))) = E log(1 - sigmoid(D)),
    which saturates: its gradient in the logit is -sigmoid(D), about 0 if D is sure that a sample is fake.
    """

    relativistic: ClassVar[bool] = False

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator_loss(self, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor:
        return -softplus(fake_logits).mean()


class NonSaturating(Minimax):
    """L_D as minimax; L_G = E sp(-D(G(z))), binary cross-entropy with flipped labels.

    Section 3 of Goodfellow et al. (2014), and the usual choice: the gradient in the logit is
    -(1 - sigmoid(D)), largest if D is sure that a sample is fake.
    """

    def generator_loss(self, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor:
        return softplus(-fake_logits).mean()


class LeastSquares:
    """L_D = E (D(x) - 1)² / 2 + E D(G(z))² / 2;  L_G = E (D(G(z)) - 1)² / 2 (Mao et al. 2017)."""

    relativistic: ClassVar[bool] = False

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2

    def generator_loss(self, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor:
        return (fake_logits - 1).square().mean() / 2


class Hinge:
    """L_D = E relu(1 - D(x)) + E relu(1 + D(G(z)));  L_G = -E D(G(z)) (Lim and Ye 2017)."""

    relativistic: ClassVar[bool] = False

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator_loss(self, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor:
        return -fake_logits.mean()


class Wasserstein:
    """L_D = E D(G(z)) - E D(x);  L_G = -E D(G(z)) (Arjovsky et al. 2017).

    D must be kept near 1-Lipschitz: regularizer=gradient_penalty, or spectral normalization.
    """

    relativistic: ClassVar[bool] = False

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator_loss(self, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor:
        return -fake_logits.mean()


class Relativistic:
    """L_D = E sp(D(G(z)) - D(x));  L_G = E sp(D(x) - D(G(z))), pair by pair.

    Jolicoeur-Martineau (2018); with R1 and R2 penalties it is the loss of R3GAN (Huang et al. 2024).
    """

    relativistic: ClassVar[bool] = True

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return softplus(fake_logits - real_logits).mean()

    def generator_loss(self, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor:
        assert real_logits is not None
        return softplus(real_logits - fake_logits).mean()
