"""Completion in bash, zsh and fish: their scripts, each of which asks `dhis2 --complete WORDS...`, and what it answers.

With `--describe` a note stands after a tab beside each candidate, for the shells that show one.
"""

from __future__ import annotations

import itertools

from dhis2sh.errors import Dhis2Error
from dhis2sh.verbs import completion
from dhis2sh.verbs.options import Options, table

BASH = r"""_dhis2() {
    # The words as typed: bash itself cuts them at ':' and '=', which stand in filters.
    local line=${COMP_LINE:0:COMP_POINT} IFS=$' \t\n'
    local -a words
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    local typed=${words[-1]} IFS=$'\n'
    local -a found
    mapfile -t found < <(dhis2 --complete --describe "${words[@]:1}" 2>/dev/null)
    COMPREPLY=("${found[@]%%$'\t'*}")
    if [[ ${COMPREPLY[0]} =~ (^|[=,])[A-Za-z][A-Za-z0-9]{10}$ && ${#found[@]} -gt 1 && $COMP_TYPE != 37 && $COMP_TYPE != 42 ]]; then
        # UIDs by name: their names beside them, and a blank so that bash puts no letter that all UIDs share for what is typed.
        COMPREPLY=("${found[@]//$'\t'/  }" " ")
        compopt -o nosort 2>/dev/null
        return
    fi
    # bash replaces what follows the last ':' or '=': take away what stands before it.
    local before=${typed%"${typed##*[:=]}"}
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
    local text
    for text in "${COMPREPLY[@]}"; do
        [[ $text == *[:=.\[\(,/] ]] && compopt -o nospace
    done
}
complete -o default -F _dhis2 dhis2"""

ZSH = r"""#compdef dhis2
_dhis2() {
    local -a shown texts
    local line
    for line in "${(@f)$(dhis2 --complete --describe "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -z $line ]] && continue
        texts+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done
    (( $#texts )) || { _files; return }
    compadd -U -l -d shown -a texts
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _dhis2 dhis2"""

FISH = rf"""function __dhis2_complete
    set -l words (commandline -opc)[2..-1]
    dhis2 --complete --describe $words (commandline -ct) 2>/dev/null
end
complete -c dhis2 -f -a '(__dhis2_complete)'
{"\n".join(f"complete -c dhis2 -l {row.flag[2:]} -r -F" for row in table() if row.complete == "files")}"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
"""The script of each shell."""


def answer(words: list[str]) -> str | None:
    """What `--show-completion SHELL` and `--complete WORDS...` print; None for a shell that has no script.

    Parameters:
        words: the command line, one of these two options first.
    """
    if words[0] == "--complete":
        return _completed(words[1:])
    return SCRIPTS.get(words[1]) if len(words) == 2 else None


def _completed(words: list[str]) -> str:
    """What may stand where the last word is, a candidate a line; after `--describe` with its note behind a tab."""
    if words[:1] != ["--describe"]:
        return "\n".join(completion.candidates(words))
    typed = words[-1] if len(words) > 1 else ""
    named = next((after for word, after in itertools.pairwise(words) if word in Options.profile.flags), None)
    found = completion.complete(words[1:], lambda text, plural: _names(named, text, plural))
    return "\n".join(f"{typed[: found.at]}{item.text}\t{' '.join(item.note.split())}" for item in found.items)


def _names(named: str | None, text: str, plural: str | None) -> list[completion.Candidate]:
    """UIDs by name, from the index that the shell has filled for the profile that is named, else for the active one."""
    from dhis2sh import profiles  # start-up: only where a name stands
    from dhis2sh.index.names import index_of, offered  # start-up: sqlite3

    try:
        profile = profiles.active(named).profile
    except Dhis2Error:
        return []  # nobody is there to be told while a key is pressed
    index = index_of(profile.name, profile.url)
    try:
        return offered(index.search(text, types=[plural] if plural else [], limit=50))
    finally:
        index.close()
