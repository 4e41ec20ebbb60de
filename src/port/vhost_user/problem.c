/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is wrong with a vhost-user port, for whoever looks at the log or at the port: every refusal,
 * ring that stopped and promise that was not kept comes through vhost_user_problem(). Control
 * thread; see port/vhost_user/vhost_user_private.h.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/edge.h"
#include "base/fd.h"
#include "base/log.h"
#include "port/vhost_user/vhost_user_private.h"
#include "vhost/connection.h"

/* Seconds in which the same problem of another connection is not logged again: a VMM that is
 * refused tries once a second. */
#define SAME_PROBLEM_SECONDS 60

const char *const vhost_user_state_names[] = {
	[VHOST_USER_DOWN] = "down",
	[VHOST_USER_REFUSED] = "refused",
	[VHOST_USER_CONNECTED] = "connected",
	[VHOST_USER_NO_MEMORY] = "no-memory",
	[VHOST_USER_RUNNING] = "running",
	[VHOST_USER_BROKEN] = "broken",
};

static void keep(struct vhost_user_port *vhost, enum vhost_user_problem_kind kind,
	const struct error *text, uint64_t now)
{
	struct vhost_user_problem *problem = &vhost->problem;

	if (kind < problem->kind)
		return;
	problem->kind = kind;
	problem->text = *text;
	problem->since = now;
}

void vhost_user_problem(
	struct vhost_user_port *vhost, enum vhost_user_problem_kind kind, const char *format, ...)
{
	uint64_t now = clock_now_ns();
	struct error text;
	va_list arguments;
	bool repeated;

	va_start(arguments, format);
	vsnprintf(text.text, sizeof(text.text), format, arguments);
	va_end(arguments);
	repeated = vhost->logged_connection != vhost->connections &&
		   strcmp(text.text, vhost->logged.text) == 0 &&
		   now - vhost->logged_at < SAME_PROBLEM_SECONDS * NS_PER_SECOND;
	if (!repeated && log_limit_allows(&vhost->problem_limit)) {
		log_warning("port %s: %s", vhost->port.name, text.text);
		vhost->logged = text;
		vhost->logged_at = now;
		vhost->logged_connection = vhost->connections;
	}
	keep(vhost, kind, &text, now);
}

void vhost_user_problem_left(struct vhost_user_port *vhost, const char *reason)
{
	struct error text;

	/* Who says no more than that it goes has no problem; and a reason of ours stands
	 * already. */
	if (strcmp(reason, VHOST_PEER_CLOSED) == 0 ||
		vhost->problem.kind != VHOST_USER_PROBLEM_NONE)
		return;
	error_set(&text, 0, "disconnected: %s", reason);
	keep(vhost, VHOST_USER_PROBLEM_LEFT, &text, clock_now_ns());
}

void vhost_user_problem_over(struct vhost_user_port *vhost, enum vhost_user_problem_kind kind)
{
	if (vhost->problem.kind == kind)
		vhost->problem.kind = VHOST_USER_PROBLEM_NONE;
}

/* A ring of the present connection that was started and had to be taken out of service. */
static bool any_ring_failed(const struct vhost_user_port *vhost)
{
	for (unsigned i = 0; i < vhost->port.queue_count * 2u; i++) {
		const struct vhost_user_pair *pair = &vhost->pairs[i / 2];
		const struct vhost_user_ring *ring = i % 2 ? &pair->receive_ring : &pair->send_ring;

		if (ring_state_out_of_service(ring->state) ||
			(ring->state == RING_RUNNING &&
				__atomic_load_n(&ring->broken, __ATOMIC_ACQUIRE)))
			return true;
	}
	return false;
}

unsigned vhost_user_running_pairs(const struct vhost_user_port *vhost)
{
	unsigned count = 0;

	for (unsigned i = 0; i < vhost->port.queue_count; i++) {
		const struct vhost_user_pair *pair = &vhost->pairs[i];

		count += pair->send_ring.state == RING_RUNNING &&
			 pair->receive_ring.state == RING_RUNNING &&
			 !pair->receive_ring.queue.discard;
	}
	return count;
}

/* True while the guest's driver has shown us no buffer in its first receiveq. */
static bool untouched(const struct vhost_user_port *vhost)
{
	const struct vhost_user_ring *ring = &vhost->pairs[0].send_ring;

	return ring->state == RING_RUNNING && device_ring_untouched(&ring->queue.ring);
}

