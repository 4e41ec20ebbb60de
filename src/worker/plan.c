/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/plan.h"

#include <stdlib.h>

static unsigned count_visits(const struct plan *plan, unsigned worker)
{
	unsigned count = 0;

	for (unsigned i = 0; i < plan->port_count; i++)
		for (unsigned q = 0; plan->ports[i] && q < plan->ports[i]->queue_count; q++)
			count += plan_assignment(plan->worker_count, (uint16_t)i, q) == worker;
	return count;
}

static bool fill_roster(struct plan *plan, unsigned worker)
{
	struct roster *roster = &plan->rosters[worker];
	unsigned count = count_visits(plan, worker);

	roster->visits = calloc(count + 1, sizeof(*roster->visits));
	roster->polled = calloc(count + 1, sizeof(struct visit *));
	roster->first = calloc(plan->port_count + 1, sizeof(*roster->first));
	if (!roster->visits || !roster->polled || !roster->first)
		return false;
	for (unsigned i = 0; i < plan->port_count; i++) {
		roster->first[i] = roster->count;
		for (unsigned q = 0; plan->ports[i] && q < plan->ports[i]->queue_count; q++) {
			if (plan_assignment(plan->worker_count, (uint16_t)i, q) != worker)
				continue;
			roster->visits[roster->count++] = (struct visit){
				.port = plan->ports[i],
				.queue = (uint16_t)q,
				.frames_max = PACKET_BATCH,
			};
		}
	}
	roster->first[plan->port_count] = roster->count;
	roster->least = UINT64_MAX;
	return true;
}

struct plan *plan_new(struct snapshot *snapshot, struct port *const *ports, unsigned port_count,
	unsigned worker_count)
{
	struct plan *plan = calloc(1, sizeof(*plan) + worker_count * sizeof(plan->rosters[0]));

	if (!plan)
		return NULL;
	plan->worker_count = worker_count;
	plan->port_count = snapshot->topology.port_count;
	plan->ports = calloc(plan->port_count + 1, sizeof(struct port *));
	if (!plan->ports)
		goto free_plan;
	for (unsigned i = 0; i < port_count; i++)
		if (ports[i]->index < plan->port_count)
			plan->ports[ports[i]->index] = ports[i];
	for (unsigned i = 0; i < worker_count; i++)
		if (!fill_roster(plan, i))
			goto free_plan;
	plan->snapshot = snapshot;
	return plan;

free_plan:
	plan_free(plan);
	return NULL;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (unsigned i = 0; i < plan->worker_count; i++) {
		free(plan->rosters[i].visits);
		free(plan->rosters[i].polled);
		free(plan->rosters[i].first);
	}
	snapshot_free(plan->snapshot);
	free(plan->ports);
	free(plan);
}

struct visit *roster_find(
	const struct plan *plan, struct roster *roster, uint16_t port, uint16_t queue)
{
	if (port >= plan->port_count)
		return NULL;
	for (unsigned i = roster->first[port]; i < roster->first[port + 1]; i++)
		if (roster->visits[i].queue == queue)
			return &roster->visits[i];
	return NULL;
}
