"""What Hydra and OmegaConf say, as one sentence that says what is allowed."""

from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan_lab.config.build import build_activation
from gan_lab.config.errors import config_errors, describe_error, groups, is_config_error
from gan_lab.config.errors import settings as known_settings
from gan_lab.config.schema import VALIDATORS, check
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import composed

DIGITS = "1" * 10_000


def sentence(*overrides: str) -> str:
    """Return what is said of overrides that are refused."""
    with pytest.raises(ConfigurationError) as caught, config_errors():
        check(composed(*overrides))
    text = str(caught.value)
    assert text.strip()
    assert "\n" not in text
    assert len(text) < 1000
    return text


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        # entries of groups
        (
            "activation=gelu2",
            "no activation named 'gelu2', did you mean 'gelu'? choose from as_written, celu, elu, ",
        ),
        (
            "regularizer=non",
            "no regularizer named 'non', did you mean 'none'? choose from gradient_penalty, ",
        ),
        ("activation=swsh", "no activation named 'swsh', did you mean 'silu'? choose from "),
        ("activation=''", "no activation named ''"),
        ("activation=null", "a group takes the name of an entry"),
        ("activation=3", "a group takes the name of an entry"),
        ("activation=/etc/passwd", "no activation"),
        ("activation='é'", "no activation named 'é'"),
        ("metric=[fid,nothing]", "no metric named 'nothing'; choose from classes, fid, "),
        ("logger=[wandb,yours]", "no logger named 'yours'; choose from wandb, or an entry of your own"),
        ("metric=[fidd]", "no metric named 'fidd', did you mean 'fid'?"),
        ("experiment=../train", "experiment/"),
        ("activation=elu,relu", "gan-lab train -m activation=elu,relu sweeps over its values"),
        ("+activation=relu", "Multiple values for activation"),
        # names of groups and settings
        ("activation={a:1}", "activation cannot be set like that"),
        ("activatoin=elu", "unknown setting 'activatoin', did you mean 'activation'?"),
        ("featurs=raw", "unknown setting 'featurs', did you mean 'features'?"),
        ("featurs@x=raw", "unknown setting 'featurs', did you mean 'features'?"),
        ("metrc=fid", "unknown setting 'metrc', did you mean 'metric'?"),
        ("activation@nothing=elu", "unknown setting 'activation@nothing'"),
        ("activation@generator_activaton=elu", "did you mean 'activation@generator_activation'?"),
        ("generator_activation=elu", "is chosen with activation@generator_activation=NAME"),
        ("batch_sze=4", "unknown setting 'batch_sze', did you mean 'batch_size'?"),
        ("optimizer.bettas=3", "unknown setting 'optimizer.bettas', did you mean 'optimizer.betas'?"),
        (
            "activation.alpha=3",
            "the chosen activation has no key 'alpha': activation=celu, elu or snake has it",
        ),
        ("regularizer.weight=3", "regularizer has no key 'weight': regularizer=gradient_penalty has it"),
        (
            "generator_optimizer.momentum=2",
            "optimizer has no key 'momentum': optimizer=rmsprop or sgd has it",
        ),
        ("generator_optimizer.lr=1", "the chosen generator_optimizer has no key 'lr'"),
        ("features.nothing=1", "unknown setting 'features.nothing'"),
        ("hydra.launcher.n_jobs=2", "the chosen hydra/launcher has no key 'n_jobs' (-m hydra/launcher=NAME"),
        # what is no override
        (f"seed={DIGITS}", "thousands of digits"),
        ("steps=1e10000", "steps must be"),
        ("=", "one has no key"),
        ("", "an override is key=value, and one is empty"),
        (" ", "cannot read"),
        ("steps", "'steps' is no override: write key=value"),
        ("steps==3", "steps==3"),
        ("é=3", "cannot read 'é=3'"),
        ("study=é", "needs quotation marks"),
        ("steps=\x00", "cannot read"),
        ("steps='", "cannot read"),
        ("steps=[", "no viable alternative"),
        ("steps=choice(", "no viable alternative"),
    ],
    ids=lambda text: ascii(text)[:50],
)
def test_an_override_that_cannot_be_composed(override: str, expected: str) -> None:
    assert expected in sentence(override)