/* True where a driver has started and its VMM has given us no memory (yet). */
static bool memory_missing(const struct vhost_user_port *vhost)
{
	return !vhost->memory && vhost->backend.features & BIT64(VIRTIO_F_VERSION_1);
}

/* A driver fills the receiveq and then kicks it. Where the kick came but the ring is empty, we see
 * other memory than the guest does. */
static bool memory_foreign(const struct vhost_user_port *vhost)
{
	return vhost->kicked && untouched(vhost);
}

void vhost_user_problem_served(struct vhost_user_port *vhost)
{
	if (!vhost_user_running_pairs(vhost))
		return;
	vhost_user_problem_over(vhost, VHOST_USER_PROBLEM_LEFT);
	vhost_user_problem_over(vhost, VHOST_USER_PROBLEM_REFUSED);
	vhost_user_problem_over(vhost, VHOST_USER_PROBLEM_PROMISE);
}

void vhost_user_problem_review(struct vhost_user_port *vhost)
{
	vhost_user_heed_first_kick(vhost);
	if (!any_ring_failed(vhost))
		vhost_user_problem_over(vhost, VHOST_USER_PROBLEM_RING);
	if (!memory_missing(vhost) && !memory_foreign(vhost))
		vhost_user_problem_over(vhost, VHOST_USER_PROBLEM_MEMORY);
}

static enum vhost_user_state vhost_user_state(const struct vhost_user_port *vhost)
{
	enum vhost_user_problem_kind kind = vhost->problem.kind;
	bool refused = kind == VHOST_USER_PROBLEM_REFUSED || kind == VHOST_USER_PROBLEM_PROMISE;

	if (!vhost_endpoint_connected(vhost->endpoint))
		return refused ? VHOST_USER_REFUSED : VHOST_USER_DOWN;
	if (any_ring_failed(vhost))
		return VHOST_USER_BROKEN;
	if (memory_missing(vhost) || memory_foreign(vhost))
		return VHOST_USER_NO_MEMORY;
	if (vhost_user_running_pairs(vhost))
		return VHOST_USER_RUNNING;
	return refused ? VHOST_USER_REFUSED : VHOST_USER_CONNECTED;
}

/* Seconds from a driver's features to its memory: a DPDK application may take some. */
#define MEMORY_SECONDS 5

/* Seconds from the first kick to the first buffer: a driver has it there before, but for odd
 * ones. */
#define BUFFER_SECONDS 1

void vhost_user_expect_memory(struct vhost_user_port *vhost)
{
	evtimer_add(vhost->memory_check, &(struct timeval){.tv_sec = MEMORY_SECONDS});
}

static void first_kick_event(evutil_socket_t fd, short what, void *argument)
{
	struct vhost_user_port *vhost = argument;

	vhost_user_unwatch_first_kick(vhost);
	vhost->kicked = true;
	if (untouched(vhost))
		evtimer_add(vhost->memory_check, &(struct timeval){.tv_sec = BUFFER_SECONDS});
}

/* A driver kicks only once it has set DRIVER_OK (VIRTIO 1.3, section 3.1.1). What comes before is
 * its VMM's: QEMU 11 kicks each ring between its SET_VRING_KICK and its SET_VRING_CALL. A VMM that
 * does not tell us the status is taken to start rings when its driver is ready. */
static bool driver_may_kick(const struct vhost_user_port *vhost)
{
	return vhost->backend.status & VIRTIO_CONFIG_S_DRIVER_OK ||
	       !(vhost->backend.protocol_features & BIT64(VHOST_PROTOCOL_STATUS));
}

void vhost_user_watch_first_kick(struct vhost_user_port *vhost)
{
	int fd = vhost->backend.rings[0].kick_fd;

	vhost_user_unwatch_first_kick(vhost);
	vhost->kicked = false;
	if (fd < 0)
		return;
	vhost->first_kick = edge_watch(fd);
	if (vhost->first_kick >= 0)
		vhost_user_heed_first_kick(vhost);
}

