/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/tap/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/rcu.h"
#include "port/tap/tap_private.h"

const char *const tap_port_state_names[] = {
	[TAP_PORT_RUNNING] = "running",
	[TAP_PORT_DOWN] = "down",
	[TAP_PORT_AWAY] = "away",
};

/* TUN_F_* and what it is called here. UFO, which modern kernels do not ask for, is left out. */
static const struct {
	unsigned tap;
	uint8_t offload;
} offload_names[] = {
	{TUN_F_CSUM, OFFLOAD_CHECKSUM},
	{TUN_F_TSO4, OFFLOAD_TCP4},
	{TUN_F_TSO6, OFFLOAD_TCP6},
	{TUN_F_TSO_ECN, OFFLOAD_ECN},
	{TUN_F_USO4, OFFLOAD_UDP4},
	{TUN_F_USO6, OFFLOAD_UDP6},
};

/* For tests, and for whoever suspects the kernel: VSW_TAP_IO=plain. */
static bool wants_uring(void)
{
	const char *word = getenv("VSW_TAP_IO");

	return !word || strcmp(word, "plain") != 0;
}

/* The first port says for all how frames are read and written. */
static void say_io(const char *reason)
{
	static bool said;

	if (said)
		return;
	said = true;
	if (reason)
		log_info("TAP ports use readv and writev: %s", reason);
	else
		log_info("TAP ports use io_uring");
}

/* Rings for both directions, or none. */
static void open_rings(struct tap_port *tap, struct tap_queue *queue)
{
	struct error error = {.text = "switched off by VSW_TAP_IO"};

	if (wants_uring()) {
		queue->reader = frame_io_ring_new(queue->fd, &error);
		queue->writer = queue->reader ? frame_io_ring_new(queue->fd, &error) : NULL;
	}
	if (!queue->writer) {
		frame_io_ring_free(queue->reader);
		queue->reader = NULL;
	}
	tap->io = queue->writer ? "io_uring" : "plain";
	say_io(queue->writer ? NULL : error.text);
}

static void problem(struct tap_port *tap, enum tap_port_state state, const char *words)
{
	bool new = strcmp(tap->problem.text, words) != 0;

	tap->state = state;
	if (!new)
		return;
	error_set(&tap->problem, 0, "%s", words);
	tap->problem_since = clock_now_ns();
	if (!log_limit_allows(&tap->log_limit))
		return;
	if (*words)
		log_warning("port %s: %s", tap->port.name, words);
	else
		log_info("port %s: interface %s is up", tap->port.name, tap->settings.name);
}

/* From now on no worker touches the queues. */
static void unpublish(struct tap_port *tap)
{
	if (!tap->live)
		return;
	rcu_publish(&tap->live, NULL);
	rcu_wait();
}

static void publish(struct tap_port *tap)
{
	if (tap->live)
		return;
	rcu_publish(&tap->live, tap->queues);
	if (tap->notifier)
		tap->notifier->poke(tap->notifier->owner, &tap->port);
}

static void detach(struct tap_port *tap)
{
	unpublish(tap);
	for (unsigned i = 0; tap->queues && i < tap->port.queue_count; i++) {
		struct tap_queue *queue = &tap->queues[i];

		if (queue->watched)
			tap->notifier->unwatch(tap->notifier->owner, &tap->port, i, queue->fd);
		queue->watched = false;
		frame_io_ring_free(queue->reader);
		frame_io_ring_free(queue->writer);
		queue->reader = queue->writer = NULL;
		queue->fd = -1;
	}
	if (tap->opened)
		tap_close(&tap->tap);
	tap->opened = false;
}

static uint8_t offloads_of(unsigned tap_offloads)
{
	uint8_t offloads = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(offload_names); i++)
		if (tap_offloads & offload_names[i].tap)
			offloads |= offload_names[i].offload;
	return offloads;
}

/* Gets the interface and readies its queues; they are not published yet. existing: it shall not be
 * made. */
