/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NIC as a whole: a socket to a vhost-user backend, the frontend's negotiation over it, the
 * device that this yields, and the bridge to the TAP.
 *
 *   WAITING      no connection; the TAP has no carrier
 *   -> SETTING UP   connected; fails and starts over after SESSION_SETUP_SECONDS
 *   -> RUNNING      frames move, the TAP has carrier
 *   -> WAITING      the backend went, misbehaved, or refused something; and so on for ever
 *   any -> STOPPED  session_stop(): rings are stopped in order, for at most SESSION_STOP_SECONDS
 *
 * Nothing of a connection outlives it but the TAP and the counters.
 *
 * Thread: the one that runs the event base.
 */
#ifndef VSW_NIC_SESSION_H
#define VSW_NIC_SESSION_H

#include "host/tap.h"
#include "nic/options.h"

struct event_base;
struct session;

/* A backend answers at once; one that does not for so long is stuck or is none. */
#define SESSION_SETUP_SECONDS 5

/* How long an orderly stop may take: after that the backend sees the connection end. */
#define SESSION_STOP_SECONDS 1

/* Called from the event loop: the session has ended, `failed` where it had to. session_free() is
 * not allowed inside. */
typedef void session_ended(void *owner, bool failed);

/* Opens the socket; the rest happens in the event loop. `tap` and `options` must outlive the
 * session. 0 and *session, or -errno and the reason. */
int session_open(struct event_base *base, const struct nic_options *options, struct tap *tap,
	session_ended *ended, void *owner, struct session **session, struct error *error);

/* Asks for the orderly end. */
void session_stop(struct session *session);

void session_free(struct session *session);

/* Logs how many frames went each way, and how many were dropped for which cause. NULL is
 * accepted. */
void session_log_counters(const struct session *session);

#endif