void vhost_user_heed_first_kick(struct vhost_user_port *vhost)
{
	if (vhost->first_kick < 0 || vhost->first_kick_event)
		return;
	/* What was sent before this message is over. What came since the last one before
	 * DRIVER_OK stays to be seen: the guest may have run on before we read of that. */
	if (!driver_may_kick(vhost)) {
		edge_seen(vhost->first_kick);
		return;
	}
	vhost->first_kick_event = event_new(event_get_base(vhost->memory_check), vhost->first_kick,
		EV_READ, first_kick_event, vhost);
	if (vhost->first_kick_event)
		event_add(vhost->first_kick_event, NULL);
}

void vhost_user_unwatch_first_kick(struct vhost_user_port *vhost)
{
	if (vhost->first_kick_event)
		event_free(vhost->first_kick_event);
	vhost->first_kick_event = NULL;
	fd_close(&vhost->first_kick);
}

void vhost_user_memory_check(struct vhost_user_port *vhost)
{
	if (memory_missing(vhost) || memory_foreign(vhost))
		vhost_user_problem(vhost, VHOST_USER_PROBLEM_MEMORY,
			"the guest's driver started, but the VM does not share its memory, so no "
			"frame can pass: give QEMU '-object memory-backend-memfd,id=mem0,size=SIZE,"
			"share=on' and '-machine memory-backend=mem0' (libvirt: <access "
			"mode='shared'/> in <memoryBacking>; Cloud Hypervisor: --memory "
			"shared=on)");
}

void vhost_user_problem_status(
	const struct vhost_user_port *vhost, struct vhost_user_status *status)
{
	const struct vhost_user_problem *problem = &vhost->problem;
	bool over = problem->kind == VHOST_USER_PROBLEM_MEMORY && vhost->memory &&
		    vhost_endpoint_connected(vhost->endpoint) && !memory_foreign(vhost);

	status->state = vhost_user_state(vhost);
	status->problem = vhost_endpoint_problem(vhost->endpoint, &status->problem_age);
	/* Who cannot come has no other. */
	if (status->problem)
		return;
	if (problem->kind == VHOST_USER_PROBLEM_NONE || over)
		return;
	status->problem = problem->text.text;
	status->problem_age = (unsigned)((clock_now_ns() - problem->since) / NS_PER_SECOND);
}

/* Queue pairs that the VMM knows: QEMU sets the call descriptors of all at the start. */
static unsigned known_pairs(const struct vhost_user_port *vhost)
{
	for (unsigned i = vhost->backend.ring_limit; i-- > 0;) {
		const struct vhost_ring *ring = &vhost->backend.rings[i];

		if (ring->call_fd >= 0 || ring->error_fd >= 0 || ring->size || ring->enable_asked)
			return i / 2 + 1;
	}
	return 0;
}

int vhost_user_keeps_promise(
	const struct port *port, const struct vhost_user_options *options, struct error *error)
{
	const struct vhost_user_port *vhost = vhost_user_port(port);
	unsigned pairs;
	int peer;

	if (!vhost_endpoint_connected(vhost->endpoint))
		return 0;
	peer = vhost_endpoint_peer_pid(vhost->endpoint);
	if (strcmp(options->socket, vhost->socket) != 0 || options->mode != vhost->options.mode)
		return error_set(error, -EBUSY,
			"its VM (pid %d) knows the socket %s, %s: its VMM must be restarted with "
			"the new one",
			peer, vhost->socket,
			vhost->options.mode == VHOST_USER_CLIENT ? "where it listens"
								 : "to which it connects");
	pairs = MIN(known_pairs(vhost), vhost->options.queues);
	if (vhost->backend.features & BIT64(VIRTIO_NET_F_MQ))
		pairs = MAX(pairs, 2);
	if (options->queues < pairs)
		return error_set(error, -EBUSY,
			"its VM (pid %d) was promised %u queue pairs, not %u: its VMM must be "
			"restarted",
			peer, pairs, options->queues);
	if (options->mtu && vhost->told_mtu > options->mtu)
		return error_set(error, -EBUSY,
			"its VM (pid %d) was promised an MTU of %u, not %u: its VMM must be "
			"restarted",
			peer, vhost->told_mtu, options->mtu);
	return 0;
}

void vhost_user_break_promise(struct port *port, const char *words)
{
	vhost_user_problem(vhost_user_port(port), VHOST_USER_PROBLEM_PROMISE, "%s", words);
}
