"""Random generators of a comparison."""

import numpy as np


def make_rng(seed: int, *words: str) -> np.random.Generator:
    """Seed a generator per use and name, so that no other candidate changes what is drawn."""
    return np.random.default_rng([seed, *"\0".join(words).encode()])
