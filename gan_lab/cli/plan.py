"""``gan-lab plan``: how long a sweep or race will take here, and what it can find."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

Part = Mapping[str, Any]


def _complete(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem[str]]":
    from gan_lab.config.completion import complete

    return [CompletionItem(word) for word in complete(context.params.get("words") or (), incomplete)]


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, shell_complete=_complete)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the tables.")
def command(words: tuple[str, ...], as_json: bool) -> None:
    """Say how long what gan-lab train -m WORDS trains will take here, and what it can find.

    \b
    gan-lab plan experiment=activations_on_digits
    gan-lab plan activation=relu,elu seeds=8 hydra/launcher=cores
    gan-lab plan hydra/sweeper=race experiment=activations_on_digits race.seeds=32

    It trains the first steps of each kind of run, alone and as many at once as there are cores, in a folder
    that is removed again. Runs that are finished are not counted.
    """
    from gan_lab.config.command_line import read_sweep_words
    from gan_lab.training.planning import plan

    overrides, folder = read_sweep_words(words)
    planned = plan(overrides, folder, progress=_show_progress())
    if as_json:
        click.echo(json.dumps(planned, indent=2, allow_nan=False))
        return
    for line in lines(planned):
        click.echo(line)


def lines(planned: Part) -> Iterator[str]:
    """Yield what is printed of a plan."""
    yield from _what(planned)
    if planned["places"]:
        yield ""
        yield from _table(_places(planned), left=(0, 3))
        yield ""
        yield from _table(_kinds(planned), left=(0,))
        yield ""
        yield from _disk(planned)
    yield ""
    yield from _differences(planned)


def _what(planned: Part) -> Iterator[str]:
    from gan_lab.utils.text import plural

    race, left = planned["race"], planned["runs"] - planned["finished"]
    if race is not None:
        where = f" in each of {race['settings']} settings" if race["settings"] > 1 else ""
        looks = ", ".join(map(str, race["looks"]))
        yield (
            f"race of {plural(race['candidates'], 'candidate')}{where} in {planned['folder']}, looks at "
            f"{looks} seeds each"
        )
        if race["seeds_used"]:
            yield f"{plural(race['seeds_used'], 'seed')} of its rounds so far are trained"
        if race["ended"]:
            yield "it is over: nothing is left to train"
            return
        first, *later = race["seeds_per_round"]
        yield (
            f"{plural(first, 'seed')} in the next round, and {plural(sum(later), 'seed')} in later ones if "
            "nobody drops out"
        )
    else:
        done = f", {planned['finished']} of them finished" if planned["finished"] else ""
        yield f"{plural(planned['runs'], 'run')} in {planned['folder']}{done}"
        if not left:
            yield "nothing is left to train"
            return
    resumed = f", {planned['resumed']} from a checkpoint" if planned["resumed"] else ""
    yield (
        f"left: {plural(left, 'run')}{resumed}, {plural(planned['seeds'], 'seed')}, "
        f"{plural(planned['seed_steps'], 'seed-step')}"
    )


def _places(planned: Part) -> Iterator[tuple[str, ...]]:
    from gan_lab.utils.text import format_duration

    race = planned["race"]
    if race is None:
        yield "where", "expected", "", ""
    else:
        yield "where", "all but one out at the next look", "nobody out", ""
    for place in planned["places"]:
        mark = "this command" if place["asked"] else ""
        if place["seconds"] is None:
            yield place["place"], "not known", "", place["reason"]
            continue
        if not place["asked"] and place["launcher"] != "worker":
            mark = f"hydra/launcher={place['launcher']}"
        times = [format_duration(place[key]) for key in ("seconds_at_least", "seconds")]
        shown = times if race is not None else [times[1], ""]
        yield f"{place['place']}, {place['device']}", *shown, mark


def _kinds(planned: Part) -> Iterator[tuple[str, ...]]:
    from gan_lab.utils.text import format_duration, format_number, printable

    yield "kind of run", "runs", "seeds", "steps", "ms per step", "a whole run", "of it steps"
    for kind in planned["kinds"]:
        yield (
            printable(kind["label"]),
            str(kind["runs"]),
            str(kind["seeds"]),
            f"{kind['steps']:,}",
            format_number(kind["ms_per_step"]),
            format_duration(kind["seconds"]),
            f"{kind['steps_share']:.0%}",
        )


def _disk(planned: Part) -> Iterator[str]:
    needed, free = planned["bytes"], planned["bytes_free"]
    most = "at most " if planned["race"] is not None else ""
    yield f"disk space: {most}{needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free"
    if needed > free:
        yield "that does not fit: checkpoint.keep=1, or gan-lab prune, makes room"


def _differences(planned: Part) -> Iterator[str]:
    told = planned["differences"]
    spread = told["spread"]
    yield "found four times out of five, in standard deviations of a score over seeds:"
    header = ["seeds", "a pair, the last two" if told["candidates"] is None else "a pair"]
    if told["candidates"] is not None:
        header.append(f"worse of {told['candidates']}")
    if spread is not None:
        header.append(f"a pair, in {spread['metric']}")
    rows = [header]
    for row in told["rows"]:
        cells = [f"{row['seeds']}{' *' if row.get('planned') else '  ' if told['candidates'] else ''}"]
        cells += [_effect(row["pair"])]
        cells += [_effect(row["joint"])] if told["candidates"] is not None else []
        cells += [_effect(row["pair"], spread["sd"])] if spread is not None else []
        rows.append(cells)
    yield from _table(rows, left=())
    if any(row.get("planned") for row in told["rows"]):
        yield "* as planned"
    if spread is not None:
        from gan_lab.utils.text import format_number, plural

        yield (
            f"one standard deviation is {format_number(spread['sd'])} in {spread['metric']}, by "
            f"{plural(spread['seeds'], 'finished seed')} in {', '.join(spread['studies'])}"
        )


def _effect(value: float | None, unit: float = 1.0) -> str:
    from gan_lab.utils.text import format_number

    return "none" if value is None else format_number(unit * value)


def _table(rows: Iterator[tuple[str, ...]] | Sequence[Sequence[str]], left: tuple[int, ...]) -> Iterator[str]:
    from gan_lab.utils.tables import format_table, terminal_width

    for line in format_table(list(rows), left=left, width=terminal_width()):
        yield f"  {line}".rstrip()


def _show_progress() -> Any:
    """Return what shows (where, done, total), one bar per place."""
    from gan_lab.utils.progress import progress_bar

    bars: dict[str, Any] = {}

    def show(where: str, done: int, total: int) -> None:
        if where not in bars:
            bars[where] = progress_bar(f"timing, {where}", total=total, unit="run", leave=False)
        bars[where].update(done - bars[where].n)
        if done >= total:
            bars[where].close()

    return show
