"""Sentences on what comes before any comparison: who is missing, who has learned, who diverges.

A sentence is {"kind", "text"} and, if it rests on tests, {"p": {name: p-value}}. Every one is made from the
numbers of the report.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.declared import PrimaryMetric
from gan_lab.report.text import join_names, score
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
        name = f"{one['name']}, the reference," if one["name"] == reference else one["name"]
        text = f"{name} is incomplete{where}: {one['reason']}."
        sentences.append(sentence("incomplete", text, names=[one["name"]], commands=one["commands"]))
    if len(sentences) > _MOST_NAMED:
        sentences = [_many_incomplete(part["incomplete"], reference, where)]
    for one in part["partial"]:
        missing = plural(len(one["seeds"]), "seed")
        text = f"{missing} of {one['name']}{where} do not count: {one['reason']}."
        sentences.append(sentence("partial", text, names=[one["name"]], commands=one["commands"]))
    if part["untried"]:
        text = f"{was(part['untried'])} not tried{where}."
        sentences.append(sentence("untried", text, names=part["untried"]))
    return sentences


def _many_incomplete(missing: Sequence[Part], reference: str | None, where: str) -> Sentence:
    names = [one["name"] for one in missing]
    among = f", the reference {reference} among them" if reference in names else ""
    first = missing[0]
    example = f"{first['name']}: {first['reason']}"
    text = f"{len(names)} candidates are incomplete{where}{among}: {join_names(names)} ({example})."
    commands = [command for one in missing for command in one["commands"]]
    return sentence("incomplete", text, names=names, commands=commands)


def learning(part: Part, metric: PrimaryMetric, where: str) -> list[Sentence]:
    """Say whether none, some or all have learned."""
    told = part["learning"]
    sentences = []
    if told["diverged"]:
        text = f"{was(told['diverged'], 'has', 'have')} diverged in every seed{where}."
        sentences.append(sentence("learning", text))
    if told["not_learned"]:
        sentences.append(_not_learned(part, metric, where))
    if told["unknown"]:
        names = join_names(told["unknown"])
        text = f"Whether {names} learned anything{where} cannot be shown with so few seeds."
        sentences.append(sentence("learning_unknown", text))
    if told["not_measured"]:
        text = (
            f"Whether {join_names(told['not_measured'])} learned anything{where} is not known: the untrained "
            "generator was not measured."
        )
        sentences.append(sentence("learning_unknown", text))
    if told["learned"] and not sentences:
        p = {name: told["p_values"][name] for name in told["learned"]}
        who = f"All {len(p)}" if len(p) > 1 else told["learned"][0]
        verb = "score" if len(p) > 1 else "scores"
        sentences.append(sentence("learned", f"{who} {verb} better than untrained generators{where}.", p=p))
    return sentences


def _not_learned(part: Part, metric: PrimaryMetric, where: str) -> Sentence:
    told, names = part["learning"], part["learning"]["not_learned"]
    p = {name: told["p_values"][name] for name in names}
    known = _anchor_text(part, metric)
    alone = not (told["learned"] or told["unknown"] or told["not_measured"] or part["incomplete"])
    if not alone:
        text = f"{was(names, 'has', 'have')} not learned{where} ({_scores_of(part, names)}{known})."
        return sentence("learning", text, p=p, names=names)
    everybody = join_names(names) if len(names) <= _MOST_NAMED + 1 else f"all {len(names)} candidates"
    verb = "scores" if len(names) == 1 else "score"
    text = (
        f"Nobody has learned{where}: {everybody} {verb} no better than an untrained generator "
        f"({_scores_of(part, names)}{known}). Train longer, or change how they are trained, before comparing "
        "them."
    )
    return sentence("learning", text, p=p, names=names)


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
    """Return the scores of unranked candidates, of many the lowest and the highest."""
    values = [row["finite_iqm"] for row in part["unranked"] if row["name"] in names]
    if len(values) > _MOST_NAMED:
        low, high = format_number(min(values)), format_number(max(values))
        return low if low == high else f"{low} to {high}"
    return ", ".join(format_number(value) for value in values)
