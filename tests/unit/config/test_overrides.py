"""Overrides that Hydra reads as something else than what was meant."""

import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from gan_lab.config.errors import groups, single_choice_groups
from gan_lab.config.overrides import check_choices, keep_text
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.paths import config_dir
from tests.helpers.cli import refused
from tests.helpers.experiments import TINY_POINTS, choices


def value(override: str) -> object:
    return OverridesParser.create().parse_override(override).value()


@pytest.mark.parametrize(
    "text",
    [
        "2024_01_15",
        "007",
        "1e3",
        "-5",
        "1.50",
        "true",
        "off",
        "nan",
        "0x10",
        "a_1",
        "v1.0",
        "9" * 5000,
        "~/pictures",
    ],
)
@pytest.mark.parametrize("key", ["dataset.path", "study", "report.reference"])
def test_a_name_is_text_as_it_was_typed(key: str, text: str) -> None:
    [override] = keep_text([f"{key}={text}"])
    assert value(override) == text


def test_a_path_that_is_there_is_taken_as_it_is() -> None:
    """The name of a run has what Hydra would read as another key, or as a sweep."""
    path = Path("outputs/ring/activation=elu,seeds=2-0123abcd")
    [before] = keep_text(["init_from=plain.safetensors"])
    assert value(before) == "plain.safetensors"
    path.mkdir(parents=True)
    [override] = keep_text([f"init_from={path}"])
    assert value(override) == str(path)
    assert keep_text([override]) == [override]
    assert keep_text(["init_from=null"]) == ["init_from=null"]


def test_a_sweep_over_names_is_text_too() -> None:
    [override] = keep_text(["dataset.path=2024_01_15,2024_01_16,more"])
    parsed = OverridesParser.create().parse_override(override)
    assert list(parsed.sweep_string_iterator()) == ["'2024_01_15'", "'2024_01_16'", "more"]


@pytest.mark.parametrize(
    "override",
    [
        *(
            "dataset.path=null",
            "dataset.path=a/b",
            "dataset.path=tail\\",
            "dataset.path=a b",
            "dataset.path='2024_01_15'",
        ),
        *("dataset.path=${oc.env:HOME}/x", "study=choice(a,b)", "seed=0x10", "steps=2024_01_15", "-m"),
        *("activation=[relu]", "~study", "study", ""),
    ],
)
def test_everything_else_stays_as_it_is(override: str) -> None:
    assert keep_text([override]) == [override]


@pytest.mark.parametrize(
    "text", ["Größe", "a(1)", "x[2]", "it's", "{a}", "[a]", "50% off!", "a;b", "C:\\'x'", "a#b"]
)
def test_what_needs_quotation_marks_is_answered_with_them(text: str) -> None:
    with pytest.raises(ConfigurationError, match="needs quotation marks: gan-lab train ") as raised:
        keep_text([f"dataset.path={text}"])
    *_, override = shlex.split(str(raised.value).partition("marks: ")[2])
    assert value(override) == text
    assert keep_text([override]) == [override]


@pytest.mark.parametrize("group", sorted(single_choice_groups()))
def test_a_list_is_refused_wherever_one_choice_counts(group: str) -> None:
    names = choices(group.partition("@")[0])[:2]
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("train", [f"{group}=[{','.join(names)}]"], return_hydra_config=True)
    with pytest.raises(ConfigurationError) as raised:
        check_choices(cfg.hydra)
    assert f"gan-lab train -m {group}={','.join(names)} sweeps over several" in str(raised.value)


def test_metrics_diagnostics_and_loggers_are_lists() -> None:
    assert set(groups().values()) - single_choice_groups() == {"metric", "diagnostic", "logger"}
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        words = ["metric=[fid,kid]", "diagnostic=[units]", "activation=relu"]
        check_choices(compose("train", words, return_hydra_config=True).hydra)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["activation=[relu,elu]"], "gan-lab train -m activation=relu,elu sweeps over several"),
        (["-m", "activation=[relu,elu]"], "gan-lab train -m activation=relu,elu sweeps over several"),
        (["activation=relu,elu"], "gan-lab train -m activation=relu,elu sweeps over its values"),
        (["activation=glob(*)"], "gan-lab train -m 'activation=glob(*)' sweeps over its values"),
        (["hydra/launcher=basic"], "gan-lab train -m hydra/launcher=basic ... makes it one"),
        (["hydra/sweeper=basic"], "hydra/sweeper=basic is for sweeps, and this is a single run"),
        (["hydra.launcher.minutes=3"], "gan-lab train -m hydra.launcher.minutes=3 ..."),
        (["hydra.sweep.dir=x"], "hydra.sweep.dir=x is for sweeps"),
        (["dataset.path=Größe"], "needs quotation marks"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nothing_is_trained_that_was_not_meant(words: list[str], sentence: str) -> None:
    flags = [word for word in words if word == "-m"]
    assert sentence in refused("train", *flags, *TINY_POINTS, *(word for word in words if word != "-m"))


def test_a_folder_of_digits_is_found() -> None:
    Path("2024_01_15").mkdir()
    error = refused("train", "dataset=image_folder", "dataset.path=2024_01_15")
    assert "dataset.path=2024_01_15 holds no images" in error
