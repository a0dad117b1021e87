"""The words after ``gan-lab train``, before Hydra reads them: common mistakes are answered with what to type.

Words that Hydra would take are not touched, but for the order of flags and other names of entries. Imports no
torch.
"""

import difflib
import itertools
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gan_lab.config.aliases import (
    KEYS,
    LISTS,
    NO_KEYS,
    entries,
    entry_called,
    resolve_aliases,
    search_folders,
)
from gan_lab.config.errors import groups, settings
from gan_lab.config.fitting import with_fitting_model
from gan_lab.config.overrides import keep_text
from gan_lab.config.variants import keys_of_one_network
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.text import truncate

# Hydra's own flags -> how many words follow; --info may have one.
FLAGS = {
    **dict.fromkeys(("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r"), 0),
    **dict.fromkeys(("--multirun", "-m", "--shell-completion", "-sc", "--info", "-i"), 0),
    **dict.fromkeys(("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"), 1),
    **dict.fromkeys(("--config-dir", "-cd", "--experimental-rerun"), 1),
}
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
_SWEEP_FLAGS = ("multirun", "sweep", "-multirun", "-sweep", "--sweep", "-M")
_TRUE_OR_FALSE = ("rerun", "deterministic", "log.histograms", "log.layers")

Words = list[str]


def read_words(words: Sequence[str], command: str = "train") -> Words:
    """Return the words for Hydra: flags first, names of entries as they are called, texts quoted.

    Raises ConfigurationError for a mistake whose remedy is known, with the command to type.
    """
    flags, overrides = _split_flags(words)
    folders = config_folders(words)
    line = _Line(flags, overrides, folders, command)
    for rule in _RULES:
        rule(line)
    return [*flags, *complete_words(overrides, folders)]


def read_sweep_words(words: Sequence[str]) -> tuple[Words, Path | None]:
    """Return the overrides of a sweep as `read_words` does, with or without -m, and its ``--config-dir``.

    Raises ConfigurationError for any other flag: there is nothing but a sweep to be read.
    """
    typed = [word for word in words if word not in ("-m", "--multirun")]
    flags, overrides = _split_flags(read_words(["-m", *typed], "plan"))
    folder: str | None = None
    for flag, following in itertools.zip_longest(flags, flags[1:]):
        name, equals, value = flag.partition("=")
        if name in ("--config-dir", "-cd"):
            folder = value if equals else following
        elif name in FLAGS and name != "-m":
            raise ConfigurationError(f"{flag} is for gan-lab train alone")
    return overrides, None if folder is None else Path(folder)


def complete_words(overrides: Sequence[str], folders: Iterable[Path] = ()) -> Words:
    """Return overrides as Hydra reads them: entries as they are called, the fitting model, texts quoted."""
    return keep_text(with_fitting_model(resolve_aliases(overrides, folders)))


def is_for_training(word: str) -> bool:
    """Whether a word is what ``gan-lab train`` takes, or nearly: activation=elu, elu, --seeds."""
    line = _Line([], [], [])
    name = word.lstrip("-+~").partition("=")[0]
    return "=" in word or line.key(name) is not None or any(line.groups_with(n) for n in name.split(","))


def config_folders(words: Sequence[str]) -> list[Path]:
    """Return the user's own folders of configurations, of ``--config-dir`` and ``hydra.searchpath``."""
    named = [value for flag, value in itertools.pairwise(words) if flag in ("--config-dir", "-cd")]
    named += [word.partition("=")[2] for word in words if word.startswith("--config-dir=")]
    return [*map(Path, named), *search_folders(words)]


def _split_flags(words: Sequence[str]) -> tuple[Words, Words]:
    """Return Hydra's flags with their values, and all other words: Hydra takes flags in front only."""
    flags, others, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        name = word.partition("=")[0]
        if name not in FLAGS:
            others.append(word)
            continue
        flags.append(word)
        takes_info = name in ("--info", "-i") and rest and rest[0] in _INFO
        if "=" not in word and rest and (FLAGS[name] or takes_info):
            flags.append(rest.pop(0))
    return flags, others


