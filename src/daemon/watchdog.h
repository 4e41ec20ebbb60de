/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Telling the service manager that the switch moves on: the watchdog of sd_watchdog_enabled(3). A
 * ping is sent from the event loop, so a control thread that hangs sends none; nor is one sent
 * while a worker neither sleeps nor comes round. The service manager then ends the process and
 * starts it again.
 *
 * Control thread.
 */
#ifndef VSW_DAEMON_WATCHDOG_H
#define VSW_DAEMON_WATCHDOG_H

#include <event2/event.h>

#include "worker/worker.h"

struct watchdog;

/* Pings four times in the time that WATCHDOG_USEC gives. NULL where nobody asks for it (or there is
 * no memory, which is logged). The pool is borrowed. */
struct watchdog *watchdog_new(struct event_base *base, struct worker_pool *pool);

/* NULL is allowed. */
void watchdog_free(struct watchdog *watchdog);

#endif
