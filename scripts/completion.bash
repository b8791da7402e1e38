# Completion of the command `daytona` for bash; `make install` puts it where bash-completion looks.
# In zsh: autoload -U bashcompinit && bashcompinit, then source this file.
#
# What can follow is asked of the command itself, by its help: an option that is new is completed.
# shellcheck shell=bash

# _daytona_options COMMAND... : the options that its help names.
_daytona_options() {
    "$@" --help 2>/dev/null | grep -oE -- '(^|[[ |])-(o|-[a-z][a-z-]*)' | tr -d '[ |' | sort -u
}

# _daytona_processes: those whose records may be read.
_daytona_processes() {
    local record
    for record in "${DAYTONA_RECORD:-/dev/shm}"/daytona.*.*; do
        [ -r "$record" ] && [ -f "$record" ] && record=${record##*/daytona.} && echo "${record%%.*}"
    done | sort -un
}

# _daytona_values COMMAND OPTION: words that can follow the option; fails when it takes none that is known.
_daytona_values() {
    case $2 in
    --pid) _daytona_processes ;;
    --state) echo connected established listen syn-sent syn-received fin-wait-1 fin-wait-2 close-wait \
        closing last-ack time-wait closed ;;
    --order) echo out in again rtt cwnd process ;;
    --columns) echo help all pid program local remote congestion && "$1" stat --columns help 2>/dev/null |
        awk '{ print $1 }' ;;
    --events) echo all ack rare && "$1" trace --names 2>/dev/null | grep -o '^[A-Z_]*' ;;
    --cc) echo cubic reno bbr bbr3 dctcp vegas ledbat ;;
    --ecn) echo off passive on accurate accurate-in mixed ;;
    --what) echo cwnd sequence rtt goodput ;;
    --engine) echo thread process ;;
    --mode) echo direct bridged ;;
    --tx) echo packet raw ;;
    *) return 1 ;;
    esac
}

_daytona() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} daytona=${COMP_WORDS[0]}
    local command=${COMP_WORDS[1]-} i
    local commands='run server check stat top set export trace explain pcap report plot profile rules help --version'
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
        return
    fi
    # Behind `--` of `run` is another program's line.
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [ "$command" = run ] && [ "${COMP_WORDS[i]}" = -- ]; then
            if declare -F _command_offset >/dev/null; then
                _command_offset $((i + 1))
            else
                mapfile -t COMPREPLY < <(compgen -c -f -- "$word")
            fi
            return
        fi
    done
    local values
    if values=$(_daytona_values "$daytona" "$previous"); then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_daytona_options "$daytona" "$command")" -- "$word")
    elif [ "$command" = set ]; then
        compopt -o nospace 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -W "$("$daytona" set --help 2>/dev/null |
            grep -oE '^  [a-z_]+=' | tr -d ' ')" -- "$word")
    elif [ "$command" = rules ]; then
        mapfile -t COMPREPLY < <(compgen -W 'list sweep' -- "$word")
    else
        compopt -o default 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -F _daytona daytona
