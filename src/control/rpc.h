/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: JSON-RPC 2.0 over a unix stream socket, one request or reply a line. Requests
 * of one client are answered in order; a request without id is carried out and not answered;
 * batches are refused. The methods stand in show.h.
 *
 * Who may connect may change the configuration: the socket has mode 0660, and the group that
 * switch.control-group names where it names one.
 *
 * Limits: RPC_CLIENT_MAX clients (more are disconnected at once), RPC_LINE_MAX bytes a request, and
 * no next request is read before the reply has gone out; a client that takes nothing of its reply
 * for RPC_STALL_SECONDS is disconnected.
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_RPC_H
#define VSW_CONTROL_RPC_H

#include <event2/event.h>

#include "base/error.h"
#include "control/runtime.h"

#define RPC_CLIENT_MAX    32
/* The largest configuration file, with every third character escaped. */
#define RPC_LINE_MAX      (2 * 1024 * 1024)
#define RPC_STALL_SECONDS 10

struct rpc;

/* Listens at the path; a stale socket is replaced. group: "" for the process's own. NULL with
 * *error filled where the socket cannot be had. The runtime is borrowed. */
struct rpc *rpc_new(struct event_base *base, struct runtime *runtime, const char *path,
	const char *group, struct error *error);

/* Disconnects all clients and removes the socket. NULL is allowed. */
void rpc_free(struct rpc *rpc);

/* The reply to one line of `length` bytes, with its newline, to be freed; NULL where there is none
 * to give (or no memory for it). */
char *rpc_answer(struct runtime *runtime, const char *line, size_t length);

#endif
