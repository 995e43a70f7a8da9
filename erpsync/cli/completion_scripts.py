"""The scripts that shells read once: each asks ``erpsync`` itself what may come next, and hands on what it is told.

One rule: what comes back is text. It is never evaluated, expanded or taken for a pattern; zsh and fish quote it
themselves, for bash it comes quoted.
"""

from __future__ import annotations

_BASH = r"""# erpsync, for bash: source <(erpsync completion bash)
_erpsync() {
    local line=${COMP_LINE-} ends='' word
    if [[ -n $line ]]; then line=${line:0:COMP_POINT}; else line="${COMP_WORDS[*]:0:COMP_CWORD+1}"; fi
    COMPREPLY=()
    while IFS= read -r word; do
        if [[ -z $ends ]]; then ends=$word; else COMPREPLY+=("$word"); fi
    done < <(_ERPSYNC_COMPLETE=bash command erpsync "$line" "${2-${COMP_WORDS[COMP_CWORD]-}}" 2>/dev/null </dev/null)
    case $ends in
        part) compopt -o nospace 2>/dev/null ;;
        files) compopt -o default -o bashdefault 2>/dev/null ;;
    esac
    return 0
}
complete -o nosort -F _erpsync erpsync 2>/dev/null || complete -F _erpsync erpsync
"""

_ZSH = r"""#compdef erpsync
# erpsync, for zsh: source <(erpsync completion zsh), after compinit
_erpsync() {
    local -a before answer values shown
    local line ends raw="$QIPREFIX$PREFIX"
    before=("${(@Q)words[1,CURRENT-1]}")
    local assigned=${${(z)LBUFFER}[(R)ERPSYNC_LANDSCAPE=*]}
    [[ -n $assigned ]] && before=("${(Q)assigned}" "${before[@]}")
    answer=("${(@f)$(_ERPSYNC_COMPLETE=zsh command erpsync "${before[@]}" "$raw" 2>/dev/null </dev/null)}")
    ends=${answer[1]}
    [[ $ends == files ]] && { _files; return }
    [[ $ends == (whole|part) ]] || return 1
    for line in "${(@)answer[2,-1]}"; do
        values+=("${line%%$'\t'*}")
        if [[ $line == *$'\t'* ]]; then shown+=("${line%%$'\t'*}  -- ${line#*$'\t'}"); else shown+=("$line"); fi
    done
    local -a how=(-V erpsync)
    [[ $ends == part ]] && how+=(-S '')
    [[ "${shown[*]}" != "${values[*]}" ]] && how+=(-l)
    compadd "${how[@]}" -d shown -a values
}
if [[ ${funcstack[1]-} == _erpsync ]]; then _erpsync "$@"; elif (( $+functions[compdef] )); then compdef _erpsync erpsync; fi
"""

_FISH = r"""# erpsync, for fish: erpsync completion fish > ~/.config/fish/completions/erpsync.fish
function __erpsync_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l answer (_ERPSYNC_COMPLETE=fish command erpsync $before "$current" 2>/dev/null </dev/null)
    switch "$answer[1]"
        case files
            __fish_complete_path (commandline -ct)
        case whole part
            printf '%s\n' $answer[2..-1]
    end
end
complete -c erpsync -e
complete -c erpsync -k -f -a '(__erpsync_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
