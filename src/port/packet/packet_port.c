/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/packet/packet_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/rcu.h"
#include "port/packet/packet_port_private.h"

const char *const packet_port_state_names[] = {
	[PACKET_PORT_RUNNING] = "running",
	[PACKET_PORT_NO_CARRIER] = "no-carrier",
	[PACKET_PORT_DOWN] = "down",
	[PACKET_PORT_AWAY] = "away",
};

static void problem(struct packet_port *self, enum packet_port_state state, const char *words)
{
	self->state = state;
	port_interface_problem(&self->interface, words);
}

/* From now on no worker touches the queue. */
static void unpublish(struct packet_port *self)
{
	if (!self->live)
		return;
	rcu_publish(&self->live, NULL);
	rcu_wait();
}

static void publish(struct packet_port *self)
{
	if (self->live)
		return;
	rcu_publish(&self->live, &self->queue);
	if (self->notifier)
		self->notifier->poke(self->notifier->owner, &self->port);
}

static void detach(struct packet_port *self)
{
	struct packet_queue *queue = &self->queue;

	unpublish(self);
	if (self->watched)
		self->notifier->unwatch(self->notifier->owner, &self->port, 0, queue->fd);
	self->watched = false;
	if (queue->ring)
		munmap(queue->ring, (size_t)queue->slot_size * queue->slot_count);
	queue->ring = NULL;
	queue->fd = -1;
	if (self->opened)
		packet_socket_close(&self->socket);
	self->opened = false;
}

/* Gets the interface and readies the queue; it is not published yet. */
static int attach(struct packet_port *self, struct error *error)
{
	struct packet_queue *queue = &self->queue;
	struct packet_socket *socket = &self->socket;
	void *ring;
	int status = host_packet_open(&self->settings, socket, error);

	if (status < 0)
		return status;
	self->opened = true;
	queue->fd = socket->fd;
	queue->slot_size = socket->slot_size;
	queue->slot_count = socket->slot_count;
	queue->next = queue->first = 0;
	ring = mmap(NULL, (size_t)queue->slot_size * queue->slot_count, PROT_READ | PROT_WRITE,
		MAP_SHARED, queue->fd, 0);
	if (ring == MAP_FAILED)
		status = error_set_errno(error, -errno, "cannot map the ring of a packet socket");
	else
		queue->ring = ring;
	if (status == 0 && self->notifier) {
		status = self->notifier->watch(self->notifier->owner, &self->port, 0, queue->fd);
		self->watched = status == 0;
		if (status < 0)
			error_set_errno(error, status, "cannot watch a packet socket");
	}
	self->offloads = OFFLOAD_CHECKSUM | OFFLOAD_TCP | OFFLOAD_ECN;
	if (socket->udp)
		self->offloads |= OFFLOAD_UDP;
	if (status < 0)
		detach(self);
	return status;
}

static void use_mtu(struct packet_port *self, unsigned mtu)
{
	/* One of 65,535 bytes is all that a frame can hold. */
	unsigned known = MIN(mtu, UINT16_MAX);

	__atomic_store_n(
		&self->frame_length_max, egress_frame_length((uint16_t)known), __ATOMIC_RELAXED);
}

/* The interface is here, and this is what the kernel shows of it. */
static void here(struct packet_port *self, const struct link *link)
{
	struct error words;

	self->link = *link;
	self->unseen = false;
	use_mtu(self, link->mtu);
	if (link->up && link->carrier)
		publish(self);
	else
		unpublish(self);
	error_set(&words, 0, "interface %s %s", self->settings.name,
		link->up ? "has no carrier" : "is not up");
	if (!link->up)
		problem(self, PACKET_PORT_DOWN, words.text);
	else if (!link->carrier)
		problem(self, PACKET_PORT_NO_CARRIER, words.text);
	else
		problem(self, PACKET_PORT_RUNNING, self->interface.unwatched.text);
}

/* It is not; what it is now called in this namespace, "" where it is not even there. Its stack has
 * it back. */
static void away(struct packet_port *self, const char *name)
{
	const char *wanted = self->settings.name;
	struct error words;

	detach(self);
	self->link = (struct link){0};
	if (*name)
		error_set(&words, 0, "interface %s was renamed to %s", wanted, name);
	else
		error_set(&words, 0,
			"interface %s was deleted, or moved to another network namespace", wanted);
	problem(self, PACKET_PORT_AWAY, words.text);
}

/* Attempts that fail make news of the interface themselves, and its namespace can make more: the
 * next one waits, twice as long each time; but the first time not for another interface. */
#define RETRY_MS_MIN 50u
#define RETRY_MS_MAX 16000u

/* There is an interface of our name again. */
static void take_another(struct packet_port *self, const struct link *link)
{
	bool other = self->retry_ms == RETRY_MS_MIN && link->index != self->failed_index;
	struct timeval wait;
	struct error error;
	int status;

	if (evtimer_pending(self->retry, NULL) && !other)
		return;
	status = attach(self, &error);
	if (status < 0) {
		problem(self, PACKET_PORT_AWAY, error.text);
		self->failed_index = link->index;
		self->retry_ms = MIN(MAX(2 * self->retry_ms, RETRY_MS_MIN), RETRY_MS_MAX);
		wait.tv_sec = self->retry_ms / 1000;
		wait.tv_usec = self->retry_ms % 1000 * 1000;
		evtimer_add(self->retry, &wait);
		return;
	}
	self->retry_ms = 0;
	self->returns++;
	here(self, &self->socket.link);
}

