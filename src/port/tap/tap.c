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

/* From now on no worker touches the queues. */
void tap_port_unpublish(struct tap_port *tap)
{
	if (!tap->live)
		return;
	rcu_publish(&tap->live, NULL);
	rcu_wait();
}

void tap_port_publish(struct tap_port *tap)
{
	if (tap->live)
		return;
	rcu_publish(&tap->live, tap->queues);
	if (tap->notifier)
		tap->notifier->poke(tap->notifier->owner, &tap->port);
}

void tap_port_put_down(struct tap_port *tap)
{
	tap_port_unpublish(tap);
	for (unsigned i = 0; tap->queues && i < tap->port.queue_count; i++)
		tap_queue_close(tap, i);
	tap->carried = false;
}

int tap_port_carry(struct tap_port *tap, struct error *error)
{
	int status = 0;

	tap->carried = true;
	for (unsigned i = 0; i < tap->port.queue_count && status == 0; i++)
		status = tap_queue_open(tap, i, error);
	if (status < 0)
		tap_port_put_down(tap);
	return status;
}

void tap_port_detach(struct tap_port *tap)
{
	tap_port_put_down(tap);
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

int tap_port_attach(struct tap_port *tap, enum tap_attach how, struct error *error)
{
	struct host_tap request = tap->settings;
	int status;

	request.existing = how == TAP_ATTACH_EXISTING;
	request.at_once = how != TAP_ATTACH_FIRST;
	status = host_tap_open(&request, &tap->tap, error);
	if (status < 0)
		return status;
	tap->opened = true;
	status = tap_set_offloads(&tap->tap, tap->tap.offloads, TAP_HEADER_SIZE, error);
	if (status == 0)
		status = tap_port_carry(tap, error);
	tap->requests = tap->abilities = offloads_of(tap->tap.offloads);
	if (status < 0)
		tap_port_detach(tap);
	return status;
}

static void tap_destroy(struct port *port)
{
	struct tap_port *tap = tap_port(port);

	tap_port_detach(tap);
	port_interface_stop(&tap->interface);
	if (tap->retry)
		event_free(tap->retry);
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
		tap->queues[i].rooms = rooms_new();
		if (!tap->queues[i].rooms)
			return -ENOMEM;
	}
	return 0;
}

/* Sets the interface as the settings say, which were `old` before. */
static int set(struct tap_port *tap, const struct host_tap *old, enum tap_setting *failed,
	struct error *error)
{
	int status = host_tap_change(&tap->tap, old, &tap->settings, &tap->change, error);

	*failed = tap->change.failed;
	return status;
}

/* The watch comes first: nothing happens to the interface that it does not see. */
static int start(struct tap_port *tap, enum tap_setting *failed, struct error *error)
{
	static const struct host_tap nothing;
	int status = port_interface_watch(&tap->interface, error);

	*failed = TAP_SETTING_NETNS;
	if (status < 0)
		return status;
	status = tap_port_attach(tap, TAP_ATTACH_FIRST, error);
	*failed = tap->tap.failed;
	if (status == 0)
		status = set(tap, &nothing, failed, error);
	if (status == 0)
		tap_port_review(tap);
	return status;
}

/* What start() does, as far as it goes: the rest is a problem, and tried for again. */
static void restore(struct tap_port *tap)
{
	tap->make = true;
	tap->state = TAP_PORT_AWAY;
	tap_port_review(tap);
}

struct port *tap_port_new(struct event_base *base, const struct port_notifier *notifier,
	const char *name, uint16_t index, const struct host_tap *settings,
	enum tap_port_vhost vhost, enum tap_port_start begin, enum tap_setting *failed,
	struct error *error)
{
	size_t size = (sizeof(struct tap_port) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	struct tap_port *tap = aligned_alloc(CACHE_LINE, size);
	enum tap_setting ignored;
	int status;

	if (!failed)
		failed = &ignored;
	*failed = TAP_SETTING_NAME;
	if (!tap) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	memset(tap, 0, size);
	tap->base = base;
	port_interface_init(&tap->interface, base, &tap->port, &tap_port_interface_ops, tap);
	tap->interface.name = tap->settings.name;
	tap->interface.netns = tap->settings.netns;
	tap->vhost = vhost;
	tap->notifier = notifier;
	tap->settings = *settings;
	tap->settings.offload = true;
	if (!settings->queues || settings->queues > TAP_PORT_QUEUES_MAX)
		status = error_set(error, -EINVAL, "a TAP port has 1 to %u queues, not %u",
			TAP_PORT_QUEUES_MAX, settings->queues);
	else
		status = allocate(tap, name, index);
	if (status == 0)
		status = tap_port_start_timers(tap);
	if (status == -ENOMEM)
		error_set(error, status, "out of memory");
	if (status == 0 && begin == TAP_PORT_RESTORED)
		restore(tap);
	else if (status == 0)
		status = start(tap, failed, error);
	if (status < 0) {
		tap_destroy(&tap->port);
		return NULL;
	}
	return &tap->port;
}

/* Says what was put right. True where something was. */
static bool tell_mended(const struct tap_port *tap, uint64_t returns)
{
	const char *mended = tap->change.mended.text;

	if (tap->returns != returns && !tap->tap.found)
		log_warning("port %s: interface %s was gone: made again", tap->port.name,
			tap->settings.name);
	if (*mended)
		log_info("port %s: interface %s was changed by somebody else, and is as it was "
			 "again: %s",
			tap->port.name, tap->settings.name, mended);
	return *mended || tap->returns != returns;
}

int tap_port_change(struct port *port, const struct host_tap *settings, enum tap_setting *failed,
	struct error *error)
{
	struct tap_port *tap = tap_port(port);
	const struct host_tap old = tap->settings;
	uint64_t returns = tap->returns;
	int status;

	/* First what it was: with that nothing can be refused. */
	tap->make = true;
	tap->retry_ms = 0;
	evtimer_del(tap->retry);
	tap_port_review(tap);
	/* One that is elsewhere comes back by itself. */
	tap->make &= !tap->opened;
	tap->settings = *settings;
	tap->settings.offload = true;
	if (tap->state == TAP_PORT_AWAY) {
		tap->change = (struct tap_change){.failed = TAP_SETTING_NAME};
		return tap->returns != returns;
	}
	status = set(tap, &old, failed, error);
	if (status < 0) {
		tap->settings = old;
		return status;
	}
	tap_port_review(tap);
	return tell_mended(tap, returns);
}

void tap_port_undo(struct port *port, const struct host_tap *settings)
{
	struct tap_port *tap = tap_port(port);
	struct error error;

	if (settings) {
		tap->settings = *settings;
		tap->settings.offload = true;
	}
	if (!tap->opened || tap->state == TAP_PORT_AWAY)
		return;
	if (host_tap_undo(&tap->tap, &tap->settings, &tap->change, &error) < 0)
		log_warning("port %s: %s", port->name, error.text);
	if (settings)
		tap_port_review(tap);
}

bool tap_port_address(const struct port *port, struct link_address *address)
{
	struct tap_port_status status;

	tap_port_status(port, &status);
	return status.state == TAP_PORT_RUNNING &&
	       host_tap_address(&tap_port(port)->settings, address) == 0;
}

void tap_port_status(const struct port *port, struct tap_port_status *status)
{
	const struct tap_port *tap = tap_port(port);

	*status = (struct tap_port_status){
		.state = tap->state,
		.problem = *tap->interface.problem.text ? tap->interface.problem.text : NULL,
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
		status->problem_age = port_interface_problem_age(&tap->interface);
}