class _Line:
    """What was typed, and the names that it may hold."""

    def __init__(self, flags: Words, words: Words, folders: Sequence[Path], command: str = "train") -> None:
        self.flags, self.words, self.folders, self.command = flags, words, folders, command
        self.sweeps = not {"-m", "--multirun"}.isdisjoint(flags)

    def refuse(
        self, why: str, at: int, corrected: Words, upto: int | None = None, sweep: bool = False
    ) -> None:
        """Raise: ``why``, and the whole command with ``corrected`` instead of the words from ``at`` on."""
        words = [*self.words[:at], *corrected, *self.words[at + 1 if upto is None else upto :]]
        flags = [*self.flags, *(["-m"] if sweep and not self.sweeps else [])]
        command = " ".join(map(_shown, ["gan-lab", self.command, *flags, *words]))
        raise ConfigurationError(f"{why}: {truncate(command, 600)}")

    def entry(self, group: str, name: str) -> str | None:
        return entry_called(group.partition("@")[0], name, self.folders)

    def groups_with(self, name: str) -> Words:
        """Return the groups that have an entry of that name or alias, as in "relu is an activation"."""
        return [group for key, group in groups().items() if key == group and self.entry(group, name)]

    def key(self, name: str) -> str | None:
        """Return the key or group that ``name`` means, None if there is none."""
        if re.match(r"hydra[./]", name) or name in settings() or name in groups().values():
            return name
        plain = _snake(name)
        for candidate in (plain, name.replace("-", "_"), plain.replace("__", "_")):
            if candidate in settings() or candidate in groups().values():
                return candidate
            if candidate in groups():
                return groups()[candidate]
            if candidate in KEYS:
                return KEYS[candidate]
        return None


def _shown(word: str) -> str:
    return word if re.fullmatch(r"[\w@=,./:+~-]+", word, re.ASCII) else shlex.quote(word)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace("-", "_").lower()


def _without_spaces(line: _Line) -> None:
    """``activation = elu``, ``activation= elu``, ``activation =elu``."""
    for at, word in enumerate(line.words):
        following = line.words[at + 1 : at + 3]
        joined = 0
        if "=" not in word and following[:1] == ["="]:
            joined = len(following) + 1
        elif following and (
            (re.fullmatch(r"[\w.@/-]+=", word) and "=" not in following[0])
            or ("=" not in word and re.fullmatch(r"=[^=]+", following[0]))
        ):
            joined = 2
        if joined > 1:
            whole = "".join(line.words[at : at + joined]).lstrip("-")
            line.refuse("an override has no spaces around =", at, [whole], at + joined)


def _options(line: _Line) -> None:
    """``--activation elu``, ``--lr=1e-3``, ``--sweep``, ``--rerun``."""
    for at, word in enumerate(line.words):
        if word in _SWEEP_FLAGS:
            line.refuse("a sweep is asked for with -m", at, [], sweep=True)
        if not re.match(r"-+[A-Za-z]", word):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        key = _key_of_option(line, name, word)
        following = line.words[at + 1 : at + 2]
        takes_next = not equals and following and not following[0].startswith("-") and "=" not in following[0]
        if takes_next:
            value = following[0]
        elif not equals and key in _TRUE_OR_FALSE:
            value = "true"
        why = f"{truncate(word.partition('=')[0], 60)} is no option; what is set is typed as key=value"
        if not value:
            raise ConfigurationError(f"{why}: gan-lab train {key}=...")
        line.refuse(why, at, [f"{key}={value}"], at + (2 if takes_next else 1))


def _key_of_option(line: _Line, name: str, word: str) -> str:
    """Return the key that an option means, also if it is misspelled."""
    _without_counterpart(name, word)
    key = line.key(name)
    if key is None:
        near = difflib.get_close_matches(_snake(name), [*groups().values(), *settings(), *KEYS], n=1)
        key = KEYS.get(near[0], near[0]) if near else None
    if key is None:
        raise ConfigurationError(
            f"gan-lab train has no option {truncate(word, 60)!r}: what is set is typed as key=value, and "
            "gan-lab train --help lists the keys"
        )
    return key


