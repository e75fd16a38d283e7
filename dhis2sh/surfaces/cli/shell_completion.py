"""Completion scripts of bash, zsh and fish: each asks `dhis2 --complete WORDS...` and shows what comes back.

With `--describe` a note stands after a tab beside each candidate, for the shells that show one.
"""

BASH = r"""_dhis2() {
    # The words as typed: bash itself cuts them at ':' and '=', which stand in filters.
    local line=${COMP_LINE:0:COMP_POINT} IFS=$' \t\n'
    local -a words
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    local typed=${words[-1]} IFS=$'\n'
    COMPREPLY=($(dhis2 --complete "${words[@]:1}" 2>/dev/null))
    # bash replaces what follows the last ':' or '=': take away what stands before it.
    local before=${typed%"${typed##*[:=]}"}
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
    local found
    for found in "${COMPREPLY[@]}"; do
        [[ $found == *[:=.\[\(,/] ]] && compopt -o nospace
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

FISH = r"""function __dhis2_complete
    set -l words (commandline -opc)[2..-1]
    dhis2 --complete --describe $words (commandline -ct) 2>/dev/null
end
complete -c dhis2 -f -a '(__dhis2_complete)'
complete -c dhis2 -l out -r -F"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
"""The script of each shell."""
