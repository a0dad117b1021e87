"""Sentences on what comes before any comparison: who is missing, who has learned, who diverges.

A sentence is {"kind", "text"} and, if it rests on tests, {"p": {name: p-value}}. Every one is made from the
numbers of the report.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.declared import PrimaryMetric
from gan_lab.report.text import all_of, join_names, p_text, score
from gan_lab.utils.text import format_number, plural

Part = Mapping[str, Any]
Sentence = dict[str, Any]
_MOST_NAMED = 3


def sentence(kind: str, text: str, **facts: Any) -> Sentence:
    return {"kind": kind, "text": text, **facts}


def was(names: Sequence[str], singular: str = "was", plural_form: str = "were") -> str:
    """Return "elu was", "elu and tanh were"."""
    return f"{join_names(names)} {singular if len(names) == 1 else plural_form}"


def incomplete(part: Part, reference: str | None, where: str) -> list[Sentence]:
    """Name who is missing, how far they came and why. ``where``: " at optimizer.lr=0.001", or nothing."""
    sentences = []
    for one in part["incomplete"]:
        text = f"{marked([one['name']], reference)[0]} is incomplete{where}: {one['reason']}."
        sentences.append(sentence("incomplete", text, names=[one["name"]], commands=one["commands"]))
    if len(sentences) > _MOST_NAMED:
        sentences = [_many_incomplete(part["incomplete"], reference, where)]
    sentences += not_counted(part, where)
    if part["untried"]:
        text = f"{was(part['untried'])} not tried{where}."
        sentences.append(sentence("untried", text, names=part["untried"]))
    return sentences


def not_counted(part: Part, where: str) -> list[Sentence]:
    """Say of which candidates some seeds are missing."""
    sentences = []
    for one in part["partial"]:
        missing = plural(len(one["seeds"]), "seed")
        verb = "does" if len(one["seeds"]) == 1 else "do"
        text = f"{missing} of {one['name']}{where} {verb} not count: {one['reason']}."
        sentences.append(sentence("partial", text, names=[one["name"]], commands=one["commands"]))
    return sentences


def _many_incomplete(missing: Sequence[Part], reference: str | None, where: str) -> Sentence:
    names = [one["name"] for one in missing]
    among = f", the reference {reference} among them" if reference in names else ""
    first = missing[0]
    example = f"{first['name']}: {first['reason']}"
    text = f"{len(names)} candidates are incomplete{where}{among}: {join_names(names)} ({example})."
    commands = [command for one in missing for command in one["commands"]]
    return sentence("incomplete", text, names=names, commands=commands)


def learning(part: Part, metric: PrimaryMetric, reference: str | None, where: str) -> list[Sentence]:
    """Say whether none, some or all have learned."""
    told = part["learning"]
    sentences = []
    if told["diverged"]:
        text = f"{was(marked(told['diverged'], reference), 'has', 'have')} diverged in every seed{where}."
        sentences.append(sentence("learning", text))
    if told["not_learned"]:
        sentences += _not_learned(part, metric, reference, where)
    if told["unknown"]:
        names = join_names(told["unknown"])
        text = f"Whether {names} learned anything{where} cannot be shown with so few seeds"
        text += f"{_no_better_than_untrained(part, metric, told['unknown'])}."
        sentences.append(sentence("learning_unknown", text))
    if told["not_measured"]:
        text = (
            f"Whether {join_names(told['not_measured'])} learned anything{where} is not known: the untrained "
            "generator was not measured."
        )
        sentences.append(sentence("learning_unknown", text))
    if told["learned"] and not sentences:
        p = {name: told["p_values"][name] for name in told["learned"]}
        who = all_of(len(p)).capitalize() if len(p) > 1 else told["learned"][0]
        verb = "score" if len(p) > 1 else "scores"
        diverged = any(row["diverged"] for row in part["rows"])
        scope = " in the seeds that did not diverge" if diverged else ""
        text = f"{who} {verb} better than untrained generators{where}{scope}."
        sentences.append(sentence("learned", text, p=p))
    return sentences


def _no_better_than_untrained(part: Part, metric: PrimaryMetric, names: Sequence[str]) -> str:
    """Name those who so far score no better than untrained generators, where no test says anything."""
    untrained = part["anchors"]["untrained"]["iqm"]
    iqms = {row["name"]: row["iqm"] for row in (*part["rows"], *part["unranked"])}
    behind = [
        name for name in names if iqms[name] is None or metric.sign * iqms[name] <= metric.sign * untrained
    ]
    if not behind:
        return ""
    who = all_of(len(names)) if len(behind) == len(names) > 1 else join_names(behind)
    verb = "score" if len(behind) > 1 else "scores"
    return f"; {who} {verb} no better than untrained generators ({score(untrained)})"


def _not_learned(part: Part, metric: PrimaryMetric, reference: str | None, where: str) -> list[Sentence]:
    """Say who has not learned, and of whom only some seeds have."""
    told = part["learning"]
    rows = {row["name"]: row for row in part["unranked"]}
    some = [name for name in told["not_learned"] if rows[name]["seeds_learned"]]
    names = [name for name in told["not_learned"] if name not in some]
    sentences = []
    share = told["least_share"]
    way = f"{share:.0%} of the way from untrained generators to real data"
    distance = f"have come {way}" if share else "score better than every untrained generator"
    for name in some:
        row = rows[name]
        text = (
            f"{marked([name], reference)[0]} is not shown to have learned{where}: {row['seeds_learned']} of "
            f"{row['seeds']} seeds {distance} ({_p_of(told, [name])})."
        )
        sentences.append(sentence("learning", text, p={name: told["p_values"][name]}, names=[name]))
    if not names:
        return sentences
    known, p = _anchor_text(part, metric), {name: told["p_values"][name] for name in names}
    alone = not (some or told["learned"] or told["unknown"] or told["not_measured"] or part["incomplete"])
    scores = f"({_scores_of(part, names)}{known})"
    if not alone:
        text = f"{was(marked(names, reference), 'has', 'have')} not learned{where} {scores}."
        return [sentence("learning", text, p=p, names=names), *sentences]
    everybody = join_names(names) if len(names) <= _MOST_NAMED + 1 else all_of(len(names), "candidates")
    if share:
        distance = f"{'has' if len(names) == 1 else 'have'} not come {way}"
    else:
        distance = f"{'scores' if len(names) == 1 else 'score'} no better than an untrained generator"
    text = (
        f"Nobody has learned{where}: {everybody} {distance} {scores}. "
        "Train longer, or change how they are trained, before comparing them."
    )
    return [sentence("learning", text, p=p, names=names)]


def _p_of(told: Part, names: Sequence[str]) -> str:
    return p_text(max(told["p_values"][name] for name in names))


def marked(names: Sequence[str], reference: str | None) -> list[str]:
    """Return names, of which the reference is called so."""
    alone = len(names) == 1
    mark = ", the reference," if alone else " (the reference)"
    return [name + mark if name == reference else name for name in names]


def divergence(part: Part, metric: PrimaryMetric) -> list[Sentence]:
    """Say who diverges in some seeds, and what its other seeds are worth."""
    rows = [row for row in part["rows"] if row["finite_iqm"] is not None]
    diverging = [row for row in rows if row["diverged"]]
    if len(diverging) > _MOST_NAMED:
        return [
            sentence("divergence", f"{join_names([row['name'] for row in diverging])} diverge in some seeds.")
        ]
    sentences = []
    for row in diverging:
        others = [other["finite_iqm"] for other in rows if other is not row]
        best = others and all(metric.sign * row["finite_iqm"] > metric.sign * value for value in others)
        otherwise = f"; its other seeds score best ({score(row['finite_iqm'])})" if best else ""
        text = f"{row['name']} diverges in {row['diverged']} of {row['seeds']} seeds{otherwise}."
        sentences.append(sentence("divergence", text, names=[row["name"]]))
    return sentences


def _anchor_text(part: Part, metric: PrimaryMetric) -> str:
    """Return "; untrained 0.663, real data 0.0004"."""
    untrained, real = part["anchors"]["untrained"], part["anchors"]["real_data"]
    texts = []
    if untrained:
        texts.append(f"untrained {score(untrained['iqm'])}")
    if real:
        texts.append(f"real data {score(real['mean'])}")
    return f"; {', '.join(texts)}" if texts else ""


def _scores_of(part: Part, names: Sequence[str]) -> str:
    """Return the scores of ``names``, in their order; of many the lowest and the highest."""
    score_by_name = {row["name"]: row["finite_iqm"] for row in part["unranked"]}
    values = [score_by_name[name] for name in names]
    if len(values) > _MOST_NAMED:
        low, high = format_number(min(values)), format_number(max(values))
        return low if low == high else f"{low} to {high}"
    return ", ".join(format_number(value) for value in values)
