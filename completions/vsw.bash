# SPDX-License-Identifier: BSD-3-Clause
# bash completion for vsw(8). Commands and options are those that vsw's own help tells of, keys those of
# `vsw schema`; names of ports and networks come from the daemon, where one answers.

_vsw_ask()
{
	vsw ${control:+--control "$control"} -j "$@" 2>/dev/null
}

_vsw_ports()
{
	_vsw_ask port show | grep -o '"name":"[^"]*","type"' | cut -d '"' -f 4
}

_vsw_networks()
{
	_vsw_ask network show | grep -o '"name":"[^"]*","vlan"' | cut -d '"' -f 4
}

# The commands, a line each, as far as their words are no places for something else.
_vsw_commands()
{
	vsw help 2>/dev/null | awk -F '  +' '$2 ~ /^vsw / {
		n = split($2, word, " "); line = ""
		for (i = 2; i <= n && word[i] !~ /^\[?[A-Z]/; i++) line = line " " word[i]
		print substr(line, 2) }'
}

# Values of an option that takes one; 1 where the option takes none.
_vsw_values()
{
	case $1 in
	--control)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$current"))
		;;
	--vmm) COMPREPLY=($(compgen -W "qemu libvirt cloud-hypervisor vsw-nic" -- "$current")) ;;
	--qemu)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -W "$(compgen -c qemu-system-)" -- "$current"))
		;;
	--vmm-version) COMPREPLY=($(compgen -W "7.2 8.2 9.2 10.0 10.2" -- "$current")) ;;
	--memory) COMPREPLY=($(compgen -W "512M 1G 2G 4G" -- "$current")) ;;
	--port) COMPREPLY=($(compgen -W "$(_vsw_ports)" -- "$current")) ;;
	--network) COMPREPLY=($(compgen -W "$(_vsw_networks)" -- "$current")) ;;
	--state)
		COMPREPLY=($(compgen -W "down away connected no-memory running refused broken" -- \
			"$current"))
		;;
	--sort) COMPREPLY=() ;;
	*) return 1 ;;
	esac
}

# Options of the command that has been typed so far, or else of every command.
_vsw_options()
{
	local text

	text=$(vsw "${words[@]:0:2}" -h 2>/dev/null)
	[[ $text == *--json* ]] || text=$(vsw "${words[@]:0:1}" -h 2>/dev/null)
	[[ $text == *--json* ]] || text=$(vsw -h 2>/dev/null)
	awk '$1 ~ /^-/ { for (i = 1; i <= 2; i++) if ($i ~ /^--/) print $i }' <<<"$text"
}

# Keys of a port or network, or what one of them may be, from the table that vsw itself has. Of a port
# whose type is known only those of that type.
_vsw_keys()
{
	local type= i

	for ((i = 1; i < ${#COMP_WORDS[@]} - 2; i++)); do
		[[ ${COMP_WORDS[i]} == type && ${COMP_WORDS[i+1]} == = ]] && type=${COMP_WORDS[i+2]}
	done
	[[ -z $type && $1 == port && ${words[1]} == set ]] &&
		type=$(_vsw_ask port show "${words[2]}" | grep -o '"type":"[^"]*"' | cut -d '"' -f 4)
	vsw schema 2>/dev/null | awk -v object="$1" -v key="$2" -v type="$type" 'NR > 1 &&
		($1 == object || (object == "port" && $1 !~ /^(network|switch|router)$/ &&
			(type == "" || $1 == type))) {
			if (key == "") print $2 "="; else if ($2 == key) print $3 }' | sort -u
}

_vsw_key_values()
{
	local values
	values=$(_vsw_keys "$1" "$2")
	case $values in
	NETWORK*) _vsw_networks ;;
	USER) compgen -u ;;
	GROUP) compgen -g ;;
	*) tr '|' '\n' <<<"$values" | grep -v '[A-Z]\|^[0-9]' ;;
	esac
}

# The words behind `port|network add|set|del`: a name, then KEY=VALUE (which bash takes apart at the sign).
_vsw_edit()
{
	local key=

	[[ $current == = ]] && current= key=$previous
	[[ $previous == = ]] && key=${COMP_WORDS[COMP_CWORD-2]}
	if ((${#words[@]} == 2)); then
		[[ ${words[1]} != add ]] &&
			COMPREPLY=($(compgen -W "$("_vsw_${words[0]}s")" -- "$current"))
	elif [[ ${words[1]} == del ]]; then
		COMPREPLY=()
	elif [[ $key ]]; then
		COMPREPLY=($(compgen -W "$(_vsw_key_values "${words[0]}" "$key")" -- "$current"))
	else
		compopt -o nospace 2>/dev/null
		COMPREPLY=($(compgen -W "$(_vsw_keys "${words[0]}" "")" -- "$current"))
	fi
}

# Words that follow, where the commands say which.
_vsw_words()
{
	local typed="${words[*]}"

	COMPREPLY=($(compgen -W "$(_vsw_commands | awk -v typed="$typed" '
		typed == "" { print $1 } $1 == typed && $2 != "" { print $2 }' | sort -u)
		$([[ $typed ]] || echo help)" -- "$current"))
}

_vsw()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
	local control= words=() i

	COMPREPLY=()
	# The words of the command so far, without options and their values.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--control) control=${COMP_WORDS[++i]-} ;;
		--vmm | --memory | --qemu | --vmm-version | --port | --network | --state | --sort) ((i++)) ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
	_vsw_values "$previous" && return 0
	[ "${words[0]-}" = help ] && words=("${words[@]:1}")
	if [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "$(_vsw_options)" -- "$current"))
		return 0
	fi
	case "${words[*]}" in
	schema) COMPREPLY=($(compgen -W "$(vsw schema | awk 'NR > 1 { print $1 }')" -- "$current")) ;;
	"port add"* | "port set"* | "port del"* | "network add"* | "network set"* | "network del"* | \
		"router add"* | "router set"* | "router del"*)
		_vsw_edit
		;;
	"port show" | "port args" | "port reset"*)
		COMPREPLY=($(compgen -W "$(_vsw_ports)" -- "$current"))
		;;
	"log level") COMPREPLY=($(compgen -W "error warning info debug" -- "$current")) ;;
	"config check" | "config diff" | "config apply" | "config save")
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$current"))
		;;
	*) _vsw_words ;;
	esac
	return 0
}

complete -F _vsw vsw
