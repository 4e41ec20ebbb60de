/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a network's DHCP keys to what its server works with (service/dhcp.h). Pure.
 */
#ifndef VSW_CONTROL_DHCP_SETTINGS_H
#define VSW_CONTROL_DHCP_SETTINGS_H

#include "control/model.h"
#include "service/dhcp.h"

/* Of a network with `dhcp.enabled`. 0 or -ENOMEM: then *settings holds nothing. */
int dhcp_settings_make(const struct model *model, const struct model_network *network,
	struct dhcp_settings *settings);
void dhcp_settings_fini(struct dhcp_settings *settings);

/* The domains as DNS has them (RFC 1035, 3.1), not compressed; the bytes that they take. */
unsigned dhcp_write_domains(const struct value_texts *texts, uint8_t *bytes);

/* What of forwarding's the network's services need: enum topology_service; and the DHCP server's
 * address. */
unsigned network_services(const struct model_network *network, uint32_t *address);

/* The MAC address of the network's server. */
void dhcp_server_mac(const struct model_network *network, uint8_t mac[MAC_SIZE]);

/* The port as the network's server sees it. addresses: room for those of the port. */
void dhcp_port_make(const struct model_port *port, const struct model_network *network,
	const struct dhcp_settings *settings, uint32_t addresses[], struct dhcp_port *made);

#endif
