"""The verdict on a study: of each setting, then over all, then with each candidate at its best value."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.claims import claim, equivalence, order
from gan_lab.report.declared import DeclaredMargin, PrimaryMetric
from gan_lab.report.sentences import (
    Sentence,
    divergence,
    incomplete,
    learning,
    marked,
    not_counted,
    sentence,
    was,
)
from gan_lab.report.text import all_of, join_names, p_text, score
from gan_lab.utils.text import format_number

Part = Mapping[str, Any]
# The sentences that are the verdict; the others are what a careful reader asks next.
HEADLINE = (
    *(
        "damaged",
        "incomplete",
        "partial",
        "untried",
        "learning",
        "learned",
        "settings",
        "claim",
        "overall",
        "tuned",
    ),
    *("equivalence", "divergence", "order", "race"),
)
_MOST_SETTINGS = 6  # of one outcome, that a sentence names


def setting_verdict(
    part: Part, metric: PrimaryMetric, reference: str | None, margin: DeclaredMargin | None, name: str
) -> dict[str, Any]:
    """Return {"text", "sentences"} on one setting; ``name``: empty if there is only one."""
    where = f" at {name}" if name else ""
    sentences = [
        *incomplete(part, reference, where),
        *learning(part, metric, reference, where),
        *claim(part, metric, where),
        *equivalence(part, margin),
        *divergence(part, metric),
        *order(part, where),
    ]
    return {"text": headline(sentences), "sentences": sentences}


def headline(sentences: Sequence[Sentence]) -> str:
    return " ".join(one["text"] for one in sentences if one["kind"] in HEADLINE)


def settings_summary(settings: Sequence[Part], reference: str | None) -> list[Sentence]:
    """Return sentences on several settings: who is missing anywhere, and how each setting came out."""
    sentences = _missing_anywhere(settings, reference)
    outcomes: dict[str, list[Part]] = {}
    for setting in settings:
        outcomes.setdefault(_outcome(setting), []).append(setting)
    texts = [
        f"{outcome} {_places([part['name'] for part in parts])}{_largest_p(parts)}"
        for outcome, parts in outcomes.items()
    ]
    if texts:
        # The names of candidates are lower case also at the beginning of a sentence.
        start = texts[0].startswith(("nobody", "all scores", "only "))
        text = "; ".join([_capital(texts[0]) if start else texts[0], *texts[1:]])
        sentences.append(sentence("settings", f"{text}."))
    return sentences


def overall_sentences(
    overall: Part | None, reason: str, settings: Sequence[Part], key: str
) -> list[Sentence]:
    """Say who is best over all settings, or why nobody is. ``key``: the one tuning key that varies, if so."""
    start = f"at one common {key}" if key else f"over {all_of(len(settings), 'settings')}"
    if overall is None:
        return [sentence("overall", f"No verdict {start}: {reason}.")] if reason else []
    test, rows = overall["test"], overall["rows"]
    names = [setting["name"] for setting in settings]
    scope = f"of the {len(rows)} tried in all" if overall["untried"] else f"of {len(rows)}"
    if overall["winner"] is not None:
        row = next(row for row in rows if row["name"] == overall["winner"])
        text = (
            f"{_capital(start)}, {row['name']} is the best {scope}: {_mean_text(row)}, {p_text(test['p'])}; "
            "it leads in every setting, and no reversal was found."
        )
        return [sentence("overall", text, p=test["p_values"])]
    wins = [setting["winner"] for setting in settings]
    # To lead somewhere without being the winner there may be chance.
    certain = [one for one in overall["reversals"] if one["name"] in wins]
    certain.sort(key=lambda one: -len(one["leads"]))
    reasons = [_reversal_text(one, names) for one in certain[:2]]
    if reasons:
        reasons[0] = f"the order reverses: {reasons[0]}"
    elif test["leader"] is not None:
        reasons = _ahead_texts(test["leader"], test["behind"], names)
    tied = [row["name"] for row in rows if not row["worse"]]
    if not reasons and len(tied) > 1:
        reasons.append(f"{join_names(tied)} cannot be told apart on the average")
    if not reasons:
        reasons.append("the difference is not certain")
    text = f"No winner {start}: {'; '.join(reasons)}."
    return [sentence("overall", text, p=test["p_values"])]


def tuned_sentences(tuned: Part, metric: PrimaryMetric) -> list[Sentence]:
    """Say who is best if each candidate has its own best value of the tuning key."""
    where = f" at {tuned['name']}" if tuned["name"] else ""
    start = f"With each candidate at its own best {tuned['key']}{where}"
    rows, p = tuned["rows"], {row["name"]: row["p_worse"] for row in tuned["rows"]}
    if tuned["winner"] is not None:
        best, second = rows[0], rows[1]
        text = (
            f"{start}, {best['name']} is the best: {metric.name} {_tuned_text(best)} against "
            f"{second['name']}'s {_tuned_text(second)}, {p_text(tuned['p'])}."
        )
        return [sentence("tuned", text, p=p)]
    tied, worse = tuned["tied"], tuned["worse"]
    if not tuned["tested"]:
        text = f"{start}, nothing can be tested with so few seeds; {rows[0]['name']} scores best."
        return [sentence("tuned", text, p=p)]
    behind = ""
    if worse:
        largest = max(row["p_worse"] for row in rows if row["worse"])
        behind = f"; {was(worse, 'is', 'are')} worse ({p_text(largest)})"
    text = f"{start}, {join_names(tied)} cannot be told apart{behind}."
    return [sentence("tuned", text, p=p)]


def _tuned_text(row: Part) -> str:
    return f"{score(row['tuned_iqm'])} (best at {row['best_value']})"


def _missing_anywhere(settings: Sequence[Part], reference: str | None) -> list[Sentence]:
    """Name who is incomplete, was not tried or has not learned in any setting, each with its settings."""
    sentences: list[Sentence] = []
    absent: dict[str, list[tuple[str, Part]]] = {}
    untried: dict[str, list[str]] = {}
    unlearned: dict[str, list[str]] = {}
    for part in settings:
        for one in part["incomplete"]:
            absent.setdefault(one["name"], []).append((part["name"], one))
        for name in part["untried"]:
            untried.setdefault(name, []).append(part["name"])
        for row in part["unranked"]:
            unlearned.setdefault(row["name"], []).append(part["name"])
    for name, pairs in list(absent.items())[:_MOST_SETTINGS]:
        names, first = [setting for setting, _ in pairs], pairs[0][1]
        text = f"{marked([name], reference)[0]} is incomplete {_places(names)}: {first['reason']}."
        commands = [command for _, one in pairs for command in one["commands"]]
        sentences.append(sentence("incomplete", text, names=[name], commands=commands))
    if len(absent) > _MOST_SETTINGS:
        rest = list(absent)[_MOST_SETTINGS:]
        sentences.append(sentence("incomplete", f"{was(rest, 'is', 'are')} incomplete, too.", names=rest))
    sentences += [one for part in settings for one in not_counted(part, f" at {part['name']}")][
        :_MOST_SETTINGS
    ]
    sentences += _listed("untried", "was not tried", untried)
    if not all(part["unranked"] and not part["rows"] for part in settings):
        sentences += _listed("learning", "is not shown to have learned", unlearned)
    if all(any(one["kind"] == "learned" for one in part["verdict"]["sentences"]) for part in settings):
        who = "All that are complete" if absent else "All"
        text = f"{who} score better than untrained generators in every setting."
        sentences.append(sentence("learned", text))
    return sentences


def _listed(kind: str, verb: str, where: Mapping[str, list[str]]) -> list[Sentence]:
    """Say of each candidate where it was not tried, or has not learned."""
    named = [
        sentence(kind, f"{name} {verb} {_places(names)}.", names=[name])
        for name, names in list(where.items())[:_MOST_SETTINGS]
    ]
    if len(where) > _MOST_SETTINGS:
        rest = list(where)[_MOST_SETTINGS:]
        named.append(sentence(kind, f"The same holds of {join_names(rest)} in some settings.", names=rest))
    return named


def _outcome(setting: Part) -> str:
    """Return how a setting came out, as the start of a sentence that ends with its name."""
    rows = setting["rows"]
    if not rows:
        return "nobody has learned" if setting["unranked"] else "nobody is complete"
    if len(rows) == 1:
        state = (
            "has learned" if setting["unranked"] else "is complete" if setting["incomplete"] else "was tried"
        )
        return f"only {rows[0]['name']} {state}"
    complete = " of those that are complete" if setting["incomplete"] or setting["unreadable"] else ""
    if setting["winner"] is not None:
        return f"{setting['winner']} is the best{complete}"
    if setting["all_equal"]:
        return "all scores are equal"
    if setting["exploratory"]:
        return f"{rows[0]['name']} scores best{complete}, exploratory,"
    tied = sorted(row["name"] for row in rows if not row["worse"])
    worse = [row["name"] for row in rows if row["worse"]]
    if len(tied) == 1:
        return f"{tied[0]} scores best{complete}, not certainly,"
    behind = f" and {join_names(worse, 3)} scored worse" if worse else ""
    return f"{join_names(tied)} cannot be told apart{behind}"


def _places(names: Sequence[str]) -> str:
    """Return "at optimizer.lr=0.0001 and 0.0002"; of many only their number."""
    if len(names) > _MOST_SETTINGS:
        return f"in {len(names)} settings"
    if any(", " in name for name in names):  # several keys each
        names = [f"({name})" for name in names]
    first, *others = names
    key = first.partition("=")[0]
    if all(name.partition("=")[0] == key and name.count("=") == 1 for name in names):
        others = [name.partition("=")[2] for name in others]
    return f"at {join_names([first, *others])}"


def _largest_p(parts: Sequence[Part]) -> str:
    if any(part["winner"] is None for part in parts):
        return ""
    p = max(part["tests"]["winner"]["p"] for part in parts)
    return f" ({p_text(p)})" if len(parts) == 1 else f" (p at most {max(p, 0.001):.3f})"


def _mean_text(row: Part) -> str:
    low, high = (format_number(end) for end in row["interval"])
    return f"{format_number(row['iqm'])} ({low} to {high}) on a scale from untrained, 0, to real data, 1"


def _reversal_text(one: Part, names: Sequence[str]) -> str:
    leads, behind = (_places([names[k] for k in one[key]]) for key in ("leads", "behind"))
    return f"{one['name']} leads {leads} and is significantly behind {behind}"


def _ahead_texts(leader: str, behind: Sequence[Part], names: Sequence[str]) -> list[str]:
    """Return who is ahead of the best on the average, and where."""
    rivals: dict[str, list[Part]] = {}
    for one in behind:
        rivals.setdefault(one["rival"], []).append(one)
    texts = []
    for rival, ones in list(rivals.items())[:3]:
        certain = any(one["significant"] for one in ones)
        where = _places([names[one["setting"]] for one in ones])
        how = "significantly ahead" if certain else "ahead, not significantly,"
        texts.append(f"{leader} is the best on the average, but {rival} is {how} {where}")
    return texts


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
