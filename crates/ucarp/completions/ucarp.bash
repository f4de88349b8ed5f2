# bash completion for ucarp, made by: ucarp --completions bash

_ucarp() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    # bash splits --option=value into three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $previous in
        -c | --config) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        -i | --interface) mapfile -t COMPREPLY < <(cd /sys/class/net && compgen -G "$current*") ;;
        -s | --srcip) : ;;
        -m | --mcast) : ;;
        -v | --vhid) : ;;
        -p | --pass) : ;;
        -o | --passfile) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        -a | --addr) : ;;
        -b | --advbase) : ;;
        -k | --advskew) : ;;
        -u | --upscript) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        -d | --downscript) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        -x | --xparam) : ;;
        --script-timeout) : ;;
        -r | --deadratio) : ;;
        --pidfile) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        --control) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        -f | --facility) mapfile -t COMPREPLY < <(compgen -W "auth authpriv cron daemon ftp kern lpr mail mark news security syslog user uucp local0 local1 local2 local3 local4 local5 local6 local7 none" -- "$current") ;;
        --completions) mapfile -t COMPREPLY < <(compgen -W "bash zsh fish" -- "$current") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "-c --config -i --interface -s --srcip -m --mcast -v --vhid -p --pass -o --passfile -P --preempt -n --neutral -a --addr -b --advbase -k --advskew -u --upscript -d --downscript -x --xparam --script-timeout -r --deadratio -z --shutdown -B --daemonize --pidfile --control -S --ignoreifstate -M --nomcast -f --facility -D --debug --no-split -h --help -V --version --check --show-config --completions" -- "$current") ;;
    esac
}

complete -F _ucarp ucarp