static int attach(struct tap_port *tap, bool existing, struct error *error)
{
	struct host_tap request = tap->settings;
	int status;

	request.existing = existing;
	status = host_tap_open(&request, &tap->tap, error);
	if (status < 0)
		return status;
	tap->opened = true;
	status = tap_set_offloads(&tap->tap, tap->tap.offloads, TAP_HEADER_SIZE, error);
	for (unsigned i = 0; i < tap->port.queue_count && status == 0; i++) {
		struct tap_queue *queue = &tap->queues[i];

		queue->fd = tap->tap.fds[i];
		open_rings(tap, queue);
		if (!tap->notifier)
			continue;
		status = tap->notifier->watch(tap->notifier->owner, &tap->port, i, queue->fd);
		queue->watched = status == 0;
		if (status < 0)
			error_set_errno(error, status, "cannot watch TAP %s", tap->tap.name);
	}
	tap->requests = tap->abilities = offloads_of(tap->tap.offloads);
	if (status < 0)
		detach(tap);
	return status;
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

	tap->link = tap->tap.link = *link;
	use_mtu(tap, link->mtu);
	tap_set_carrier(&tap->tap, true);
	publish(tap);
	error_set(&words, 0, "interface %s is not up", tap->settings.name);
	if (link->up)
		problem(tap, TAP_PORT_RUNNING, "");
	else
		problem(tap, TAP_PORT_DOWN, words.text);
}

/* It is not. What is left of it is kept: closing it would delete what somebody has renamed or
 * moved. */