def test_groups_are_those_of_the_folder_with_the_variants_of_the_defaults_list() -> None:
    folders = {path.name for path in config_dir().iterdir() if path.is_dir()} - {"hydra"}
    variants = {f"{network}_{group}" for network in ("generator", "discriminator") for group in ("activation", "optimizer", "schedule", "clipping")}  # fmt: skip  # noqa: E501
    assert set(groups()) == folders | variants
    assert groups()["generator_optimizer"] == "optimizer@generator_optimizer"
    assert groups()["metric"] == "metric"


def test_settings_are_those_of_the_files() -> None:
    keys = known_settings()
    assert {
        "steps",
        "log.every",
        "optimizer.lr",
        "discriminator_optimizer.betas",
        "metric.kid.subsets",
    } <= keys
    assert not any(key.startswith(("hydra.", "defaults", "experiment")) or "_target_" in key for key in keys)
    assert set(VALIDATORS) <= keys


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("_target_: [own\n", "own.yaml, line 2: expected ',' or ']'"),
        ("_target_:\t- x\n\t- y", "own.yaml, line 1: found character"),
        ("", "activation must hold a _target_"),
        ("- 1\n- 2\n", "activation must hold a _target_, got [1, 2]"),
        ("7\n", "Invalid loaded object type: int"),
        (b"\xff\xfe\x00\x01", "is not text in UTF-8"),
        ("_target_: torch.nn.ELU\nalpha: .inf\nbeta: .nan\n", "unexpected keyword argument 'beta'"),
        ("_target_: torch.nn.ELU\n_target_: torch.nn.ELU\n", "found duplicate key _target_"),
        ("alpha: 1\n", "activation must hold a _target_"),
        ("_target_: ${nothing}\n", "Interpolation key 'nothing' not found"),
        ("_target_: torch.nn.ELU\nalpha: ${activation.alpha}\n", "Recursive interpolation"),
        ("a: &a [*a]\n", "nested too deeply"),
        ("a: " + "[" * 3000, "nested too deeply"),
        ("!!python/object/apply:os.system ['touch pwned']\n", "could not determine a constructor"),
        ("a: \x00", "special characters are not allowed"),
        ("defaults: [nothing]\n_target_: torch.nn.ELU\n", "no activation named 'nothing'"),
        ("# @package nothing.here\n_target_: torch.nn.ELU\n", "activation"),
    ],
)
def test_a_file_of_the_user_that_is_broken(content: str | bytes, expected: str) -> None:
    folder = Path("mine/activation")
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    search = f"hydra.searchpath=[file://{folder.parent.absolute()}]"
    with pytest.raises(ConfigurationError) as caught, config_errors():
        build_activation(composed(search, "activation=own", "metric=[]", "diagnostic=[]"), "activation")
    text = str(caught.value)
    assert expected in text
    assert "\n" not in text
    assert not Path("pwned").exists()


def test_an_error_of_somebody_elses_code_is_no_config_error() -> None:
    with pytest.raises(ZeroDivisionError), config_errors():
        _ = 1 / 0
    with pytest.raises(GanLabError, match=r"^ours$"), config_errors():
        raise GanLabError("ours")


KEYS = st.sampled_from(
    [*VALIDATORS, *groups(), "activation.negative_slope", "dataset.modes", "metric.fid", "nothing"]
)
VALUES = st.one_of(
    st.integers().map(str),
    st.floats(allow_subnormal=False).map(str),
    st.text(max_size=20),
    st.text(max_size=20).map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    st.sampled_from(
        ["null", "true", "''", "[]", "{}", "[1,2]", "{a:1}", "${steps}", "${", "elu", "???", "1,2"]
    ),
    st.text(alphabet="[]{}(),:'\"\\$=~+@./ \t", max_size=8),
)
OVERRIDES = st.one_of(
    st.builds("{}{}={}".format, st.sampled_from(["", "+", "++", "~"]), KEYS, VALUES),
    st.builds("{}={}".format, st.text(max_size=10), VALUES),
    st.text(max_size=20),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(OVERRIDES, min_size=1, max_size=3))
def test_generated_overrides_compose_or_are_refused_in_one_sentence(overrides: list[str]) -> None:
    GlobalHydra.instance().clear()
    try:
        check(composed("metric=[]", "diagnostic=[]", *overrides))
    except GanLabError as error:
        text = str(error)
    except Exception as error:
        if not is_config_error(error):
            raise
        text = describe_error(error)
    else:
        return
    assert text.strip()
    assert "\n" not in text
    assert len(text) < 1000
