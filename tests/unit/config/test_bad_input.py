"""Everything that people can get wrong: one sentence, exit code 2, no traceback, nothing half-made left."""

import contextlib
import io
import logging
import os
import shutil
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan_lab.cli import main
from gan_lab.config.errors import describe_error, groups, is_config_error
from gan_lab.config.schema import VALIDATORS, check
from gan_lab.utils import memory
from gan_lab.utils.checks import check_int
from gan_lab.utils.errors import GanLabError
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, composed, train

Cli = Callable[..., tuple[int, str, str]]
FEW = ("steps=2", "log.every=2", "samples.every=0")
SECONDS = 20  # even where four tests share two cores
LONG = "x" * 10_000
DIGITS = "1" * 10_000


@pytest.fixture(scope="module", autouse=True)
def _own_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A module of wicked activations, and one that is no Python."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "wicked.py").write_text(WICKED)
    (folder / "no_python.py").write_text("def (:\n")
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


def call(*arguments: str) -> tuple[Any, str, str]:
    """``gan-lab <arguments>`` in this process: importing torch anew for each would take minutes."""
    GlobalHydra.instance().clear()
    root = logging.getLogger()
    before, argv, full = root.handlers[:], sys.argv, os.environ.pop("HYDRA_FULL_ERROR", None)
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main(list(arguments))
    except SystemExit as stop:
        code = stop.code
    else:
        code = 0
    finally:
        sys.argv = argv
        os.environ.pop("HYDRA_FULL_ERROR", None)
        if full is not None:
            os.environ["HYDRA_FULL_ERROR"] = full
        for handler in [h for h in root.handlers if h not in before]:
            root.removeHandler(handler)
            handler.close()
    return code, out.getvalue(), err.getvalue()


def refused(*arguments: str) -> str:
    """The sentence with which a command line is refused, which must be all that comes of it."""
    begun = time.monotonic()
    code, out, err = call(*arguments)
    assert (code, out) == (2, ""), err
    assert err.startswith("gan-lab: "), err
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert len(err) < 1000
    assert not Path("outputs").exists()
    assert not Path("multirun").exists()
    assert time.monotonic() - begun < SECONDS
    return err


WHOLE = [key for key, v in VALIDATORS.items() if getattr(v, "func", v) is check_int]
EDGES = ["-1", "1.5", "nan", "inf", "text", "null", "true", "''", "[1]", "{a: 1}", "9" * 30]


def test_the_table_has_every_whole_number() -> None:
    assert {"steps", "batch_size", "seeds", "metrics.samples", "diagnostics.every"} <= set(WHOLE)


@pytest.mark.parametrize("key", WHOLE)
@pytest.mark.parametrize("value", EDGES)
def test_a_whole_number_at_its_edges(key: str, value: str) -> None:
    with pytest.raises(GanLabError, match=rf"^{key} must be (a whole number|at most)") as caught:
        check(composed(f"{key}={value}"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "-inf", "text", "''", "[1]", "true"])
@pytest.mark.parametrize(
    "key", ["optimizer.lr", "ema", "checkpoint.minutes", "dataset.radius", "dataset.std"]
)
def test_a_number_at_its_edges(key: str, value: str) -> None:
    assert f"{key} must be" in refused("train", *TINY_POINTS, *FEW, f"{key}={value}")


