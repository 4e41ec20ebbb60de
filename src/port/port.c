/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int port_init(struct port *port, const struct port_class *class, const char *name, uint16_t index,
	uint16_t queue_count)
{
	port->class = class;
	port->index = index;
	port->queue_count = queue_count;
	port->bases = NULL;
	snprintf(port->name, sizeof(port->name), "%s", name);
	port->counters = aligned_alloc(CACHE_LINE, queue_count * sizeof(*port->counters));
	if (!port->counters)
		return -ENOMEM;
	memset(port->counters, 0, queue_count * sizeof(*port->counters));
	return 0;
}

void port_fini(struct port *port)
{
	free(port->bases);
	free(port->counters);
	port->bases = NULL;
	port->counters = NULL;
}

static void read_queue(const struct port_queue_counters *queue, struct port_totals *totals)
{
	*totals = (struct port_totals){
		.rx_packets = counter_read(&queue->rx.packets),
		.rx_bytes = counter_read(&queue->rx.bytes),
		.tx_packets = counter_read(&queue->tx.packets),
		.tx_bytes = counter_read(&queue->tx.bytes),
		.worker_cycles = counter_read(&queue->worker_cycles),
	};
	for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
		totals->drops[reason] = counter_read(&queue->rx.drops[reason]) +
					counter_read(&queue->tx.drops[reason]);
}

/* Adds or takes away (modulo 2^64, which undoes itself). */
static void add_totals(struct port_totals *totals, const struct port_totals *other, bool subtract)
{
	const uint64_t factor = subtract ? UINT64_MAX : 1;

	totals->rx_packets += factor * other->rx_packets;
	totals->rx_bytes += factor * other->rx_bytes;
	totals->tx_packets += factor * other->tx_packets;
	totals->tx_bytes += factor * other->tx_bytes;
	totals->worker_cycles += factor * other->worker_cycles;
	for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
		totals->drops[reason] += factor * other->drops[reason];
}

void port_queue_totals(const struct port *port, unsigned queue, struct port_totals *totals)
{
	read_queue(&port->counters[queue], totals);
	if (port->bases)
		add_totals(totals, &port->bases[queue], true);
}

void port_totals(const struct port *port, struct port_totals *totals)
{
	memset(totals, 0, sizeof(*totals));
	for (unsigned i = 0; i < port->queue_count; i++) {
		struct port_totals queue;

		port_queue_totals(port, i, &queue);
		add_totals(totals, &queue, false);
	}
}

int port_reset_totals(struct port *port)
{
	if (!port->bases)
		port->bases = calloc(port->queue_count, sizeof(*port->bases));
	if (!port->bases)
		return -ENOMEM;
	for (unsigned i = 0; i < port->queue_count; i++)
		read_queue(&port->counters[i], &port->bases[i]);
	return 0;
}
