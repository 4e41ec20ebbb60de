# SPDX-License-Identifier: BSD-3-Clause
# bash completion for vsw-nic(8).

_vsw_nic()
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
	--socket)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$current"))
		;;
	--offload)
		COMPREPLY=($(compgen -W "on off" -- "$current"))
		;;
	--log-level)
		COMPREPLY=($(compgen -W "error warning info debug" -- "$current"))
		;;
	--tap | --mac | --mtu | --queues | --queue-size) ;; # names and numbers of the user's own
	*)
		COMPREPLY=($(compgen -W "--socket --server --tap --mac --mtu --queues --queue-size
			--no-mergeable --no-event-index --offload --log-level --version --help" -- "$current"))
		;;
	esac
	return 0
}

complete -F _vsw_nic vsw-nic
