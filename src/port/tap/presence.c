/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a TAP port's interface is there, and what becomes of the port where it is not. What
 * counts is how things are when we look: news of the namespace only say when to look, and may be
 * old.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "port/tap/tap_private.h"

/* Attempts to attach that fail are news of the interface themselves, and its namespace can make
 * more: the next one waits, twice as long each time; but the first time not for another
 * interface. */
#define RETRY_MS_MIN 50u
#define RETRY_MS_MAX 16000u
/* Whoever has just made the interface may hold it for a moment longer: no problem yet. */
#define BUSY_MS      400u

/* A failure of vhost-net this long after the last one is a new story. */
#define FAILED_QUIET_NS (60 * NS_PER_SECOND)

static struct timeval milliseconds(unsigned ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void problem(struct tap_port *tap, enum tap_port_state state, const char *words)
{
	tap->state = state;
	port_interface_problem(&tap->interface, words);
}

static void use_mtu(struct tap_port *tap, unsigned mtu)
{
	/* One of 65,535 bytes, the most that a TAP can have, is all that a frame can hold. */
	unsigned known = MIN(mtu, UINT16_MAX);

	__atomic_store_n(
		&tap->frame_length_max, egress_frame_length((uint16_t)known), __ATOMIC_RELAXED);
}

/* The interface is here, and this is what the kernel shows of it. */
static void here(struct tap_port *tap, const struct link *link)
{
	struct error words;

	tap->make = false;
	tap->link = tap->tap.link = *link;
	use_mtu(tap, link->mtu);
	tap_set_carrier(&tap->tap, true);
	tap_port_publish(tap);
	/* One that its router brings up later is no fault. */
	if (!link->up && (tap->settings.set.up || !tap->settings.gateway)) {
		error_set(&words, 0, "interface %s is not up", tap->settings.name);
		problem(tap, TAP_PORT_DOWN, words.text);
		return;
	}
	words = *tap->change.problem.text ? tap->change.problem : tap->interface.unwatched;
	problem(tap, TAP_PORT_RUNNING, words.text);
}

/* It is not. What is left of it is kept: closing it would delete what somebody has renamed or
 * moved. */
static void away(struct tap_port *tap, enum tap_place place, const char *name)
{
	const char *wanted = tap->settings.name;
	struct error words;

	tap_port_unpublish(tap);
	tap->link = (struct link){0};
	if (place != TAP_DELETED)
		tap_set_carrier(&tap->tap, false);
	if (place == TAP_RENAMED)
		error_set(&words, 0, "interface %s was renamed to %s", wanted, name);
	else if (place == TAP_MOVED)
		error_set(&words, 0, "interface %s was moved to another network namespace", wanted);
	else
		error_set(&words, 0, "interface %s was deleted", wanted);
	problem(tap, TAP_PORT_AWAY, words.text);
}

/* The interface is back: what it shall be it is again, as far as it can be. */
static void welcome(struct tap_port *tap)
{
	struct error error;
	struct link link;

	if (host_tap_change(&tap->tap, &tap->settings, &tap->settings, &tap->change, &error) < 0)
		tap->change.problem = error;
	/* Or it has gone meanwhile, and the watch will tell. */
	if (host_tap_look(&tap->settings, &link) < 0)
		return;
	tap->returns++;
	here(tap, &link);
}

static void try_later(struct tap_port *tap)
{
	struct timeval wait;

	tap->retry_ms = MIN(MAX(2 * tap->retry_ms, RETRY_MS_MIN), RETRY_MS_MAX);
	wait = milliseconds(tap->retry_ms);
	evtimer_add(tap->retry, &wait);
}

/* There is an interface of our name that is not the one that we had, or one shall be made. */
static void take_another(struct tap_port *tap, const struct link *link)
{
	bool other = tap->retry_ms == RETRY_MS_MIN && link->index != tap->failed_index;
	enum tap_attach how = link->index ? TAP_ATTACH_EXISTING : TAP_ATTACH_MAKE;
	struct error error;
	int status;

	if (evtimer_pending(tap->retry, NULL) && !other)
		return;
	tap_port_detach(tap);
	status = tap_port_attach(tap, how, &error);
	if (status < 0) {
		if (status != -EBUSY || tap->retry_ms >= BUSY_MS)
			problem(tap, TAP_PORT_AWAY, error.text);
		tap->failed_index = link->index;
		try_later(tap);
		return;
	}
	tap->retry_ms = 0;
	welcome(tap);
}

/* vhost-net is asked once more to carry the frames of our interface. */
static bool carry_again(struct tap_port *tap)
{
	struct error error;

	if (evtimer_pending(tap->retry, NULL))
		return false;
	if (tap_port_carry(tap, &error) == 0)
		return true;
	problem(tap, TAP_PORT_AWAY, error.text);
	try_later(tap);
	return false;
}

void tap_port_failed(struct tap_port *tap)
{
	uint64_t now = clock_now_ns();
	struct error words;

	if (now - tap->failed_ns > FAILED_QUIET_NS)
		tap->retry_ms = 0;
	tap->failed_ns = now;
	tap_port_put_down(tap);
	error_set(&words, 0, "the kernel's vhost-net has failed interface %s", tap->settings.name);
	problem(tap, TAP_PORT_AWAY, words.text);
	try_later(tap);
}

static void leave_namespace(void *owner)
{
	struct tap_port *tap = owner;

	tap_port_detach(tap);
	tap->link = (struct link){0};
	/* An interface that we made there goes with it. */
	tap->make = true;
	tap->retry_ms = 0;
	evtimer_del(tap->retry);
}

static void no_namespace(void *owner, const char *words)
{
	problem(owner, TAP_PORT_AWAY, words);
}

void tap_port_review(struct tap_port *tap)
{
	char name[LINK_NAME_SIZE];
	struct link link = {0};
	enum tap_place place;
	bool named;
	int status;

	if (!port_interface_follow(&tap->interface))
		return;
	status = host_tap_look(&tap->settings, &link);
	named = status == 0;
	/* For want of memory or descriptors nobody knows: as it was, until the next look. */
	tap->interface.unsure = status < 0 && status != -ENODEV;
	if (tap->interface.unsure) {
		if (tap->state == TAP_PORT_RUNNING)
			problem(tap, tap->state, tap->interface.unwatched.text);
		return;
	}
	place = tap->opened ? tap_find(&tap->tap, name) : TAP_DELETED;
	if (place == TAP_HERE && named) {
		if (!tap->carried && !carry_again(tap))
			return;
		if (tap->state == TAP_PORT_AWAY)
			welcome(tap);
		else
			here(tap, &link);
		return;
	}
	if (tap->opened && tap->state != TAP_PORT_AWAY)
		away(tap, place, name);
	if (named || (tap->make && place == TAP_DELETED))
		take_another(tap, &link);
}

static bool concerns(const void *owner, const struct link *link)
{
	const struct tap_port *tap = owner;

	return strcmp(link->name, tap->settings.name) == 0 ||
	       (tap->opened && link->index == tap->tap.link.index);
}

static void review(void *owner)
{
	tap_port_review(owner);
}

const struct port_interface_ops tap_port_interface_ops = {
	.concerns = concerns,
	.leave = leave_namespace,
	.away = no_namespace,
	.review = review,
};

static void retry_event(evutil_socket_t fd, short what, void *argument)
{
	tap_port_review(argument);
}

int tap_port_start_timers(struct tap_port *tap)
{
	tap->retry = evtimer_new(tap->base, retry_event, tap);
	return tap->retry ? port_interface_start(&tap->interface) : -ENOMEM;
}
