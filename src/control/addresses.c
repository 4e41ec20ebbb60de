/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/addresses.h"

#include <string.h>

#include "base/log.h"

bool addresses_outdated(const struct model_port *old, const struct model_port *new)
{
	if (strcmp(old->network, new->network) != 0 || strcmp(old->native, new->native) != 0 ||
		old->trunk.count != new->trunk.count || old->mac.set != new->mac.set ||
		memcmp(old->mac.bytes, new->mac.bytes, sizeof(old->mac.bytes)) != 0)
		return true;
	for (unsigned i = 0; i < old->trunk.count; i++)
		if (strcmp(old->trunk.of[i], new->trunk.of[i]) != 0)
			return true;
	return false;
}

/* A port's configured address as a static entry of the FDB. */
struct binding {
	uint8_t mac[6];
	uint16_t network;
	uint16_t port;
};

static bool binding_of(const struct runtime_state *state, unsigned i, struct binding *binding)
{
	const struct model_port *port = &state->model.ports[i];

	if (!port->mac.set || !*port->network)
		return false;
	memcpy(binding->mac, port->mac.bytes, sizeof(binding->mac));
	binding->network = state->networks[runtime_find_network(state, port->network)];
	binding->port = state->ports[i].index;
	return true;
}

static bool same_binding(
	const struct runtime_state *state, const char *name, const struct binding *binding)
{
	struct binding other;
	int i = runtime_find_port(state, name);

	return i >= 0 && binding_of(state, (unsigned)i, &other) &&
	       memcmp(&other, binding, sizeof(other)) == 0;
}

/* Static entries that are gone first: their addresses may have moved to another port. */
void addresses_rebind(
	struct fdb *fdb, const struct runtime_state *old, const struct runtime_state *next)
{
	struct binding binding;

	for (unsigned i = 0; i < old->model.port_count; i++)
		if (binding_of(old, i, &binding) &&
			!same_binding(next, old->model.ports[i].name, &binding))
			fdb_unbind(fdb, binding.network, binding.mac, binding.port);
	for (unsigned i = 0; i < next->model.port_count; i++) {
		const char *name = next->model.ports[i].name;

		if (!binding_of(next, i, &binding) || same_binding(old, name, &binding))
			continue;
		if (fdb_bind(fdb, binding.network, binding.mac, binding.port) < 0)
			log_warning("port %s: no room in the FDB for its MAC address: it will be "
				    "learned; raise switch.fdb.size",
				name);
	}
}

void addresses_unbind(struct fdb *fdb, const struct runtime_state *state, unsigned position)
{
	struct binding binding;

	if (binding_of(state, position, &binding))
		fdb_unbind(fdb, binding.network, binding.mac, binding.port);
}

void addresses_flush(struct fdb *fdb, const struct runtime_state *old,
	const struct runtime_state *next, const bool *which)
{
	for (unsigned i = 0; i < old->model.port_count; i++)
		if (which[i])
			fdb_flush(fdb, old->ports[i].index, NETWORK_NONE);
	for (unsigned i = 0; i < old->model.network_count; i++)
		if (runtime_find_network(next, old->model.networks[i].name) < 0)
			fdb_flush(fdb, FDB_PORT_NONE, old->networks[i]);
}
