/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The networks that have services, and what they have been through: a list, made anew at each
 * change of the configuration, which takes over from the one before. The leases of a network whose
 * DHCP is switched off, or that is gone, are kept while any of them holds: it *rests*. Its guests
 * have their addresses still, so they are nobody else's when it is back. Control thread.
 */
#ifndef VSW_CONTROL_SERVICE_NETWORKS_H
#define VSW_CONTROL_SERVICE_NETWORKS_H

#include "base/log.h"
#include "control/dhcp_settings.h"
#include "control/model.h"
#include "control/ra_settings.h"
#include "service/leases.h"

struct service_network {
	char name[MODEL_NAME_SIZE];
	uint16_t index;
	unsigned services; /* TOPOLOGY_...; 0: it rests, and only its leases are kept */
	uint32_t address;  /* of the server */
	uint8_t mac[MAC_SIZE];
	struct dhcp_settings dhcp;
	struct leases *leases; /* empty where there was never DHCP */
	struct ra_settings ra;
	struct ra_schedule schedule;
	uint64_t refused, limited;
	struct log_limit full, denied;
};

/* All zero: empty. */
struct service_networks {
	struct service_network *of;
	unsigned count, room;
};

/* 0 or -errno. */
int service_networks_add(struct service_networks *networks, const struct model *model,
	const struct model_network *network, uint16_t index);
/* One that rests, without leases yet. NULL where memory is short. */
struct service_network *service_networks_add_resting(
	struct service_networks *networks, const char *name);
/* Room for so many more. False where memory is short. */
bool service_networks_reserve(struct service_networks *networks, unsigned more);

struct service_network *service_networks_find(
	const struct service_networks *networks, const char *name);

/* Ends what is over, and drops networks that rest and have nothing left. */
void service_networks_expire(struct service_networks *networks, uint64_t now);

/* Takes over what the same networks had, and those that rest from now on, for which there must be
 * room. Frees the old ones. */
void service_networks_succeed(struct service_networks *networks, struct service_networks *old);

void service_networks_fini(struct service_networks *networks);

#endif
