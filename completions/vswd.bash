# SPDX-License-Identifier: BSD-3-Clause
# bash completion for vswd(8).

_vswd()
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
	-c | --config | --control)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$current"))
		;;
	--log-level)
		COMPREPLY=($(compgen -W "error warning info debug" -- "$current"))
		;;
	*)
		COMPREPLY=($(compgen -W "--config --control --check --log-level --help --version" \
			-- "$current"))
		;;
	esac
	return 0
}

complete -F _vswd vswd
