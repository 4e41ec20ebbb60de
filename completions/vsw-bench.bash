# SPDX-License-Identifier: BSD-3-Clause
# bash completion for vsw-bench(8).

_vsw_bench()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}

	COMPREPLY=()
	# bash takes --option=value apart at the sign.
	if [[ $current == = ]]; then
		current=
	elif [[ $previous == = ]]; then
		previous=${COMP_WORDS[COMP_CWORD-2]}
	fi
	case $previous in
	--port)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$current"))
		;;
	--size)
		COMPREPLY=($(compgen -W "imix 64 128 256 512 1024 1280 1514 9000 65000" -- "$current"))
		;;
	--queue-size)
		COMPREPLY=($(compgen -W "64 128 256 512 1024 2048 4096" -- "$current"))
		;;
	--rate | --interval | --duration | --warmup | --connect | --flows | --macs | --active | \
		--window | --queues | --cpu | --null-cpu) ;; # numbers of the user's own
	*)
		COMPREPLY=($(compgen -W "--port --null --null-copy --ping --hold --rate --interval
			--duration --warmup --connect --size --tso --flows --macs --active --unidirectional
			--window --overload --verify --queues --queue-size --packed --in-order
			--no-mergeable --no-event-index --cpu --null-cpu --json --version --help" \
			-- "$current"))
		;;
	esac
	return 0
}

complete -F _vsw_bench vsw-bench
