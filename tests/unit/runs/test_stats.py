"""The log of a seed that is resumed: it goes on after its last good line."""

from pathlib import Path

import pytest

from gan_lab.runs.stats import STATS, StatsWriter, read_stats

GOOD = '{"step": 1, "loss/generator": 1.0}\n'


@pytest.mark.parametrize(
    "bad", ["[" * 200_000, "[1]", '{"step": "1"}', "{}", '{"step": 1' + "0" * 400 + "}", "\x00\x00", '{"st']
)
def test_a_resumed_run_drops_its_log_from_the_first_bad_line_on(bad: str, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "seed_0"
    folder.mkdir(parents=True)
    (folder / STATS).write_text(f'{GOOD}{bad}\n{{"step": 2}}\n')
    writer = StatsWriter(folder, step=4)
    writer.write({"step": 5, "loss/generator": 0.5})
    writer.close()
    assert [line["step"] for line in read_stats(folder)] == [1, 5]
