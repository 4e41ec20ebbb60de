/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals that are owed to a guest whose eventfds are slow (base/bell.h). The port's reaper sends
 * them, one at a time and with pauses of BELLS_SHARE times what the last one took: so all of a
 * peer's signals take that share of one processor at most, and no time of a worker or of the
 * control thread. The bells take turns. Control thread, but for the job.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "port/vhost_user/vhost_user_private.h"

#define PAUSE_FIRST_NS (20 * NS_PER_MS)
#define PAUSE_LAST_NS  NS_PER_SECOND

/* An errand that takes so much of its thread's time was slow. */
#define SLOW_NS 50000

/* Quick ones in a row after which the eventfds are trusted again: the first time, and at most. Each
 * time that was a mistake it takes twice as many. */
#define QUICK_SIGNALS     16
#define QUICK_SIGNALS_MAX 4096

/* Signals that messages cause: at most so many at once, and in the long run one each so often. A
 * driver's start takes two a ring, and the change of an interrupt's vector one. */
#define CALLS_BURST    1024
#define CALLS_EVERY_NS (NS_PER_SECOND / 16)

/* One signal for the reaper. It may outlive the port. */
struct vhost_user_errand {
	unsigned references; /* atomic */
	bool busy;           /* atomic: set by the control thread, cleared by the reaper */
	int fd;              /* closed by the same reaper, after this */
	uint64_t took_ns;
};

static void put(struct vhost_user_errand *errand)
{
	if (errand && __atomic_sub_fetch(&errand->references, 1, __ATOMIC_ACQ_REL) == 0)
		free(errand);
}

static void run_errand(void *argument)
{
	struct vhost_user_errand *errand = argument;

	errand->took_ns = bell_measure(errand->fd);
	__atomic_store_n(&errand->busy, false, __ATOMIC_RELEASE);
	put(errand);
}

/* The next bell that is owed a signal, which is owed no longer; NULL: none is. */
static struct bell *next_owed(struct vhost_user_port *vhost)
{
	unsigned count = vhost->port.queue_count * 2u + 1;

	for (unsigned i = 0; i < count; i++) {
		unsigned turn = (vhost->bell_turn + i) % count;
		struct bell *bell = turn == count - 1 ? &vhost->log_bell
						      : &vhost_user_ring(vhost, turn)->bell;

		if (!bell_take(bell) || bell->fd < 0)
			continue;
		vhost->bell_turn = (turn + 1) % count;
		return bell;
	}
	return NULL;
}

static void judge(struct vhost_user_port *vhost)
{
	uint64_t took = vhost->errand->took_ns;

	if (took > SLOW_NS) {
		vhost->quick_signals = 0;
	} else if (++vhost->quick_signals >= vhost->quick_needed) {
		vhost->quick_signals = 0;
		vhost->quick_needed = MIN(2 * vhost->quick_needed, QUICK_SIGNALS_MAX);
		bells_forgive(&vhost->bells);
	}
}

static void pause_for(struct vhost_user_port *vhost, uint64_t ns)
{
	struct timeval pause;

	ns = MIN(MAX(ns, PAUSE_FIRST_NS), PAUSE_LAST_NS);
	pause.tv_sec = (time_t)(ns / NS_PER_SECOND);
	pause.tv_usec = (suseconds_t)(ns % NS_PER_SECOND / NS_PER_US);
	evtimer_add(vhost->bell_timer, &pause);
}

static void send_one(struct vhost_user_port *vhost)
{
	struct vhost_user_errand *errand = vhost->errand;
	struct bell *bell;

	if (__atomic_load_n(&errand->busy, __ATOMIC_ACQUIRE)) {
		pause_for(vhost, PAUSE_LAST_NS);
		return;
	}
	if (vhost->errand_sent)
		judge(vhost);
	bell = next_owed(vhost);
	vhost->errand_sent = bell != NULL;
	if (!bell)
		return;
	pause_for(vhost, BELLS_SHARE * errand->took_ns);
	errand->fd = bell->fd;
	errand->busy = true;
	__atomic_add_fetch(&errand->references, 1, __ATOMIC_RELAXED);
	reaper_run(vhost_endpoint_reaper(vhost->endpoint), run_errand, errand);
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	send_one(argument);
}

void vhost_user_bells_attend(struct vhost_user_port *vhost)
{
	uint64_t owed = __atomic_load_n(&vhost->bells.owed, __ATOMIC_RELAXED);

	if (evtimer_pending(vhost->bell_timer, NULL))
		return;
	if (owed && !vhost->owed_logged)
		log_warning("port %s: its VM's eventfds take too long to signal, so its guest is "
			    "interrupted rarely from now on",
			vhost->port.name);
	vhost->owed_logged |= owed != 0;
	send_one(vhost);
}

/* True where one more signal may go out at once, which then counts. */
static bool may_call(struct vhost_user_port *vhost)
{
	uint64_t now = clock_now_ns();

	if (__atomic_load_n(&vhost->bells.trust, __ATOMIC_RELAXED) == BELLS_OWED)
		return false;
	vhost->calls_until = MAX(vhost->calls_until, now);
	if (vhost->calls_until - now > (CALLS_BURST - 1) * CALLS_EVERY_NS)
		return false;
	vhost->calls_until += CALLS_EVERY_NS;
	return true;
}

void vhost_user_bells_call(struct vhost_user_port *vhost, struct bell *bell)
{
	if (bell->fd < 0)
		return;
	if (may_call(vhost))
		reaper_signal(vhost_endpoint_reaper(vhost->endpoint), bell->fd);
	else
		bell_owe(bell);
}

void vhost_user_bells_forget(struct vhost_user_port *vhost)
{
	for (unsigned i = 0; i < vhost->port.queue_count * 2u; i++)
		bell_take(&vhost_user_ring(vhost, i)->bell);
	bell_take(&vhost->log_bell);
}

int vhost_user_bells_init(struct vhost_user_port *vhost, struct event_base *base)
{
	vhost->bells.attention = vhost->attention_fd;
	vhost->quick_needed = QUICK_SIGNALS;
	vhost->log_bell = (struct bell){.bells = &vhost->bells, .fd = -1};
	for (unsigned i = 0; i < vhost->port.queue_count * 2u; i++)
		vhost_user_ring(vhost, i)->bell = vhost->log_bell;
	vhost->errand = calloc(1, sizeof(*vhost->errand));
	vhost->bell_timer = evtimer_new(base, on_timer, vhost);
	if (!vhost->errand || !vhost->bell_timer)
		return -ENOMEM;
	vhost->errand->references = 1;
	return 0;
}

void vhost_user_bells_fini(struct vhost_user_port *vhost)
{
	if (vhost->bell_timer)
		event_free(vhost->bell_timer);
	put(vhost->errand);
}