POINTS = [
    # names of folders and of studies
    ("study=''", "study must be"),
    ("study=../x", "study must be"),
    ("study=/etc/x", "study must be"),
    ("study=a/b", "study must be"),
    ("study=..", "study must be"),
    ("study='a\nb'", "study must be"),
    ("study='a\x00b'", "study must be"),
    ("study='<script>'", "study must be"),
    (f"study={LONG}", "study must be"),
    ("study=null", "study must be a name"),
    ("study=é", "quotation marks"),
    ("dataset.name=../x", "study must be"),
    # groups
    ("activation=''", "no activation named ''"),
    ("activation=null", "a group takes the name of an entry"),
    ("activation=3", "a group takes the name of an entry"),
    ("activation=/etc/passwd", "no activation"),
    ("activation='é'", "no activation named 'é'"),
    (f"activation={LONG}", "gan-lab: "),
    ("activation=[elu,relu]", "activation: ReLU"),
    ("activation={a:1}", "activation cannot be set like that"),
    ("activation=elu,relu", "Ambiguous value"),
    ("activation=glob(*)", "requires --multirun"),
    ("activation@generator_activation=nothing", "no activation named 'nothing'"),
    ("activation@nothing=elu", "unknown setting"),
    ("+activation=relu", "Multiple values for activation"),
    ("~activation", "activation"),
    ("dataset=null", "a group takes"),
    ("dataset=nothing", "no dataset named"),
    ("model=nothing", "no model named"),
    ("model=dcgan", "cannot make points of 2 numbers"),
    ("optimizer=nothing", "no optimizer named"),
    ("optimizer@generator_optimizer=nothing", "no optimizer named"),
    ("generator_optimizer.lr=nan", "generator_optimizer.lr"),
    ("+generator_optimizer.lr=nan", "generator_optimizer.lr must be"),
    ("objective=nothing", "no objective named"),
    ("regularizer=nothing", "no regularizer named"),
    ("augmentation=nothing", "no augmentation named"),
    ("augmentation=flip", "augmentation=flip works on images"),
    ("augmentation=diffaugment", "augmentation=diffaugment works on images"),
    ("initialization=nothing", "no initialization named"),
    ("experiment=nothing", "no experiment named"),
    ("experiment=../train", "experiment/"),
    ("features=nothing", "no features named"),
    ("features=classifier", "needs labelled images"),
    ("features=inception", "needs images"),
    ("features.nothing=1", "unknown setting 'features.nothing'"),
    ("metric=[]", "metric must name at least one metric"),
    ("metric=null", "a group takes"),
    ("metric=[fid,nothing]", "metric/nothing"),
    ("metric=[stacked_modes]", "metric holds nothing that suits"),
    ("metric.fid=3", "metric.fid must hold a _target_"),
    ("metric.modes.radius=nan", "metric.modes.radius must be"),
    ("metric.kid.subsets=0", "metric.kid"),
    ("metric.prdc.neighbors=1.5", "neighbors"),
    ("+metric.mine._target_=os.system", "blocklisted"),
    ("diagnostic=nothing", "no diagnostic named"),
    ("diagnostic.units.tau=nan", "diagnostic.units.tau must be"),
    ("diagnostic.units=3", "diagnostic.units must hold a _target_"),
    ("+diagnostic.x._target_=math.nan", "Expected a callable target"),
    ("report.primary=''", "report.primary must be"),
    ("report.primary=nothing", "report.primary must be null or one of"),
    ("report.primary=3", "report.primary must be"),
    ("report.reference=null", "report.reference must be"),
    ("report.reference=''", "report.reference must be"),
    # whole nodes that are gone, or are something else
    ("~steps", "steps must be"),
    ("~metrics", "metrics.every must be"),
    ("log=3", "log.every must be"),
    ("metrics=null", "metrics.every must be"),
    ("samples=[]", "samples"),
    ("report=null", "report.reference must be"),
    # targets and their arguments
    ("activation._target_=os.system", "blocklisted"),
    ("activation._target_=''", "Error locating target"),
    ("activation._target_=3", "Expected a callable target"),
    ("activation._target_=torch.nn", "Expected a callable target"),
    ("activation._target_=nothing.here", "No module named 'nothing'"),
    ("activation._target_=no_python.X", "invalid syntax"),
    ("activation._target_=torch.nn.Linear", "unexpected keyword argument"),
    ("activation.negative_slope=null", "activation cannot be applied"),
    ("activation.negative_slope=[1]", "activation cannot be applied"),
    ("model.generator.normalization=nothing", "normalization must be one of"),
    ("model.generator.width=0", "width must be"),
    ("model.generator.width=1.5", "width must be"),
    ("model.discriminator.depth=0", "depth must be"),
    ("model.latent_size=-1", "latent_size must be"),
    ("model.latent_size=null", "latent_size must be"),
    ("model.latent_size=" + "9" * 30, "model.generator"),
    ("optimizer.betas=[2,3]", "optimizer: Invalid beta"),
    ("optimizer.betas=3", "optimizer: "),
    ("optimizer.betas=[nan,nan]", "optimizer: Invalid beta"),
    ("optimizer.weight_decay=-1", "optimizer: Invalid weight_decay"),
    ("initialization.std=nan", "std must be"),
    ("regularizer.gamma=1", "the chosen regularizer has no key 'gamma'"),
    # places and ways to compute
    ("device=''", "device must be"),
    ("device=cuda:-1", "device must be"),
    ("device=meta", "device must be"),
    ("precision=null", "precision must be"),
    ("engine=warp", "engine must be"),
    ("rerun=3", "rerun must be true or false"),
    # what is no override
    (f"seed={DIGITS}", "thousands of digits"),
    (f"{LONG}=3", "gan-lab: "),
    ("steps=1e10000", "steps must be"),
    ("=", "one has no key"),
    ("", "gan-lab: "),
    (" ", "cannot read"),
    ("steps", "steps"),
    ("steps==3", "steps==3"),
    ("é=3", "cannot read 'é=3'"),
    ("steps=${nothing}", "Interpolation key 'nothing' not found"),
    ("steps=${steps}", "Recursive interpolation"),
    ("steps=${oc.env:NOTHING_OF_THAT_NAME}", "NOTHING_OF_THAT_NAME"),
    ("steps=\x00", "cannot read"),
    ("steps='", "cannot read"),
    ("steps=[", "no viable alternative"),
    ("steps=choice(", "no viable alternative"),
    ("steps=1,2", "Ambiguous value"),
]