static void away(struct tap_port *tap, enum tap_place place, const char *name)
{
	const char *wanted = tap->settings.name;
	struct error words;

	unpublish(tap);
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

/* Attempts that fail are news of the interface themselves, and its namespace can make more: the
 * next one waits, twice as long each time; but the first time not for another interface. */
#define RETRY_MS_MIN 50u
#define RETRY_MS_MAX 16000u
/* Whoever has just made the interface may hold it for a moment longer: no problem yet. */
#define BUSY_MS      400u

/* There is an interface of our name that is not the one that we had. */
static void take_another(struct tap_port *tap, const struct link *link)
{
	bool other = tap->retry_ms == RETRY_MS_MIN && link->index != tap->failed_index;
	struct timeval wait;
	struct error error;
	int status;

	if (evtimer_pending(tap->retry, NULL) && !other)
		return;
	detach(tap);
	status = attach(tap, true, &error);
	if (status < 0) {
		if (status != -EBUSY || tap->retry_ms >= BUSY_MS)
			problem(tap, TAP_PORT_AWAY, error.text);
		tap->failed_index = link->index;
		tap->retry_ms = MIN(MAX(2 * tap->retry_ms, RETRY_MS_MIN), RETRY_MS_MAX);
		wait = (struct timeval){
			.tv_sec = tap->retry_ms / 1000, .tv_usec = tap->retry_ms % 1000 * 1000};
		evtimer_add(tap->retry, &wait);
		return;
	}
	tap->retry_ms = 0;
	tap->returns++;
	here(tap, &tap->tap.link);
}

/* Something happened to an interface that may be ours. What counts is how things are now, not what
 * the news says: it may be old, of an interface that is gone meanwhile. */
static void review(struct tap_port *tap)
{
	struct link link;
	bool named = host_tap_look(&tap->settings, &link) == 0;
	char name[LINK_NAME_SIZE];
	enum tap_place place = tap->opened ? tap_find(&tap->tap, name) : TAP_DELETED;

	if (place == TAP_HERE && named) {
		tap->returns += tap->state == TAP_PORT_AWAY;
		here(tap, &link);
		return;
	}
	if (tap->opened && tap->state != TAP_PORT_AWAY)
		away(tap, place, name);
	if (named)
		take_another(tap, &link);
}

static void retry_event(evutil_socket_t fd, short what, void *argument)
{
	review(argument);
}

static void on_change(void *owner, const struct link_change *change)
{
	struct tap_port *tap = owner;
	bool named = strcmp(change->link.name, tap->settings.name) == 0;

	tap->concerned |= change->missed || named ||
			  (tap->opened && change->link.index == tap->tap.link.index);
}

static void watch_event(evutil_socket_t fd, short what, void *argument)
{
	struct tap_port *tap = argument;
	int status;

	tap->concerned = false;
	status = link_watch_read(fd, on_change, tap);
	if (tap->concerned)
		review(tap);
	if (status == 0)
		return;
	log_error("port %s: interfaces are not watched any more: %s", tap->port.name,
		strerror(-status));
	event_del(tap->changed);
}

static void tap_destroy(struct port *port)
{
	struct tap_port *tap = tap_port(port);

	detach(tap);
	if (tap->changed)
		event_free(tap->changed);
	if (tap->retry)
		event_free(tap->retry);
	fd_close(&tap->watch);
	for (unsigned i = 0; tap->queues && i < port->queue_count; i++)
		if (tap->queues[i].rooms)
			munmap(tap->queues[i].rooms, PACKET_BATCH * TAP_ROOM_STRIDE);
	free(tap->queues);
	port_fini(port);
	free(tap);
}

static const struct port_class tap_class = {
	.type = "tap",
	.answers = true,
	.receive = tap_port_receive,
	.release = tap_port_release,
	.send = tap_port_send,
	.arm = tap_port_arm,
	.disarm = tap_port_disarm,
	.destroy = tap_destroy,
};

/* Its pages become resident as frames are long and many. */
static uint8_t *rooms_new(void)
{
	void *rooms = mmap(NULL, PACKET_BATCH * TAP_ROOM_STRIDE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return rooms == MAP_FAILED ? NULL : rooms;
}

static int allocate(struct tap_port *tap, const char *name, uint16_t index)
{
	unsigned count = tap->settings.queues;
	int status = port_init(&tap->port, &tap_class, name, index, (uint16_t)count);

	if (status < 0)
		return status;
	tap->queues = aligned_alloc(CACHE_LINE, count * sizeof(*tap->queues));
	if (!tap->queues)
		return -ENOMEM;
	memset(tap->queues, 0, count * sizeof(*tap->queues));
	for (unsigned i = 0; i < count; i++) {
		tap->queues[i].fd = -1;
		tap->queues[i].window = 2;
		tap->queues[i].rooms = rooms_new();
		if (!tap->queues[i].rooms)
			return -ENOMEM;
	}
	return 0;
}

/* The watch comes first: nothing happens to the interface that it does not see. */
static int start(struct tap_port *tap, struct event_base *base, struct error *error)
{
	int status;

	tap->watch = host_tap_watch(&tap->settings, error);
	if (tap->watch < 0)
		return tap->watch;
	tap->changed = event_new(base, tap->watch, EV_READ | EV_PERSIST, watch_event, tap);
	tap->retry = evtimer_new(base, retry_event, tap);
	if (!tap->retry || !tap->changed || event_add(tap->changed, NULL) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	status = attach(tap, false, error);
	if (status < 0)
		return status;
	here(tap, &tap->tap.link);
	return 0;
}

struct port *tap_port_new(struct event_base *base, const struct port_notifier *notifier,
	const char *name, uint16_t index, const struct host_tap *settings, struct error *error)
{
	size_t size = (sizeof(struct tap_port) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	struct tap_port *tap = aligned_alloc(CACHE_LINE, size);
	int status;

	if (!tap) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	memset(tap, 0, size);
	tap->watch = -1;
	tap->notifier = notifier;
	tap->settings = *settings;
	tap->settings.offload = true;
	if (!settings->queues || settings->queues > TAP_PORT_QUEUES_MAX)
		status = error_set(error, -EINVAL, "a TAP port has 1 to %u queues, not %u",
			TAP_PORT_QUEUES_MAX, settings->queues);
	else
		status = allocate(tap, name, index);
	if (status == -ENOMEM)
		error_set(error, status, "out of memory");
	if (status == 0)
		status = start(tap, base, error);
	if (status < 0) {
		tap_destroy(&tap->port);
		return NULL;
	}
	return &tap->port;
}

int tap_port_change(struct port *port, const struct host_tap *settings, struct error *error)
{
	struct tap_port *tap = tap_port(port);
	struct host_tap old = tap->settings;
	int status;

	tap->settings = *settings;
	tap->settings.offload = true;
	if (!tap->opened || tap->state == TAP_PORT_AWAY)
		return 0;
	status = host_tap_change(&tap->tap, &old, &tap->settings, error);
	if (status < 0)
		tap->settings = old;
	return status;
}

void tap_port_status(const struct port *port, struct tap_port_status *status)
{
	const struct tap_port *tap = tap_port(port);

	*status = (struct tap_port_status){
		.state = tap->state,
		.problem = *tap->problem.text ? tap->problem.text : NULL,
		.ifindex = tap->link.index,
		.carrier = tap->link.carrier && tap->link.up,
		.mtu = tap->link.mtu,
		.found = tap->opened && tap->tap.found,
		.offloads = tap->abilities,
		.io = tap->io,
		.returns = tap->returns,
	};
	memcpy(status->mac, tap->link.mac, MAC_SIZE);
	if (status->problem)
		status->problem_age = (unsigned)((clock_now_ns() - tap->problem_since) /
						 NS_PER_SECOND);
}
