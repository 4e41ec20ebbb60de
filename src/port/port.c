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
	snprintf(port->name, sizeof(port->name), "%s", name);
	port->counters = aligned_alloc(CACHE_LINE, queue_count * sizeof(*port->counters));
	if (!port->counters)
		return -ENOMEM;
	memset(port->counters, 0, queue_count * sizeof(*port->counters));
	return 0;
}

void port_fini(struct port *port)
{
	free(port->counters);
	port->counters = NULL;
}

void port_totals(const struct port *port, struct port_totals *totals)
{
	memset(totals, 0, sizeof(*totals));
	for (unsigned i = 0; i < port->queue_count; i++) {
		const struct port_queue_counters *queue = &port->counters[i];

		totals->rx_packets += counter_read(&queue->rx.packets);
		totals->rx_bytes += counter_read(&queue->rx.bytes);
		totals->tx_packets += counter_read(&queue->tx.packets);
		totals->tx_bytes += counter_read(&queue->tx.bytes);
		for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
			totals->drops[reason] += counter_read(&queue->rx.drops[reason]) +
						 counter_read(&queue->tx.drops[reason]);
	}
}