def _bare(line: _Line) -> None:
    """``elu``, ``activation elu``, ``activation:elu``, ``activation=relu, elu``, ``rerun``."""
    for at, word in enumerate(line.words):
        if not re.fullmatch(r"[\w.@/:,-]+", word) or word.startswith(("~", "+", "-")):
            continue
        if at == 0 and word == "train":
            line.refuse("train stands twice", at, [])
        if word == "help":
            raise ConfigurationError("help is an option here: gan-lab train --help")
        _listed(line, at)
        _keyed(line, at)
        names = [name for name in word.split(",") if name]
        homes = line.groups_with(names[0]) if names else []
        homes = [group for group in homes if all(line.entry(group, name) for name in names)]
        if homes:
            typed = ",".join(line.entry(homes[0], name) or name for name in names)
            others = " or ".join(f"{group}={typed}" for group in homes)
            why = f"{truncate(word, 60)!r} needs its group, {others}"
            line.refuse(why, at, [f"{homes[0]}={typed}"], sweep=len(names) > 1)


def _listed(line: _Line, at: int) -> None:
    """Refuse words that continue a list: ``activation=relu, elu``, ``activation=relu elu``."""
    if at == 0:
        return
    match = re.fullmatch(r"(?P<group>[a-z]+(@\w+)?)=(?P<value>[\w,.-]+)", line.words[at - 1])
    if match is None or match["group"] not in groups().values():
        return
    upto = at
    names = re.split(",", match["value"])
    while upto < len(line.words):
        more = [name for name in line.words[upto].split(",") if name]
        if not all(line.entry(match["group"], name) for name in more):
            break
        names += more
        upto += 1
    if upto > at:
        listed = ",".join(filter(None, names))
        line.refuse(
            "several values are typed with commas and without spaces, and -m sweeps over them",
            at - 1,
            [f"{match['group']}={listed}"],
            upto,
            sweep=True,
        )


def _keyed(line: _Line, at: int) -> None:
    """Refuse a key without its value, or with something else than = between them."""
    word = line.words[at]
    name, mark, value = [*re.split("([:/])", word, maxsplit=1), "", ""][:3]
    key = line.key(name) if name else None
    if key is None and not mark and "." in word:
        group, _, entry = word.partition(".")
        if group in groups().values() and line.entry(group, entry):
            line.refuse("an override is key=value", at, [f"{group}={entry}"])
    if key is None:
        if not mark:
            _without_counterpart(name, word)
        return
    value = value.removesuffix(".yaml")
    if value:
        line.refuse("an override is key=value", at, [f"{key}={value}"])
    following = line.words[at + 1 : at + 2]
    if following and "=" not in following[0] and not following[0].startswith("-"):
        line.refuse("an override is key=value", at, [f"{key}={following[0]}"], at + 2)
    if key in _TRUE_OR_FALSE:
        line.refuse("an override is key=value", at, [f"{key}=true"])
    group = key.partition("@")[0]
    names = sorted(entries(group, line.folders)) if group in groups() else []
    choices = f"; choose from {', '.join(names)}" if names else ""
    raise ConfigurationError(f"{word!r} has no value: gan-lab train {key}=...{choices}")


def _assigned(line: _Line) -> None:
    """``activation=elu,``, ``activation==elu``, ``activation=elu.yaml``, ``activation:=elu``."""
    for at, word in enumerate(line.words):
        match = re.fullmatch(
            r"(?P<key>\+{0,2}[\w.@/-]+?)\s*(?P<sign>:=|={1,2})(?P<value>.*)", word, re.DOTALL
        )
        if match is None:
            continue
        key, value = match["key"], match["value"]
        group = key.lstrip("+")
        if match["sign"] != "=":
            line.refuse("one = is enough", at, [f"{key}={value}"])
        if re.fullmatch(r",*[\w.+-]+(,+[\w.+-]+)*,*", value) and (
            value != re.sub(",+", ",", value).strip(",")
        ):
            listed = re.sub(",+", ",", value).strip(",")
            line.refuse("a comma has no value beside it", at, [f"{key}={listed}"], sweep="," in listed)
        if group in groups().values():
            if value.endswith((".yaml", ".yml")):
                name = Path(value).stem
                line.refuse("an entry is named without .yaml", at, [f"{key}={name}"])
            inside = re.fullmatch(r"\((.*)\)", value)
            if inside is not None:
                line.refuse("values have no brackets", at, [f"{key}={inside[1]}"], sweep="," in value)


