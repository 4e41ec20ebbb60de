/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request of JSON-RPC 2.0 and its reply, without the socket (rpc.h) between them. The methods
 * stand in show.h. A change that is refused is a line in the log. Control thread only.
 */
#ifndef VSW_CONTROL_RPC_ANSWER_H
#define VSW_CONTROL_RPC_ANSWER_H

#include "base/log.h"
#include "control/runtime.h"

enum rpc_role { RPC_FULL, RPC_READ_ONLY };

/* The reply to one line of `length` bytes, with its newline, to be freed; NULL where there is none
 * to give (or no memory for it). refusals: what limits the lines
 * in the log, for one client; NULL: nothing, where it is the administrator's. */
char *rpc_answer(struct runtime *runtime, enum rpc_role role, struct log_limit *refusals,
	const char *line, size_t length);

#endif
