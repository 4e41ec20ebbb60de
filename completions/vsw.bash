# SPDX-License-Identifier: BSD-3-Clause
# bash completion for vsw(8). Names of ports come from the daemon, where one answers.

_vsw_ports()
{
	vsw ${control:+--control "$control"} -j port show 2>/dev/null |
		grep -o '"name":"[^"]*","type"' | cut -d '"' -f 4
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
		--vmm | --memory | --qemu | --vmm-version) ((i++)) ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
	case $previous in
	--control)
		COMPREPLY=($(compgen -f -- "$current"))
		return 0
		;;
	--vmm)
		COMPREPLY=($(compgen -W "qemu libvirt cloud-hypervisor" -- "$current"))
		return 0
		;;
	--qemu)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -W "$(compgen -c qemu-system-)" -- "$current"))
		return 0
		;;
	--vmm-version)
		COMPREPLY=($(compgen -W "7.2 8.2 9.2 10.0 10.2" -- "$current"))
		return 0
		;;
	--memory)
		COMPREPLY=($(compgen -W "512M 1G 2G 4G" -- "$current"))
		return 0
		;;
	esac
	if [[ $current == -* ]]; then
		local options="--json --control --help --version"
		case "${words[*]}" in
		"port show"*) options+=" --statistics" ;;
		"port args"*) options+=" --vmm --memory --qemu --vmm-version" ;;
		"config apply"*) options+=" --force" ;;
		"worker show") options+=" --statistics --reset" ;;
		esac
		COMPREPLY=($(compgen -W "$options" -- "$current"))
		return 0
	fi
	case "${words[*]}" in
	"") COMPREPLY=($(compgen -W "show port fdb network worker drops config help" -- "$current")) ;;
	port) COMPREPLY=($(compgen -W "show args" -- "$current")) ;;
	fdb | network | worker) COMPREPLY=($(compgen -W "show" -- "$current")) ;;
	config) COMPREPLY=($(compgen -W "check diff apply show" -- "$current")) ;;
	"port show" | "port args") COMPREPLY=($(compgen -W "$(_vsw_ports)" -- "$current")) ;;
	"config check" | "config diff" | "config apply")
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$current"))
		;;
	esac
	return 0
}

complete -F _vsw vsw
