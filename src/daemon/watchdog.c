/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/watchdog.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "daemon/notify.h"

/* sd_notify(3) asks for half of the time; half of that lets one worker be late without harm. */
#define PINGS_IN_TIME 4

/* More often than that says nothing about a worker: it may wait for a processor for longer. */
#define INTERVAL_US_MIN 10000

struct watchdog {
	struct worker_pool *pool;
	struct event *timer;
};

/* A whole number of decimal digits; 0 where the variable is not that. */
static uint64_t read_number(const char *name)
{
	const char *text = getenv(name);
	uint64_t number = 0;

	if (text)
		number_parse(text, &number);
	return number == UINT64_MAX ? 0 : number;
}

static void ping(evutil_socket_t fd, short what, void *argument)
{
	struct watchdog *watchdog = argument;
	int stuck = worker_pool_stuck(watchdog->pool);

	if (stuck < 0)
		notify("WATCHDOG=1");
	else
		log_limited(LOG_LEVEL_ERROR,
			"worker %d is stuck: the watchdog of the service manager is not notified",
			stuck);
}

struct watchdog *watchdog_new(struct event_base *base, struct worker_pool *pool)
{
	uint64_t limit = read_number("WATCHDOG_USEC");
	uint64_t interval = MAX(limit / PINGS_IN_TIME, INTERVAL_US_MIN);
	struct timeval period = {.tv_sec = (time_t)(interval / 1000000),
		.tv_usec = (suseconds_t)(interval % 1000000)};
	struct watchdog *watchdog;

	/* Set for another process: a wrapper, say, whose environment we got. */
	if (!limit || (getenv("WATCHDOG_PID") && read_number("WATCHDOG_PID") != (uint64_t)getpid()))
		return NULL;
	watchdog = calloc(1, sizeof(*watchdog));
	if (watchdog) {
		watchdog->pool = pool;
		watchdog->timer = event_new(base, -1, EV_PERSIST, ping, watchdog);
	}
	if (!watchdog || !watchdog->timer || event_add(watchdog->timer, &period) < 0) {
		log_error("no memory for the service manager's watchdog");
		watchdog_free(watchdog);
		return NULL;
	}
	return watchdog;
}

void watchdog_free(struct watchdog *watchdog)
{
	if (watchdog && watchdog->timer)
		event_free(watchdog->timer);
	free(watchdog);
}
