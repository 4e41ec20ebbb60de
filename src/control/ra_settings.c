/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/ra_settings.h"

#include <arpa/inet.h>
#include <string.h>

#include "control/dhcp_settings.h"
#include "control/ra_keys.h"
#include "control/tap_keys.h"

/* Seconds: what RFC 4861, 6.2.1 takes for the default is a month; hosts whose switch is gone shall
 * not use its addresses for that long. */
#define VALID_SECONDS     86400
#define PREFERRED_SECONDS 14400

static bool has_gateway(const struct model_port *port, const struct model_network *network)
{
	const struct value_addresses *addresses;

	if (model_kinds[port->type] != &tap_kind || !port->mac.set ||
		strcmp(port->network, network->name) != 0)
		return false;
	addresses = &model_tap(port)->address;
	for (unsigned i = 0; i < addresses->count; i++)
		if (addresses->of[i].ipv6 && memcmp(addresses->of[i].bytes, network->gateway6.bytes,
						     sizeof(network->gateway6.bytes)) == 0)
			return true;
	return false;
}

static void set_router(
	const struct model *model, const struct model_network *network, struct ra_settings *made)
{
	dhcp_server_mac(network, made->mac);
	for (unsigned i = 0; i < model->port_count && network->gateway6.length; i++) {
		if (!has_gateway(&model->ports[i], network))
			continue;
		memcpy(made->mac, model->ports[i].mac.bytes, sizeof(made->mac));
		made->lifetime = (uint16_t)network->ra.lifetime;
		return;
	}
}

void ra_settings_make(
	const struct model *model, const struct model_network *network, struct ra_settings *made)
{
	const struct model_ra *ra = &network->ra;

	*made = (struct ra_settings){
		.mtu = network->mtu,
		.prefix_length = (uint8_t)network->subnet6.length,
		.autonomous = ra->slaac,
		.valid = VALID_SECONDS,
		.preferred = PREFERRED_SECONDS,
		.interval = ra->interval,
	};
	set_router(model, network, made);
	memcpy(made->prefix, network->subnet6.bytes, sizeof(made->prefix));
	for (unsigned i = 0; i < ra->dns.count; i++)
		inet_pton(AF_INET6, ra->dns.of[i], made->dns[made->dns_count++]);
	for (unsigned i = 0; i < ra->routes.count; i++) {
		struct ra_route *route = &made->routes[made->route_count++];

		ra_read_prefix(ra->routes.of[i], route->prefix, &route->length);
	}
	made->search_length = dhcp_write_domains(&ra->search, made->search);
}
