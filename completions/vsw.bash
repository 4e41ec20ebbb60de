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
	"config apply"*) echo "--force" ;;
	esac
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
		COMPREPLY=($(compgen -W "show port fdb network worker drops log config version help" \
			-- "$current"))
		;;
	port) COMPREPLY=($(compgen -W "show reset args" -- "$current")) ;;
	fdb | network | worker) COMPREPLY=($(compgen -W "show" -- "$current")) ;;
	log) COMPREPLY=($(compgen -W "level" -- "$current")) ;;
	config) COMPREPLY=($(compgen -W "check diff apply show" -- "$current")) ;;
	"port show" | "port args" | "port reset"*)
		COMPREPLY=($(compgen -W "$(_vsw_ports)" -- "$current"))
		;;
	"log level") COMPREPLY=($(compgen -W "error warning info debug" -- "$current")) ;;
	"config check" | "config diff" | "config apply")
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$current"))
		;;
	esac
	return 0
}

complete -F _vsw vsw
