"""Keywords as the words that Hydra reads."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser

from gan_lab.api.overrides import check_words, to_override
from gan_lab.utils.errors import ConfigurationError


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("activation", "elu", "activation=elu"),
        ("activation", ["relu", "elu"], "activation=relu,elu"),
        ("activation", "glob(*elu)", "activation=glob(*elu)"),
        ("discriminator_activation", ["relu", None], "activation@discriminator_activation=relu,null"),
        ("metric", ["fid", "kid"], "metric=[fid,kid]"),
        ("optimizer__lr", 1e-3, "optimizer.lr=0.001"),
        ("optimizer.lr", [1e-3, 1e-4], "optimizer.lr=0.001,0.0001"),
        ("optimizer__betas", (0.5, 0.999), "optimizer.betas=[0.5,0.999]"),
        ("optimizer__betas", [(0, 0.9), (0.5, 0.9)], "optimizer.betas=[0,0.9],[0.5,0.9]"),
        ("ema", None, "ema=null"),
        ("rerun", True, "rerun=true"),
        ("seeds", np.int64(8), "seeds=8"),
        ("optimizer__lr", torch.tensor(0.5), "optimizer.lr=0.5"),
        ("dataset__path", Path("my pictures"), "dataset.path='my pictures'"),
    ],
)
def test_a_keyword_is_an_override(key: str, value: object, word: str) -> None:
    assert to_override(key, value) == word
    OverridesParser.create().parse_override(word)


@pytest.mark.parametrize("text", ["null", "true", "1e3", "it's", "a,b", "${x}", "\\", "2024_01_15", "é"])
def test_text_stays_text(text: str) -> None:
    parsed = OverridesParser.create().parse_override(to_override("study", text))
    assert not parsed.is_sweep_override()
    value = parsed.value()
    assert (str(value) if not isinstance(value, (bool, int, float, type(None))) else value) == text


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("activation", "relu, elu", r"activation=\['relu', 'elu'\], got 'relu, elu'"),
        ("activation", [], r"activation must have at least one value, got \[\]"),
        ("activation", 3, "activation must be a name such as 'elu', got 3"),
        ("steps", object(), "steps must be a number, a string, True, False, None, or a list of values"),
        ("steps", [], r"steps must have at least one value, got \[\]"),
    ],
)
def test_what_no_key_can_have_is_refused(key: str, value: object, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        to_override(key, value)


def test_a_string_instead_of_a_list_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"must be a list, \['a=b', 'c=d'\], got the string 'a=b c=d'"
    ):
        check_words("a=b c=d")
    with pytest.raises(
        ConfigurationError, match="an override must be a string such as 'activation=elu', got 3"
    ):
        check_words([3])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match=r"gan-lab train -m hydra/launcher=cores \.\.\."):
        check_words(["hydra/launcher=cores"])
