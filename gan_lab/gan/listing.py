"""Words for what stands in a network that somebody else wrote: its sites, and what becomes of each."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from gan_lab.gan.sites import COUNT, Call
from gan_lab.utils.text import plural


def is_named(call: Call, names: Sequence[str]) -> bool:
    """Whether one of the names is that of the call, or of a module around it."""
    for name in (name.replace("#", COUNT) for name in names):  # as runs of 2026 have it
        if call.name == name or call.name.startswith((f"{name}.", f"{name}{COUNT}")):
            return True
    return False


def join_names(calls: Sequence[Call]) -> str:
    return ", ".join(call.name for call in calls)


def describe_fate(call: Call, *, as_written: bool) -> str:
    """Say what becomes of a call."""
    if call.action != "swap":
        return "left out: the losses take logits" if call.action == "strip" else f"kept: {_reason(call)}"
    gain = f", then x {call.gain:.4g}" if call.gain is not None else ""
    return ("as written" if as_written else "swapped") + gain


def summarize_calls(name: str, calls: Sequence[Call], notes: Sequence[str], *, as_written: bool) -> str:
    """Say in one line what is swapped in the network ``name``, and what is kept."""
    swapped = [call for call in calls if call.action == "swap"]
    kept = [f"{_place(call)} ({_reason(call)})" for call in calls if call.action not in ("swap", "strip")]
    stripped = [f"{_place(call)} ({call.kind})" for call in calls if call.action == "strip"]
    if as_written:
        text = f"{name} as written, {plural(len(swapped), 'site')}"
        text += ", outputs and gradients checked to the bit"
    else:
        text = f"{name}, swaps {len(swapped)} of {plural(len(calls), 'site')}"
    text += f": {', '.join(map(_place, swapped))}" if swapped else ""
    text += f"; keeps {', '.join(kept)}" if kept else ""
    text += f"; leaves out {', '.join(stripped)}, because the losses take logits" if stripped else ""
    return text + "".join(f"; {note}" for note in notes)


def describe_output(out: Any) -> str:
    """Describe what a network returned: its parts and their shapes."""
    if isinstance(out, Tensor):
        return f"a tensor {tuple(out.shape)}"
    if isinstance(out, Mapping):
        return f"a dict of {', '.join(f'{key!r}: {describe_output(part)}' for key, part in out.items())}"
    if isinstance(out, tuple | list):
        return f"a {type(out).__name__} of {', '.join(map(describe_output, out)) or 'nothing'}"
    return f"a {type(out).__name__}"


def _place(call: Call) -> str:
    place_of_call = f"{call.name} [{call.where}]" if call.where else call.name
    return f"{place_of_call} x {call.gain:.4g}" if call.gain is not None else place_of_call


def _reason(call: Call) -> str:
    return f"{call.kind}, {call.role if call.role != 'hidden' else 'as asked'}"