@pytest.mark.parametrize(("override", "sentence"), POINTS, ids=[ascii(o)[:50] for o, _ in POINTS])
def test_a_bad_override(override: str, sentence: str) -> None:
    assert sentence in refused("train", *TINY_POINTS, *FEW, override)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["dataset.size=17"], "cannot make 17 x 17"),
        (["dataset.size=nan"], "dataset.size must be"),
        (["dataset.split=nothing"], "dataset.split must be one of"),
        (["dataset=mnist", "dataset.split=x"], "dataset.split must be one of"),
        (["dataset=mnist", "dataset.dataset.path=nothing.here"], "No module named 'nothing'"),
        (["dataset=mnist", "dataset.dataset.path=os.system"], "blocklisted"),
        (["dataset=mnist", "dataset.root=/dev/null/x"], "cannot be read from /dev/null/x"),
        (["dataset=stacked_mnist", "dataset.triples=0"], "dataset.triples must be"),
        (["regularizer=gradient_penalty", "regularizer.weight=nan"], "weight must be"),
        (["regularizer=r1", "regularizer.gamma=-1"], "gamma must be"),
        (["initialization=orthogonal", "initialization.gain=inf"], "gain must be"),
        (["optimizer=sgd", "optimizer.momentum=-1"], "Invalid momentum"),
        (["activation=snake", "activation.alpha=0"], "alpha must be"),
        (["activation=prelu", "activation.init=text"], "activation: "),
        (["--config-dir", "/nowhere"], "/nowhere"),
        (["--config-name", "nothing"], "nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_choices_for_images(overrides: list[str], sentence: str) -> None:
    assert sentence in refused("train", *TINY_IMAGES, *FEW, *overrides)


def test_samples_that_are_judged_together_divide_the_batch() -> None:
    packed = [*TINY_POINTS, *FEW, "model=pacgan", "model.discriminator.packing=3"]
    assert "batch_size must be a multiple of model.discriminator.packing=3, got 8" in refused(
        "train", *packed
    )
    assert call("train", *packed, "batch_size=9")[0] == 0  # and the probe's samples need not


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        (["model.generator.width=10000000"], "model.generator"),
        (["model.discriminator.width=10000000"], "model.discriminator"),
        (["model.latent_size=1000000000000"], "model.generator"),
        (["batch_size=1000000000"], "batch_size"),
        (["seeds=1000000000"], "seeds"),
        (["samples.every=1", "samples.number=1000000000000"], "samples.number"),
        (["discriminator_steps=1000000000"], "discriminator_steps"),
        (["dataset.size=1000000000000"], "dataset.size"),
        (["dataset.modes=1000000000000"], "dataset.modes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_too_large_is_refused_before_it_is_built(overrides: list[str], what: str) -> None:
    said = refused("train", *TINY_POINTS, *FEW, *overrides)
    assert what in said
    assert "is too large for this machine: it takes at least" in said


@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize("tiny", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
def test_a_network_of_a_billion_layers_is_refused(player: str, tiny: tuple[str, ...]) -> None:
    said = refused("train", *tiny, *FEW, f"model.{player}.depth=1000000000")
    assert "depth must be a whole number from 1 to 1000" in said


def test_probes_that_need_more_memory_than_there_is_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    train([*TINY_IMAGES, *FEW])  # fits
    shutil.rmtree("outputs")
    # Both networks pass on more than a kilobyte a sample: eight of them fit into this, a thousand do not.
    monkeypatch.setattr(memory, "available", lambda device=None: 1_000_000)
    said = refused("train", *TINY_IMAGES, *FEW, "diagnostics.samples=1000")
    assert "diagnostics.samples=1000 is too large" in said


def test_memory_that_is_free_is_read_from_the_system() -> None:
    found = memory.available()
    if not Path("/proc/meminfo").exists():
        pytest.skip("only Linux says it like this")
    assert found is not None
    assert 2**20 < found <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_memory_of_a_container_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, content in (
        ("memory.max", "3000000"),
        ("memory.current", "1000000"),
        ("memory.stat", "anon 1\ninactive_file 500000\n"),
    ):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.available() == 2_500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert (memory.available() or 0) > 2**20


WICKED = """
from torch import nn
class Raises(nn.Module):
    def forward(self, x): raise RuntimeError("first line\\nsecond line")
class Fails(nn.Module):
    def __init__(self): raise KeyError("x")
class Late(nn.Module):
    def forward(self, x):
        if len(x.shape) == 4 or x.shape[-1] > 4: raise ValueError("late\\nline")
        return x
class Shape(nn.Module):
    def forward(self, x): return x[..., :1]
class LateShape(nn.Module):
    def forward(self, x): return x if x.shape == (2, 4) else x.sum()
class Nothing(nn.Module):
    def forward(self, x): return None
class Exits(nn.Module):
    def forward(self, x): raise SystemExit(0)
class InPlace(nn.Module):
    def forward(self, x): return x.exp_().mul_(2)
class Integers(nn.Module):
    def forward(self, x): return x.long()
class Detached(nn.Module):
    def forward(self, x): return x.detach()
class Endless(nn.Module):
    def forward(self, x): return self(x)
class Double(nn.Module):
    def forward(self, x): return x.double()
class Nan(nn.Module):
    def forward(self, x): return x * float("nan")
def function(x): return x
"""


@pytest.mark.parametrize("tiny", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Raises", "activation cannot be applied: RuntimeError: first line"),
        ("Fails", "activation: 'x'"),
        ("Late", "cannot take a step with these choices: late line"),
        ("Shape", "activation must keep the shape of its input, but made (2, 1) of (2, 4)"),
        ("LateShape", "cannot take a step with these choices"),
        ("Nothing", "activation cannot be applied"),
        ("Exits", "activation cannot be applied: SystemExit"),
        ("InPlace", "modified by an inplace operation"),
        ("Integers", "cannot take a step with these choices"),
        ("Detached", "no gradient reaches the generator"),
        ("Endless", "activation cannot be applied: RecursionError"),
        ("Double", "cannot take a step with these choices"),
        ("function", "activation: function() missing"),
    ],
)
def test_an_own_activation_that_does_not_work(name: str, sentence: str, tiny: tuple[str, ...]) -> None:
    own_activation(f"_target_: wicked.{name}\n")
    assert sentence in refused("train", "--config-dir", "mine", *tiny, *FEW, "activation=own")


def own_activation(content: str | bytes) -> None:
    folder = Path("mine/activation")
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("target", ["wicked.Nan", "torch.nn.LeakyReLU\nnegative_slope: .nan"])
def test_an_own_activation_that_returns_nan_diverges(target: str) -> None:
    own_activation(f"_target_: {target}\n")
    _, out, err = call("train", "--config-dir", "mine", *TINY_POINTS, *FEW, "activation=own")
    assert "Traceback" not in err
    assert "diverged: 2 steps" in out or "diverged: 1 steps" in out


@pytest.mark.parametrize(
    ("content", "sentence"),
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
        ("defaults: [nothing]\n_target_: torch.nn.ELU\n", "activation/nothing"),
        ("# @package nothing.here\n_target_: torch.nn.ELU\n", "activation"),
    ],
)
def test_an_own_file_that_is_broken(content: str | bytes, sentence: str) -> None:
    own_activation(content)
    said = refused("train", "--config-dir", "mine", *TINY_POINTS, *FEW, "activation=own")
    assert sentence in said
    assert not Path("pwned").exists()


def png(width: int, height: int) -> bytes:
    """A PNG file that says how large it is, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0" * 100)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg() -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, format="JPEG")
    return file.getvalue()


def make_file(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def make_links(folder: Path) -> None:
    (folder / "a.png").symlink_to(folder / "b.png")
    (folder / "b.png").symlink_to(folder / "a.png")


BAD_IMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated jpeg": (make_file("x.jpg", jpeg()[:300]), "x.jpg: Truncated File Read"),
    "zero bytes": (make_file("x.png", b""), "x.png: not an image that Pillow knows"),
    "text": (make_file("x.png", b"hello"), "x.png: not an image that Pillow knows"),
    "bomb": (make_file("x.png", png(60_000, 60_000)), "exceeds limit"),
    "smaller bomb": (make_file("x.png", png(12_000, 12_000)), "exceeds limit"),
    "links in a circle": (make_links, "a.png: Too many levels of symbolic links"),
    "a link to its own folder": (lambda folder: (folder / "again").symlink_to(folder), "holds no images"),
    "a folder called x.png": (lambda folder: (folder / "x.png").mkdir(), "holds no images"),
    "nothing": (lambda folder: None, "holds no images"),
    "a pipe": (lambda folder: os.mkfifo(folder / "x.png"), "x.png: not a file"),
}
FOLDER = ("dataset=image_folder", "dataset.size=8", *(o for o in TINY_IMAGES if "dataset" not in o), *FEW)


@pytest.mark.parametrize(("make", "sentence"), BAD_IMAGES.values(), ids=BAD_IMAGES.keys())
def test_a_folder_without_one_good_image(make: Callable[[Path], object], sentence: str) -> None:
    folder = Path("images").absolute()
    folder.mkdir()
    make(folder)
    assert sentence in refused("train", *FOLDER, f"dataset.path={folder}")
    assert not list(Path("cache").rglob("images.npy"))


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "got nothing"),
        ("nowhere", "does not exist"),
        ("a\x00b", "embedded null byte"),
        (LONG, "File name too long"),
        ("/etc/passwd", "must be a folder"),
        ("é", "does not exist"),
        ("../../..//nowhere", "does not exist"),
    ],
)
def test_a_path_that_is_no_folder(path: str, sentence: str) -> None:
    said = refused("train", *FOLDER, f"dataset.path='{path}'")
    assert sentence in said or path == LONG


def test_a_link_to_itself_is_no_folder() -> None:
    Path("loop").symlink_to("loop")
    assert "symbolic links" in refused("train", *FOLDER, "dataset.path=loop")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights() -> None:
    Path("locked").mkdir(mode=0)
    assert "Permission denied" in refused("train", *FOLDER, "dataset.path=locked")


def test_bad_images_among_good_ones_are_left_out(run_cli: Cli) -> None:
    Path("images").mkdir()
    for number in range(4):
        Path(f"images/{number}.jpg").write_bytes(jpeg())
    Path("images/bad.jpg").write_bytes(jpeg()[:300])
    code, _, err = run_cli("train", *FOLDER, "dataset.path=images")
    assert code == 0, err
    assert "skipped 1 of 5 image files: bad.jpg" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "nowhere"],
        ["sample", "."],
        ["evaluate", "nowhere"],
        ["evaluate", "."],
        ["report", "nowhere"],
        ["ls", "nowhere"],
        ["activations", "nothing"],
        ["activations", "activation.alpha=3"],
        ["activations", "elu", "steps=3"],
        ["activations", "../activation/elu/x"],
        ["activations", "--config-dir", "nowhere"],
        ["activations", "--device", "toaster"],
        ["activations", "elu", "--no-timing", "-o", "x.docx"],
    ],
    ids=lambda value: ascii(" ".join(value)),
)
def test_other_commands(arguments: list[str]) -> None:
    refused(*arguments)


def test_a_few_as_a_user_calls_them(run_cli: Cli) -> None:
    for overrides in (["study=../x"], ["batch_size=-1"], ["model.generator.width=10000000"], ["é=1"]):
        code, out, err = run_cli("train", *TINY_POINTS, *FEW, *overrides)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert not Path("outputs").exists()


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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(OVERRIDES, min_size=1, max_size=3))
def test_generated_overrides_compose_or_are_refused_in_one_sentence(overrides: list[str]) -> None:
    GlobalHydra.instance().clear()
    try:
        check(composed(*overrides))
    except GanLabError as error:
        said = str(error)
    except Exception as error:
        if not is_config_error(error):
            raise
        said = describe_error(error)
    else:
        return
    assert said.strip()
    assert "\n" not in said
    assert len(said) < 1000