def _keys(line: _Line) -> None:
    """``hydra.launcher=cores``, ``+epochs=10``: what Hydra takes, and nothing heeds."""
    for at, word in enumerate(line.words):
        match = re.fullmatch(r"(?P<plus>\+{0,2})(?P<key>[\w.@-]+)=(?P<value>.*)", word, re.DOTALL)
        if match is None:
            continue
        key, value = match["key"], match["value"]
        if key in ("hydra.launcher", "hydra.sweeper"):
            choice = KEYS[key]
            line.refuse(f"{key} is chosen as {choice}", at, [f"{choice}={value}"], sweep=True)
        several = re.fullmatch(r"\[?(\w+(,\w+)*)\]?", value)
        if several and (
            key in ("metrics", "diagnostics")
            or (key in LISTS and "," in value and "[" not in value and not line.sweeps)
        ):
            line.refuse(
                f"{key.removesuffix('s')} takes a list", at, [f"{key.removesuffix('s')}=[{several[1]}]"]
            )
        if key == "seeds" and re.fullmatch(r"\d+(,\d+)+", value) and not line.sweeps:
            seeds = value.split(",")
            if [int(seed) for seed in seeds] == list(range(len(seeds))):
                line.refuse("seeds is how many there are", at, [f"seeds={len(seeds)}"])
        top = key.partition(".")[0].partition("@")[0]
        if not match["plus"] or top in groups() or top == "hydra" or key in settings():
            continue
        _without_counterpart(key, word)
        if (known := line.key(key)) is not None:
            line.refuse(f"nothing reads {key!r}", at, [f"{known}={value}"])
        tops = {name.partition(".")[0] for name in settings()} | set(groups())
        near = difflib.get_close_matches(top, tops - {top}, n=1, cutoff=0.75)
        if top not in tops and near:
            line.refuse(f"nothing reads {key!r}", at, [near[0] + word.lstrip("+")[len(top) :]])


def _of_one_network(line: _Line) -> None:
    """``schedule@generator_schedule=linear schedule.length=5``."""
    for at, word in enumerate(line.words):
        key, equals, value = word.lstrip("+").partition("=")
        meant = keys_of_one_network(key, line.words, line.folders) if equals else []
        if meant:
            group, _, name = key.partition(".")
            why = f"the {group} of both networks has no key {name!r}, that of one network has it"
            line.refuse(why, at, [f"{one}={value}" for one in meant])


def _repeated(line: _Line) -> None:
    """``activation=relu activation=elu``, which a shell makes of ``activation={relu,elu}``.

    Apart from each other the last one counts, as scripts want it that append to a command.
    """
    for at, (word, following) in enumerate(itertools.pairwise(line.words)):
        group, _, value = word.partition("=")
        again, _, other = following.partition("=")
        if group == again and value != other and group in groups().values():
            why = f"{group} is chosen twice; -m sweeps over both"
            line.refuse(why, at, [f"{word},{other}"], at + 2, sweep=True)


def _without_counterpart(name: str, word: str) -> None:
    if (remedy := NO_KEYS.get(_snake(name))) is not None:
        raise ConfigurationError(f"there is no {truncate(word, 60)!r} here; {remedy}")


_RULES: tuple[Callable[[_Line], None], ...] = (
    _without_spaces,
    _options,
    _bare,
    _assigned,
    _keys,
    _of_one_network,
    _repeated,
)
