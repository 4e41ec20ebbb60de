/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: JSON-RPC 2.0 over a unix stream socket, one request or reply a line. Requests
 * of one client are answered in order; a request without id is carried out and not answered;
 * batches are refused. The methods stand in show.h.
 *
 * There are two of them. Who may connect to the full one may change the configuration; on the
 * read-only one only methods that show something are served. Each belongs to this process's user,
 * has mode 0660, and the group that switch.control-group or switch.control-ro names, else that of
 * this process, whatever the folder says. A folder in which others could replace the socket is
 * refused.
 *
 * Limits of each: RPC_CLIENT_MAX clients, of which RPC_ROOT_PLACES must be root's or this process's
 * user's. Where a client finds no place, the one that has been idle longest, for RPC_GRACE_SECONDS
 * at least, makes room; where there is none, the new one is disconnected. So nobody can lock out
 * the operator. RPC_LINE_MAX bytes a request, and no next request is read before the reply has gone
 * out; a client that takes nothing of its reply for RPC_STALL_SECONDS, or sends nothing for
 * RPC_IDLE_SECONDS, is disconnected.
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_RPC_RPC_H
#define VSW_CONTROL_RPC_RPC_H

#include <event2/event.h>

#include "base/error.h"
#include "control/rpc/answer.h"

#define RPC_CLIENT_MAX    32
#define RPC_ROOT_PLACES   4
/* The largest configuration file, with every third character escaped. */
#define RPC_LINE_MAX      (2 * 1024 * 1024)
#define RPC_STALL_SECONDS 10
/* Longer than whatever asks again and again leaves between two requests. */
#define RPC_IDLE_SECONDS  300
/* A request follows its connection within that time. */
#define RPC_GRACE_SECONDS 2

struct rpc;

/* 0 where nobody listens at the path, as far as we can tell; -EADDRINUSE, with who it is in *error,
 * where somebody does. Changes nothing. */
int rpc_probe(const char *path, struct error *error);

/* Listens at the path, whose folder is made where it is missing; a stale socket is replaced. group:
 * "" for the process's own. NULL with *error filled where the socket cannot be had. The runtime is
 * borrowed. */
struct rpc *rpc_new(struct event_base *base, struct runtime *runtime, enum rpc_role role,
	const char *path, const char *group, struct error *error);

/* Listens anew where the socket's file is gone; clients stay. 1 where it did, 0 where there was no
 * need, or -errno with a reason: it listens as before then, at a file that nobody finds. */
int rpc_renew(struct rpc *rpc, struct error *error);

/* Disconnects all clients and removes the socket. NULL is allowed. */
void rpc_free(struct rpc *rpc);

#endif
