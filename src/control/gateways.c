/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/gateways.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/derived_mac.h"

bool gateways_port_name(const char *router, const char *network, char name[MODEL_NAME_SIZE])
{
	return snprintf(name, MODEL_NAME_SIZE, "%s/%s", router, network) < (int)MODEL_NAME_SIZE;
}

void gateways_interface(const char *network, char name[MODEL_IFNAME_SIZE])
{
	if (snprintf(name, MODEL_IFNAME_SIZE, "v-%s", network) < MODEL_IFNAME_SIZE)
		return;
	snprintf(name, MODEL_IFNAME_SIZE, "v-%.6s-%06x", network,
		(unsigned)derived_mac_hash("", network) & 0xffffff);
}

void gateways_netns(const struct model_router *router, char netns[MODEL_PATH_SIZE])
{
	if (strcmp(router->netns, MODEL_NETNS_HOST) == 0)
		*netns = '\0';
	else if (*router->netns)
		snprintf(netns, MODEL_PATH_SIZE, "%s", router->netns);
	else
		snprintf(netns, MODEL_PATH_SIZE, GATEWAYS_NETNS_PREFIX "%s", router->name);
}

static int add_address(struct model_tap *tap, const struct value_address *gateway,
	const struct value_address *subnet)
{
	struct value_address address = *gateway;

	if (!gateway->length)
		return 0;
	address.length = subnet->length;
	return value_addresses_add(&tap->address, &address);
}

static int add_port(
	struct model *model, const struct model_router *router, const struct model_network *network)
{
	struct model_port *port = model_add_port(model);
	struct model_tap *tap;
	uint32_t low;
	unsigned type = 0;

	while (model_kinds[type] != &tap_kind)
		type++;
	if (!port || model_port_set_type(port, type) < 0)
		return -ENOMEM;
	gateways_port_name(router->name, network->name, port->name);
	strcpy(port->router, router->name);
	strcpy(port->network, network->name);
	port->trusted = 1;
	port->line = router->line;
	low = derived_mac_hash(router->name, network->name);
	/* 52:54, as every address that we derive. */
	port->mac = (struct value_mac){
		true, {0x52, 0x54, (uint8_t)(low >> 24), (uint8_t)(low >> 16), (uint8_t)(low >> 8),
			      (uint8_t)low}};
	tap = port->settings;
	tap->mtu = network->mtu;
	gateways_interface(network->name, tap->ifname);
	gateways_netns(router, tap->netns);
	/* In a namespace of its own it is the way out that waits. */
	port->held = router->uplink == MODEL_UPLINK_NAT && *router->netns;
	if (add_address(tap, &network->gateway, &network->subnet) < 0 ||
		add_address(tap, &network->gateway6, &network->subnet6) < 0)
		return -ENOMEM;
	value_addresses_sort(&tap->address);
	return 0;
}

int gateways_add(struct model *model, const struct model_router *router)
{
	for (unsigned i = 0; i < router->networks.count; i++) {
		const struct model_network *network = model_find_network(
			model, router->networks.of[i]);

		if (network && add_port(model, router, network) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The one address of the port that lies in the prefix. */
static bool find_address(const struct model_port *port, const struct value_address *prefix,
	struct value_address *address)
{
	for (unsigned i = 0; i < port->ip.count; i++) {
		*address = port->ip.of[i];
		if (address->length == (address->ipv6 ? 128 : 32) &&
			value_prefix_holds(prefix, address))
			return true;
	}
	return false;
}

static const char *resolve_port(const struct model *model, const struct model_router *router,
	const struct model_port *port, struct value_address *address)
{
	bool member = false;

	for (unsigned i = 0; i < router->networks.count; i++) {
		const struct model_network *network = model_find_network(
			model, router->networks.of[i]);

		if (!network || !model_port_in_network(port, network->name))
			continue;
		member = true;
		if (find_address(port, &network->subnet, address) ||
			find_address(port, &network->subnet6, address))
			return NULL;
	}
	return member ? "a forwarding needs an address of the VM in 'ip' of its port, as has not"
		      : "in no network of this router is port";
}

const char *gateways_resolve(const struct model *model, const struct model_router *router,
	const struct value_forward *forward, struct value_address *address)
{
	const struct model_port *port = model_find_port(model, forward->target);

	if (port && !*port->router)
		return resolve_port(model, router, port, address);
	if (value_address_parse(forward->target, VALUE_PREFIX, address))
		return "no port or address is called";
	for (unsigned i = 0; i < router->networks.count; i++) {
		const struct model_network *network = model_find_network(
			model, router->networks.of[i]);

		if (network && address->length == (address->ipv6 ? 128 : 32) &&
			(value_prefix_holds(&network->subnet, address) ||
				value_prefix_holds(&network->subnet6, address)))
			return NULL;
	}
	return "no network of this router has the address";
}