/* Something happened to an interface that may be ours. What counts is how things are now, not what
 * the news says: it may be old, of an interface that is gone meanwhile. Where a look fails for want
 * of memory or descriptors nobody knows: as it was, until the next one. */
static void review(void *owner)
{
	struct packet_port *self = owner;
	struct link link = {0}, own = {0};
	struct error words;
	int status;
	bool named;

	if (!port_interface_follow(&self->interface))
		return;
	status = host_packet_look(&self->settings, &link);
	named = status == 0;
	if (self->opened && (named || status == -ENODEV) && packet_socket_here(&self->socket)) {
		if (named && link.index == self->socket.link.index) {
			self->interface.unsure = false;
			here(self, &link);
			return;
		}
		status = host_packet_look_index(&self->settings, self->socket.link.index, &own);
	}
	self->interface.unsure = status < 0 && status != -ENODEV;
	if (self->interface.unsure)
		return;
	if (self->opened)
		away(self, own.name);
	if (named) {
		take_another(self, &link);
	} else if (self->unseen) {
		error_set(&words, 0, "there is no interface %s", self->settings.name);
		problem(self, PACKET_PORT_AWAY, words.text);
	}
}

static void retry_event(evutil_socket_t fd, short what, void *argument)
{
	review(argument);
}

static bool concerns(const void *owner, const struct link *link)
{
	const struct packet_port *self = owner;

	return strcmp(link->name, self->settings.name) == 0 ||
	       (self->opened && link->index == self->socket.link.index);
}

static void leave_namespace(void *owner)
{
	struct packet_port *self = owner;

	detach(self);
	self->link = (struct link){0};
	self->unseen = true;
	self->retry_ms = 0;
	evtimer_del(self->retry);
}

static void no_namespace(void *owner, const char *words)
{
	problem(owner, PACKET_PORT_AWAY, words);
}

static const struct port_interface_ops interface_ops = {
	.concerns = concerns,
	.leave = leave_namespace,
	.away = no_namespace,
	.review = review,
};

static void destroy(struct port *port)
{
	struct packet_port *self = packet_port(port);

	detach(self);
	port_interface_stop(&self->interface);
	if (self->retry)
		event_free(self->retry);
	if (self->queue.tails)
		munmap(self->queue.tails, PACKET_BATCH * PACKET_TAIL_STRIDE);
	port_fini(port);
	free(self);
}

static const struct port_class packet_class = {
	.type = "packet",
	.receive = packet_port_receive,
	.release = packet_port_release,
	.send = packet_port_send,
	.arm = packet_port_arm,
	.disarm = packet_port_disarm,
	.answers = true, /* the other end of a veth runs in the call that sends */
	.destroy = destroy,
};

/* Pages of the room for long frames become resident as those are many. */
static int allocate(struct packet_port *self, const char *name, uint16_t index)
{
	int status = port_init(&self->port, &packet_class, name, index, 1);
	void *tails;

	if (status < 0)
		return status;
	tails = mmap(NULL, PACKET_BATCH * PACKET_TAIL_STRIDE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (tails == MAP_FAILED)
		return -ENOMEM;
	self->queue.tails = tails;
	return 0;
}

/* The watch comes first: nothing happens to the interface that it does not see. */
static int start(struct packet_port *self, struct error *error)
{
	int status = port_interface_watch(&self->interface, error);

	if (status == 0)
		status = attach(self, error);
	if (status == 0)
		here(self, &self->socket.link);
	return status;
}

/* What start() does, as far as it goes: the rest is a problem, and tried for again. */
static void restore(struct packet_port *self)
{
	self->state = PACKET_PORT_AWAY;
	self->unseen = true;
	review(self);
}

struct port *packet_port_new(struct event_base *base, const struct port_notifier *notifier,
	const char *name, uint16_t index, const struct host_packet *settings, bool restored,
	struct error *error)
{
	size_t size = (sizeof(struct packet_port) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	struct packet_port *self = aligned_alloc(CACHE_LINE, size);
	int status;

	if (!self) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	memset(self, 0, size);
	self->queue.fd = -1;
	self->notifier = notifier;
	self->settings = *settings;
	port_interface_init(&self->interface, base, &self->port, &interface_ops, self);
	self->interface.name = self->settings.name;
	self->interface.netns = self->settings.netns;
	status = allocate(self, name, index);
	self->retry = evtimer_new(base, retry_event, self);
	if (status == 0)
		status = self->retry ? port_interface_start(&self->interface) : -ENOMEM;
	if (status < 0)
		error_set(error, status, "out of memory");
	else if (restored)
		restore(self);
	else
		status = start(self, error);
	if (status < 0) {
		destroy(&self->port);
		return NULL;
	}
	return &self->port;
}

int packet_port_change(struct port *port, const struct host_packet *settings, struct error *error)
{
	struct packet_port *self = packet_port(port);

	self->retry_ms = 0;
	evtimer_del(self->retry);
	review(self);
	self->settings = *settings;
	return self->opened ? host_packet_change(&self->settings, error) : 0;
}

void packet_port_status(const struct port *port, struct packet_port_status *status)
{
	const struct packet_port *self = packet_port(port);

	*status = (struct packet_port_status){
		.state = self->state,
		.problem = *self->interface.problem.text ? self->interface.problem.text : NULL,
		.ifindex = self->link.index,
		.carrier = self->link.carrier && self->link.up,
		.mtu = self->link.mtu,
		.guarded = self->opened && self->socket.guard >= 0,
		.offloads = self->offloads,
		.returns = self->returns,
	};
	memcpy(status->mac, self->link.mac, MAC_SIZE);
	if (status->problem)
		status->problem_age = port_interface_problem_age(&self->interface);
}
