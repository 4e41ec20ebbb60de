/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data side of the vhost-user port; see port/vhost_user/vhost_user_private.h for who may touch
 * what.
 */
#include "base/fd.h"
#include "base/rcu.h"
#include "packet/fate.h"
#include "packet/parse.h"
#include "port/vhost_user/vhost_user_private.h"

/* Tells the control thread, once a ring's life, that the ring has failed. */
static void report_failure(struct vhost_user_port *vhost, struct vhost_user_ring *ring)
{
	if (__atomic_load_n(&ring->broken, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&ring->broken, true, __ATOMIC_RELEASE);
	fd_signal(vhost->attention_fd);
}

void vhost_user_receive(struct port *port, unsigned queue, struct packet_batch *batch)
{
	struct vhost_user_port *vhost = vhost_user_port(port);
	struct vhost_user_pair *pair = &vhost->pairs[queue];
	struct net_device_queue *device = rcu_read(&pair->receive);

	batch->source = device;
	if (!device)
		return;
	net_device_receive(device, batch, &port->counters[queue].rx);
	if (unlikely(device_ring_broken(&device->ring)))
		report_failure(vhost, &pair->receive_ring);
}

/* Interrupts the guest. A system call: what reading the clock costs does not matter beside it. What
 * it takes is counted as the notification's, and a guest whose signals are slow gets them later. */
static void notify(struct vhost_user_ring *ring, struct packet_batch *batch)
{
	batch->kick_cycles += bell_ring(&ring->bell);
}

void vhost_user_release(struct port *port, unsigned queue, struct packet_batch *batch)
{
	/* Not read anew: the ring may have been unpublished meanwhile, but until this worker has
	 * passed it is still there, and what was taken must be given back. */
	struct net_device_queue *device = batch->source;

	if (device && net_device_release(device))
		notify(&vhost_user_port(port)->pairs[queue].receive_ring, batch);
}

/* Nobody is there. A frame that was for this port alone is lost; of what goes to every port, others
 * have copies. */
static void drop_all(struct vhost_user_port *vhost, const struct packet_batch *batch, uint64_t mask)
{
	struct counters *counters = &vhost->port.counters[0].tx;

	spinlock_lock(&vhost->pairs[0].lock);
	packet_drop(batch, mask & ~batch->flooded, DROP_RECEIVER_NOT_READY, counters);
	packet_drop(batch, mask & batch->flooded, DROP_FLOODED_NOT_READY, counters);
	spinlock_unlock(&vhost->pairs[0].lock);
}

static void send_to_pair(
	struct vhost_user_port *vhost, unsigned index, struct packet_batch *batch, uint64_t mask)
{
	struct vhost_user_pair *pair = &vhost->pairs[index];
	struct vhost_user_ring *ring = &pair->send_ring;
	bool signal, broken;

	spinlock_lock(&pair->lock);
	signal = net_device_send(&ring->queue, batch, mask, &vhost->port.counters[index].tx);
	broken = device_ring_broken(&ring->queue.ring);
	spinlock_unlock(&pair->lock);
	if (signal)
		notify(ring, batch);
	if (unlikely(broken))
		report_failure(vhost, ring);
}

/* Spreads flows over the receiver's queues: the frames of a flow, in either direction, use one. */
static void send_spread(struct vhost_user_port *vhost, const struct vhost_user_senders *senders,
	struct packet_batch *batch, uint64_t mask)
{
	uint64_t masks[PORT_QUEUE_MAX] = {0};
	unsigned i;

	PACKET_MASK_FOR_EACH (i, mask) {
		struct packet *packet = &batch->packets[i];

		packet_parse(packet);
		masks[(uint64_t)packet->flow_hash * senders->count >> 32] |= 1ULL << i;
	}
	for (i = 0; i < senders->count; i++)
		if (masks[i])
			send_to_pair(vhost, senders->pairs[i], batch, masks[i]);
}

void vhost_user_send(struct port *port, struct packet_batch *batch, uint64_t mask)
{
	struct vhost_user_port *vhost = vhost_user_port(port);
	const struct vhost_user_senders *senders = rcu_read(&vhost->senders);

	if (unlikely(!senders))
		drop_all(vhost, batch, mask);
	else if (likely(senders->count == 1))
		send_to_pair(vhost, senders->pairs[0], batch, mask);
	else
		send_spread(vhost, senders, batch, mask);
}

void vhost_user_expect(struct port *port)
{
	struct vhost_user_port *vhost = vhost_user_port(port);
	const struct vhost_user_senders *senders = rcu_read(&vhost->senders);

	/* Which of several queues a frame will use, nobody knows before it is read. */
	if (likely(senders && senders->count == 1))
		net_outlook_fetch(&vhost->pairs[senders->pairs[0]].send_ring.queue.outlook);
}

enum port_arm vhost_user_arm(struct port *port, unsigned queue)
{
	struct vhost_user_port *vhost = vhost_user_port(port);
	struct vhost_user_pair *pair = &vhost->pairs[queue];
	struct net_device_queue *device = rcu_read(&pair->receive);

	if (!device)
		return PORT_ARMED;
	if (device_ring_arm(&device->ring))
		return PORT_PENDING;
	if (unlikely(device_ring_broken(&device->ring)))
		report_failure(vhost, &pair->receive_ring);
	return pair->polled ? PORT_TIMED : PORT_ARMED;
}

void vhost_user_disarm(struct port *port, unsigned queue)
{
	struct net_device_queue *device = rcu_read(&vhost_user_port(port)->pairs[queue].receive);

	if (device)
		device_ring_disarm(&device->ring);
}
