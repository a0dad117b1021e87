"""``gan-lab completion``: the script with which a shell completes gan-lab's commands and overrides.

click's own scripts take words as the shell parts them, and bash parts activation=elu at the equals sign.
"""

import os
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' reply type value
    COMPREPLY=()
    reply=$(env GAN_LAB_LINE="${COMP_LINE:0:COMP_POINT}" GAN_LAB_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null) || return 0
    for reply in $reply; do
        type=${reply%%%%,*} value=${reply#*,}
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            *) COMPREPLY+=("$value") ;;
        esac
        if [[ $value == *[=.] ]]; then compopt -o nospace; fi
    done
}
complete -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
%(complete_func)s() {
    local reply type value
    local -a whole begun
    for reply in "${(@f)$(env GAN_LAB_LINE="${(j: :)words[1,CURRENT]}" \\
            %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}"; do
        type=${reply%%%%,*} value=${reply#*,}
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain) if [[ $value == *[=.] ]]; then begun+=("$value"); else whole+=("$value"); fi ;;
        esac
    done
    compadd -a whole
    compadd -S '' -a begun
}
if ! whence compdef >/dev/null; then autoload -Uz compinit && compinit -i; fi
compdef %(complete_func)s %(prog_name)s
"""


class _Whole(ShellComplete):
    """Words as they stand on the line, parted at spaces only."""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("GAN_LAB_LINE", "")
        words = line.split()[1:]
        return (words, "") if not words or line[-1:].isspace() else (words[:-1], words[-1])

    def format_completion(self, item: "CompletionItem[Any]") -> str:
        return f"{item.type},{item.value}"


class BashCompletion(_Whole):
    """bash replaces what follows the last character of COMP_WORDBREAKS, and is given that part only."""

    name = "bash"
    source_template = _BASH

    def get_completions(self, args: list[str], incomplete: str) -> "list[CompletionItem[Any]]":
        items = super().get_completions(args, incomplete)
        start = max((incomplete.rfind(mark) for mark in os.environ.get("GAN_LAB_BREAKS", "=@:")), default=-1)
        return [CompletionItem(str(item.value)[start + 1 :], item.type) for item in items]


class ZshCompletion(_Whole):
    name = "zsh"
    source_template = _ZSH


add_completion_class(BashCompletion)
add_completion_class(ZshCompletion)


def script(shell: str) -> str:
    """Return what a shell evaluates in order to complete ``gan-lab``."""
    from gan_lab.cli import COMPLETING, main

    return {"bash": BashCompletion, "zsh": ZshCompletion}[shell](main, {}, "gan-lab", COMPLETING).source()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(["bash", "zsh"]))
def command(shell: str) -> None:
    """Print the script with which SHELL completes commands, groups, keys and their values.

    \b
    eval "$(gan-lab completion bash)"   in ~/.bashrc
    eval "$(gan-lab completion zsh)"    in ~/.zshrc
    """
    click.echo(script(shell), nl=False)
