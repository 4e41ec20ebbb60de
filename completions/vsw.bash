# SPDX-License-Identifier: BSD-3-Clause
# bash completion for vsw(8). Names of ports come from the daemon, where one answers.

_vsw_ports()
{
	vsw ${control:+--control "$control"} -j port show 2>/dev/null |
		grep -o '"name":"[^"]*","type"' | cut -d '"' -f 4
}

# What a method lists under "name".
_vsw_networks()
{
	vsw ${control:+--control "$control"} -j network show 2>/dev/null |
		grep -o '"name":"[^"]*","vlan"' | cut -d '"' -f 4
}

# Values of an option that takes one; 1 where the option takes none.
_vsw_values()
{
	case $1 in
	--control)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$current"))
		;;
	--vmm) COMPREPLY=($(compgen -W "qemu libvirt cloud-hypervisor" -- "$current")) ;;
	--qemu)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -W "$(compgen -c qemu-system-)" -- "$current"))
		;;
	--vmm-version) COMPREPLY=($(compgen -W "7.2 8.2 9.2 10.0 10.2" -- "$current")) ;;
	--memory) COMPREPLY=($(compgen -W "512M 1G 2G 4G" -- "$current")) ;;
	--port) COMPREPLY=($(compgen -W "$(_vsw_ports)" -- "$current")) ;;
	--network) COMPREPLY=($(compgen -W "$(_vsw_networks)" -- "$current")) ;;
	--state)
		COMPREPLY=($(compgen -W "down connected no-memory running refused broken" -- \
			"$current"))
		;;
	--sort) COMPREPLY=() ;;
	*) return 1 ;;
	esac
}

# Options of the command that has been typed so far.
_vsw_options()
{
	echo "--json --control --help --version"
	case $1 in
	show) echo "--watch --exact" ;;
	"port show"*) echo "--statistics --watch --sort --exact --network --state" ;;
	"port args"*) echo "--vmm --memory --qemu --vmm-version" ;;
	"fdb show" | "network show") echo "--watch --sort --exact --port --network" ;;
	"worker show") echo "--statistics --reset --watch --sort --exact --port" ;;
	drops) echo "--watch --sort --exact --port" ;;
	"config apply"* | "port add"* | "port set"* | "port del"* | "network add"* | \
		"network set"* | "network del"*) echo "--force" ;;
	esac
}

# Keys of a port or network, or what one of them may be, from the table that vsw itself has.
_vsw_keys()
{
	vsw schema 2>/dev/null | awk -v object="$1" -v key="$2" 'NR > 1 &&
		(object == "network") == ($1 == "network") && $1 != "switch" {
			if (key == "") print $2 "="; else if ($2 == key) print $3 }'
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
		COMPREPLY=($(compgen -W "$(_vsw_options "${words[*]}")" -- "$current"))
		return 0
	fi
	case "${words[*]}" in
	"")
		COMPREPLY=($(compgen -W "show port fdb network worker drops log config schema version help" \
			-- "$current"))
		;;
	port) COMPREPLY=($(compgen -W "show reset add set del args" -- "$current")) ;;
	network) COMPREPLY=($(compgen -W "show add set del" -- "$current")) ;;
	fdb | worker) COMPREPLY=($(compgen -W "show" -- "$current")) ;;
	log) COMPREPLY=($(compgen -W "level" -- "$current")) ;;
	config) COMPREPLY=($(compgen -W "check diff apply show save" -- "$current")) ;;
	schema) COMPREPLY=($(compgen -W "$(vsw schema | awk 'NR > 1 { print $1 }')" -- "$current")) ;;
	"port add"* | "port set"* | "port del"* | "network add"* | "network set"* | "network del"*)
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
	esac
	return 0
}

complete -F _vsw vsw
