"""The report's page and TensorBoard in a real browser: Chromium, without a window and without a network."""

import html
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_lab.report.write import read_runs, write
from tests.helpers.experiments import TINY_POINTS, train
from tests.helpers.synthetic import draws, make_run, metric

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
)
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND"
EVIL = "<script>document.title='hacked'</script>"

# In CI a browser that is missing is a failure: the tests must not pass by not running.
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="there is no chromium here: apt install chromium"
)


def browse(url: str, *flags: str, network: bool = False) -> tuple[str, list[str]]:
    """Open a page: its DOM after scripts have run, and what the console complained of."""
    assert CHROMIUM is not None, "CI must install chromium"
    profile = Path("chromium-profile").resolve()
    done = subprocess.run(
        [CHROMIUM, *FLAGS, *([] if network else [NO_NETWORK]), f"--user-data-dir={profile}", *flags, url],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture
def report(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A page with everything on it: names that bite, a run that failed, and long words."""
    study = tmp_path / "outputs" / "a study"
    prdc = {name: metric(0.8, 0.9, "max") for name in ("precision", "recall", "density", "coverage")}
    for stream, name in enumerate(
        ("elu", "relu", "tanh", EVIL, "a_name_that_goes_on_and_on_without_a_break")
    ):
        scores = draws(1 + stream, 0.3, 6, stream)
        make_run(study, name, scores, name=f"run{stream}", metrics=prdc, untrained=40.0)
    make_run(study, "mish", [1.0] * 6, state="failed", step=500, reason="boom " * 30, measured=False)
    out = tmp_path / "report"
    return out / "index.html", write(read_runs(study), out)


def visible(dom: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", dom))


def test_the_page_renders_with_its_figures_and_verdict(report: tuple[Path, dict[str, Any]]) -> None:
    page, told = report
    dom, complaints = browse(page.as_uri(), "--dump-dom")
    assert complaints == []
    (verdict,) = re.findall(r'<p id="verdict"[^>]*>(.*?)</p>', dom, re.DOTALL)
    assert html.unescape(verdict) == json.loads((page.parent / "report.json").read_text())["verdict"]["text"]
    assert "<title>a study: gan-lab report</title>" in dom
    labels = re.findall(r'<svg role="img" aria-label="([^":]+)', dom)
    # Two of them a second time for narrow screens.
    assert labels == [
        *["Forest plot"] * 2,
        *["Learning curves of all candidates in one picture"] * 2,
        "Learning curves, a panel per candidate",
        "Health map",
        "Cost against quality",
    ]
    assert dom.count("<img") == 5
    assert EVIL in visible(dom)
    assert "mish is incomplete: failed at step 500 of 2,000 (boom boom" in visible(dom)
    for row in told["settings"][0]["rows"]:
        assert f"<b>{row['iqm']:#.3g}</b>" in dom
    for name in ("real data", "untrained generator"):
        assert f'<th scope="row">{name}' in dom


def test_the_page_fetches_nothing(report: tuple[Path, dict[str, Any]]) -> None:
    page, _ = report
    dom, complaints = browse(page.as_uri(), "--dump-dom")
    assert complaints == []
    assert re.findall(r'\b(?:src|href|srcset|action|data)="(?!data:|#)([^"]*)"', dom) == []
    assert re.findall(r"url\((?!#|data:)", dom) == []
    assert "<script" not in dom
    assert "<link" not in dom


def measure(page: Path, width: int, script: str) -> list[int]:
    """Open a page in a frame of this width; return the numbers that a script finds, given ``r``, its root."""
    # A window cannot be as narrow as a phone, but a frame can.
    frame = page.parent / "frame.html"
    frame.write_text(
        f'<iframe src="index.html" style="border:0;width:{width}px;height:900px" onload="'
        "const r = this.contentDocument.documentElement;"
        f"document.title = [{html.escape(script)}].join(' ')\"></iframe>"
    )
    dom, _ = browse(frame.as_uri(), "--dump-dom", "--allow-file-access-from-files", "--window-size=1700,900")
    found = re.search(r"<title>([\d ]+)</title>", dom)
    assert found is not None, dom[:2000]
    return [int(number) for number in found[1].split()]


@pytest.mark.parametrize("width", [390, 800, 1200])
def test_the_page_never_scrolls_sideways(report: tuple[Path, dict[str, Any]], width: int) -> None:
    page, _ = report
    boxes = "[...r.querySelectorAll('.scroll')].filter(b => b.scrollWidth > b.clientWidth).length"
    inner, content, scrolled = measure(page, width, f"r.clientWidth, r.scrollWidth, {boxes}")
    assert inner == width
    assert content == width
    # On a phone tables and wide figures scroll, each in its own box.
    assert scrolled >= 2 if width == 390 else width < 1200 or scrolled == 0


def test_on_a_phone_the_forest_plot_shows_its_data(report: tuple[Path, dict[str, Any]]) -> None:
    page, told = report
    shown = "[...r.querySelectorAll('figure.narrow svg')][0]"
    inside = (
        "b => { const x = b.getBoundingClientRect();"
        " return x.width + x.height > 0 && x.left >= 0 && x.right <= 390 }"
    )
    # Diamonds and dots are <use> elements; their seeds and one mark for each candidate.
    total, within = measure(
        page,
        390,
        f"{shown}.querySelectorAll('use').length, "
        f"[...{shown}.querySelectorAll('use')].filter({inside}).length",
    )
    rows = told["settings"][0]["rows"]
    assert total == within
    assert total >= sum(row["seeds"] + 1 for row in rows)
    wide, narrow = measure(
        page,
        390,
        "...['wide', 'narrow'].map(k => [...r.querySelectorAll('figure.' + k)]"
        ".filter(f => f.getBoundingClientRect().width > 0).length)",
    )
    assert (wide, narrow) == (0, 2)


def test_seventeen_names_do_not_overprint(tmp_path: Path) -> None:
    study = tmp_path / "outputs" / "many"
    names = [f"activation_{k:02}" for k in range(17)]
    for k, name in enumerate(names):
        make_run(study, name, draws(100 + k % 3, 3, 5, k), untrained=500.0, real_data=19.0)
    write(read_runs(study), tmp_path / "report")
    overlaps = (
        "...[...r.querySelectorAll('svg')].map(s => { const t = [...s.querySelectorAll('text')]"
        ".map(e => e.getBoundingClientRect()).filter(b => b.width > 0); let n = 0;"
        "t.forEach((a, i) => t.slice(i + 1).forEach(b => {"
        "n += Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1"
        " && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2 })); return n })"
    )
    page = tmp_path / "report" / "index.html"
    for width in (1500, 390):
        (texts,) = measure(page, width, "r.querySelectorAll('svg text').length")
        assert texts > 17 * 5
        assert set(measure(page, width, overlaps)) == {0}


@pytest.mark.parametrize(("scheme", "setting"), [("dark", 0), ("light", 1)])
def test_the_page_follows_light_and_dark(
    report: tuple[Path, dict[str, Any]], scheme: str, setting: int
) -> None:
    page, _ = report
    shot = page.parent / f"{scheme}.png"
    scheme_flag = f"--blink-settings=preferredColorScheme={setting}"
    browse(page.as_uri(), f"--screenshot={shot}", "--window-size=1200,1600", scheme_flag)
    with Image.open(shot) as picture:
        shades = np.asarray(picture.convert("L")).astype(float)
    paper = np.median(shades)
    assert paper < 60 if scheme == "dark" else paper > 235
    # Text and figures stand out from the paper: something is far from it all the way down the page.
    bands = np.array_split(np.abs(shades - paper), 8)
    assert all(band.max() > 120 for band in bands)


# TensorBoard


@pytest.fixture
def trained() -> Path:
    """A real study of two activations, four steps long."""
    few = ("steps=4", "log.every=2", "samples.every=4", "metrics.every=2", "diagnostics.every=2")
    for activation in ("elu", "relu"):
        run = train(
            [*TINY_POINTS, *few, f"activation={activation}", "seeds=2", "metrics.samples=50", "study=tiny"]
        )
    return run.folder.parent


@contextmanager
def serving(logdir: Path, runs: int) -> Iterator[str]:
    """The address of a TensorBoard, when it has found so many runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--host", "127.0.0.1"]
    with Path("tensorboard.log").open("w") as log:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(lambda: len(ask(f"{address}/data/runs")) == runs)
        _wait_for(lambda: len(ask(f"{address}/data/plugin/scalars/tags")) == runs)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def tensorboard(trained: Path) -> Iterator[str]:
    """The address of a TensorBoard that shows the study."""
    with serving(trained / "tensorboard", 2) as address:
        yield address


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def _wait_for(ready: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if ready():
                return
        except OSError:
            pass
        assert time.monotonic() < end, Path("tensorboard.log").read_text()
        time.sleep(0.3)


def check_curves_and_pictures(tensorboard: str) -> None:
    scalars = ask(f"{tensorboard}/data/plugin/scalars/tags")
    images = ask(f"{tensorboard}/data/plugin/images/tags")
    assert set(images) == set(scalars)
    for run in scalars:
        tags = sorted(scalars[run])
        assert tags[0] == "1_score/mode_js"
        assert {"2_loss/generator", "5_diagnostics/generator/dead"} <= set(tags)
        assert not [tag for tag in tags if "hidden" in tag]
        where = urllib.parse.urlencode({"run": run, "tag": "1_score/mode_js"})
        points = ask(f"{tensorboard}/data/plugin/scalars/scalars?{where}")
        assert [step for _, step, _ in points] == [0, 2, 4]
        where = urllib.parse.urlencode({"run": run, "tag": "samples", "sample": 0})
        pictures = ask(f"{tensorboard}/data/plugin/images/images?{where}")
        assert [picture["step"] for picture in pictures] == [0, 4]
        with urllib.request.urlopen(
            f"{tensorboard}/data/plugin/images/individualImage?{pictures[-1]['query']}"
        ) as f:
            assert f.read(8) == b"\x89PNG\r\n\x1a\n"


def test_tensorboard_shows_a_run_with_one_curve_per_seed(trained: Path) -> None:
    (run, *_) = sorted(path.parent for path in trained.glob("*/status.json"))
    with serving(run, 2) as address:
        assert sorted(ask(f"{address}/data/runs")) == ["seed_0", "seed_1"]
        check_curves_and_pictures(address)


def test_tensorboard_shows_a_study_with_one_curve_per_candidate(tensorboard: str) -> None:
    assert sorted(ask(f"{tensorboard}/data/runs")) == ["elu", "relu"]
    check_curves_and_pictures(tensorboard)
    layout = ask(f"{tensorboard}/data/plugin/custom_scalars/layout")
    assert [category["title"] for category in layout["category"]][:2] == ["score", "score, every seed"]
    (chart,) = layout["category"][1]["chart"]
    where = urllib.parse.urlencode({"run": "elu", "tag": chart["multiline"]["tag"][0]})
    curves = ask(f"{tensorboard}/data/plugin/custom_scalars/scalars?{where}")["tag_to_events"]
    assert len(curves) == 2


def test_tensorboard_compares_the_final_scores_of_the_candidates(tensorboard: str, trained: Path) -> None:
    experiment = ask(f"{tensorboard}/data/plugin/hparams/experiment", {})
    assert [info["name"] for info in experiment["hparamInfos"]] == ["activation"]
    scores = {info["displayName"]: info["name"]["tag"] for info in experiment["metricInfos"]}
    assert {"mode_js", "modes", "sliced_wasserstein"} <= set(scores)
    wanted = {
        "colParams": [{"hparam": "activation"}],
        "allowedStatuses": ["STATUS_SUCCESS"],
        "sliceSize": 100,
    }
    groups = ask(f"{tensorboard}/data/plugin/hparams/session_groups", wanted)["sessionGroups"]
    assert sorted(group["hparams"]["activation"] for group in groups) == ["elu", "relu"]
    for group in groups:
        shown = {one["name"]["tag"]: one["value"] for one in group["metricValues"]}
        (run,) = trained.glob(f"activation={group['hparams']['activation']}*")
        results = [json.loads((run / f"seed_{k}/results.json").read_text())["metrics"] for k in (0, 1)]
        for name, tag in scores.items():
            last = [one[name]["last"] for one in results]
            if None not in last:
                assert shown[tag] == pytest.approx(sum(last) / 2, rel=1e-6), name


def test_the_browser_sees_the_runs_in_tensorboard(tensorboard: str) -> None:
    runs = ask(f"{tensorboard}/data/runs")
    dom, complaints = browse(tensorboard, "--dump-dom", "--virtual-time-budget=25000", network=True)
    assert [line for line in complaints if "Uncaught" in line] == []
    shown = visible(dom)
    for run in runs:
        assert run in shown
