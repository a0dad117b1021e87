"""Sentences on one setting: who is better, who is equivalent, and whether the order will hold."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.comparison import FEWEST_SEEDS
from gan_lab.report.declared import DeclaredMargin, PrimaryMetric
from gan_lab.report.sentences import Sentence, sentence, was
from gan_lab.report.text import all_of, interval, join_names, p_text, score, seed_counts
from gan_lab.utils.text import format_number, plural

Part = Mapping[str, Any]
ALPHA = 0.05


def claim(part: Part, metric: PrimaryMetric, where: str) -> list[Sentence]:
    """Say who is better, as far as the tests allow, and nothing of who is incomplete or has not learned."""
    rows = part["rows"]
    if not rows:
        return _nobody(part, where)
    if len(rows) == 1:
        return [_alone(part, metric, where)]
    if part["all_equal"]:
        value = f"{metric.name} {score(rows[0]['iqm'])}"
        text = f"All scores of {all_of(len(rows), 'candidates')} are equal{where}: {value}."
        return [sentence("claim", text)]
    if part["exploratory"]:
        text = (
            f"Exploratory{where}, {seed_counts(rows)}: {_leader_text(rows, metric)}. "
            "Under five seeds nobody is called better or worse."
        )
        return [sentence("claim", text)]
    made = _winner(part, metric, where) if part["winner"] is not None else _no_winner(part, metric, where)
    return [made, *_untestable(part)]


def equivalence(part: Part, margin: DeclaredMargin | None) -> list[Sentence]:
    """Say who lies within the declared margin of the best, and who of them is cheapest."""
    test = part["tests"] and part["tests"]["equivalence"]
    if margin is None or not test or len(part["rows"]) < 2:
        return []
    names = [row["name"] for row in part["rows"] if row["equivalent"]]
    if len(names) < 2:
        text = f"Nobody is shown to be equivalent to the best within {margin.text}."
        return [sentence("equivalence", text, p=test["p_values"])]
    text = f"Equivalent within {margin.text}: {join_names(names)}{_cheapest(part, names)}."
    return [sentence("equivalence", text, p={name: test["p_values"][name] for name in names})]


def order(part: Part, where: str) -> list[Sentence]:
    """Say whether the order will hold: who led at half of the steps, and who still improves."""
    trend = part["trend"]
    if trend is None or len(part["rows"]) < 2:
        return []
    tested = {} if part["exploratory"] else trend
    improving = {name: p for name, p in tested.get("improving", {}).items() if p <= ALPHA}
    # Seeds that diverged have no slope: without them another may lead, whom nobody has to catch.
    leads = trend["steady_leader"] == trend["leader"]
    gaining = {name: p for name, p in tested.get("gaining", {}).items() if leads and p <= ALPHA}
    half, end = trend["half"], trend["steps"][-1]
    start = f"At half of the steps{where} ({half:,}) and at the end ({end:,}) {trend['leader']} leads"
    if trend["changed"]:
        start = (
            f"The leader changed after half of the steps{where}: from {trend['leader_at_half']} at step "
            f"{half:,} to {trend['leader']} at {end:,}"
        )
    elif trend["leader"] is None or trend["leader_at_half"] is None:
        start = f"In the last half of the steps{where} nobody leads throughout"
    texts = [start]
    if gaining:
        texts.append(f"{_some(gaining, part)} gaining on {trend['steady_leader']} {_at_most(gaining)}")
    if improving:
        texts.append(f"{_some(improving, part)} still improving {_at_most(improving)}")
    if not gaining and not improving:
        doubt = "" if trend["shown"] else ", which fewer than ten seeds could hardly show"
        texts.append(f"nobody is shown to improve any more{doubt}")
    if not tested:
        texts = [start]
    p = {"improving": trend["improving"], "gaining": trend["gaining"]}
    return [sentence("order" if trend["changed"] else "steady", f"{'; '.join(texts)}.", p=p)]


def _some(p_values: Mapping[str, float], part: Part) -> str:
    """Return "elu and tanh are", "all 16 are"."""
    names, count = list(p_values), len(part["rows"])
    if len(names) <= 4:
        return was(names, "is", "are")
    return f"{all_of(count)} are" if len(names) == count else f"{len(names)} of {count} candidates are"


def bias(count: int, best: str, part: Part | None, metric: PrimaryMetric) -> str:
    """Say why the best of ``count`` looks better than it is; ``part``: the setting, if there is only one."""
    size = ""
    if part is not None:
        size = f": by {format_number(part['selection_bias'])} standard deviations"
        if part["selection_bias_score"]:
            size += f" ({format_number(part['selection_bias_score'])} in {metric.name})"
        size += " if all were equal"
    return (
        f"The best of {count} was picked for its score, and so looks better than it is{size}. Before "
        f"believing its margin, train {best} on fresh seeds:"
    )


def power(part: Part, metric: PrimaryMetric) -> str:
    """Say what the study could see, and what it would take to separate the two best."""
    rows = part["rows"]
    if len(rows) < 2 or part["all_equal"] or part["exploratory"]:
        return ""
    effects = [row for row in rows if row["detectable"] is not None]
    texts = []
    if effects:
        low, high = (pick(effects, key=lambda row: row["detectable"]) for pick in (min, max))
        span = (
            _effect(high, metric)
            if low["detectable"] == high["detectable"]
            else (f"{format_number(low['detectable'])} to {_effect(high, metric)}")
        )
        texts.append(f"A difference from the best that is found four times out of five is {span}.")
    first, second = rows[0]["name"], rows[1]
    if second["rank"] == rows[0]["rank"] or not _is_finite(rows[0]):
        return " ".join(texts)
    if second["required_seeds"] is None:
        texts.append(
            f"Not even 1,000 seeds each would tell {first} from {second['name']}, as alike as they are here."
        )
    else:
        needed = plural(int(second["required_seeds"]), "seed")
        texts.append(
            f"To tell {first} from {second['name']}, if they differ as they did here, takes {needed} each."
        )
    return " ".join(texts)


def _effect(row: Part, metric: PrimaryMetric) -> str:
    own = row["detectable_score"]
    size = f"{format_number(row['detectable'])} standard deviations"
    return size + (f" ({format_number(own)} in {metric.name})" if own else "")


def _nobody(part: Part, where: str) -> list[Sentence]:
    if not part["unranked"]:
        return [sentence("claim", f"No verdict{where}: no candidate is complete.")]
    if part["incomplete"]:
        return [sentence("claim", f"No verdict{where}.")]
    return []


def _alone(part: Part, metric: PrimaryMetric, where: str) -> Sentence:
    row = part["rows"][0]
    told = f"{metric.name} {_score_text(row)}, {seed_counts([row])}"
    if part["incomplete"]:
        text = f"No verdict{where}: of those that are complete only {row['name']} has learned, {told}."
        if not part["unranked"]:
            text = f"No verdict{where}: only {row['name']} is complete, {told}."
    elif part["unranked"]:
        text = (
            f"{row['name']} is the only one of {len(part['unranked']) + 1} that has learned{where}: {told}."
        )
    else:
        text = f"Only {row['name']} was tried{where}: {told}; there is nothing to compare it with."
    return sentence("claim", text)


def _winner(part: Part, metric: PrimaryMetric, where: str) -> Sentence:
    rows, test = part["rows"], part["tests"]["winner"]
    best = next(row for row in rows if row["name"] == part["winner"])
    others = "every other"
    if test["exploratory"]:
        others += f" but {join_names(test['exploratory'])}, not tested with fewer than {FEWEST_SEEDS} seeds"
    text = (
        f"{part['winner']} is the best of {_scope(part)} by {metric.name}{where}: {_score_text(best)}, "
        f"{seed_counts(rows)}, {p_text(test['p'])} against {others}.{_against_reference(part)}"
    )
    return sentence("claim", text, p=test["p_values"])


def _no_winner(part: Part, metric: PrimaryMetric, where: str) -> Sentence:
    rows, tests = part["rows"], part["tests"]
    tied = [row["name"] for row in rows if not row["worse"]]
    worse = [row for row in rows if row["worse"]]
    p = {"winner": tests["winner"]["p_values"], "worse": tests["worse"]["p_values"]}
    behind = ""
    if worse:
        names = join_names([row["name"] for row in worse])
        behind = f"; {names} scored worse ({p_text(max(row['p_worse'] for row in worse))})"
    leading, winner = _leader_text(rows, metric), tests["winner"]
    if winner["p"] is not None and winner["p"] <= ALPHA:  # only who is exploratory is in its way
        others = join_names(winner["exploratory"])
        text = (
            f"No winner among {_scope(part)} by {metric.name}{where}, {seed_counts(rows)}: "
            f"{winner['leader']} beats every other that has {FEWEST_SEEDS} seeds ({p_text(winner['p'])}), "
            f"but {others} cannot be tested with fewer. {leading}{behind}."
        )
        return sentence("claim", text, p=p)
    if not tests["worse"]["seeds"] and winner["p"] is not None:
        second = max(winner["p_values"], key=lambda name: winner["p_values"][name])
        text = (
            f"No winner among {_scope(part)} by {metric.name}{where}: {leading}, but is not shown to beat "
            f"{second} ({p_text(winner['p'])}); with {seed_counts(rows)} nobody can be called worse."
        )
        return sentence("claim", text, p=p)
    if len(tied) == 1:
        text = f"No certain winner by {metric.name}{where}, {seed_counts(rows)}: {leading}{behind}."
        return sentence("claim", text, p=p)
    together = join_names(tied) if worse or len(tied) <= 8 else f"all {len(tied):,}"
    closest = tests["winner"]["p"]
    doubt = f" ({p_text(closest)})" if closest is not None else ""
    text = (
        f"{'No winner' if worse else 'No difference found'} among {_scope(part)} by {metric.name}{where}: "
        f"{together} cannot be told apart{doubt} with {seed_counts(rows)}{behind}. "
        f"{leading}."
    )
    return sentence("claim", text, p=p)


def _untestable(part: Part) -> list[Sentence]:
    """Say who has too few seeds for "scored worse" to be claimed, and whether seeds were left out."""
    test, rows = part["tests"]["worse"], part["rows"]
    few, sentences = test["too_few"], []
    if few and len(few) < len(rows):
        counts = join_names([f"{name} ({plural(n, 'seed')})" for name, n in few.items()])
        needed = f"({test['smallest_seeds']} are needed)"
        text = f"{counts}: too few to be called worse, however large the difference {needed}."
        sentences.append(sentence("power", text, names=list(few)))
    elif few:
        text = (
            f"With {seed_counts(rows)} nobody of {len(rows)} can be called worse, however large the "
            f"difference: that takes {test['smallest_seeds']} seeds each."
        )
        sentences.append(sentence("power", text, names=list(few)))
    if test["shortened"]:
        first = f"only the first {min(test['seeds'].values())} of each are tested for worse"
        text = f"Numbers of seeds differ by more than half: {first}."
        sentences.append(sentence("power", text))
    return sentences


def _scope(part: Part) -> str:
    """Return "3 candidates", or "the 3 that are complete and have learned"."""
    count, words = len(part["rows"]), []
    if part["incomplete"] or part["unreadable"]:
        words.append("are complete")
    if part["unranked"]:
        words.append("have learned")
    return f"the {count} that {' and '.join(words)}" if words else plural(count, "candidate")


def _leader_text(rows: Sequence[Part], metric: PrimaryMetric) -> str:
    """Return "elu scores best by fid, 1.00 (95% interval ...)"; equals are named together."""
    leaders = [row["name"] for row in rows if row["rank"] == rows[0]["rank"]]
    if not _is_finite(rows[0]):
        return f"{was(leaders, 'comes', 'come')} first because fewest of the seeds diverged"
    return f"{was(leaders, 'scores', 'score equally')} best by {metric.name}, {_score_text(rows[0])}"


def _score_text(row: Part) -> str:
    diverged = f", {row['diverged']} of {row['seeds']} seeds diverged" if row["diverged"] else ""
    if row["may_differ"] is not None:
        return f"{score(row['iqm'])} in every seed{diverged}"
    about = "about " if row["interval_level"] < 0.945 else ""
    level, ends = f"{about}{row['interval_level']:.0%}", interval(row["interval"])
    return f"{score(row['iqm'])} ({level} interval {ends}{diverged})"


def _is_finite(row: Part) -> bool:
    return row["iqm"] is not None and math.isfinite(row["iqm"])


def _against_reference(part: Part) -> str:
    reference = part["reference"]
    if reference is None:
        return ""
    if reference == part["winner"]:
        second = part["rows"][1]
        return f" It is the reference; second is {second['name']} with {score(second['iqm'])}."
    row = next(row for row in part["rows"] if row["reference"])
    return f" The reference {reference} scores {score(row['iqm'])}."


def _cheapest(part: Part, names: Sequence[str]) -> str:
    """Return which of equivalent candidates costs least, if costs may be compared."""
    cost = part["cost"]
    if not cost or not cost["fair"] or not all(name in cost["rows"] for name in names):
        return "; take the cheaper (costs here do not compare: gan-lab activations measures them)"
    by_cost = sorted(names, key=lambda name: cost["rows"][name]["ms_per_step"])
    prices = [f"{name} {format_number(cost['rows'][name]['ms_per_step'])}" for name in by_cost[:3]]
    return f"; take the cheaper, {by_cost[0]} ({', '.join(prices)} ms per step and seed)"


def _at_most(p_values: Mapping[str, float]) -> str:
    largest = max(p_values.values())
    return f"({p_text(largest)})" if len(p_values) == 1 else f"(p at most {max(largest, 0.001):.3f})"
