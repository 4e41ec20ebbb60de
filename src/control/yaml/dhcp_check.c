/* SPDX-License-Identifier: BSD-3-Clause */
/* What the keys of a network's services may not be together. */
#include <stdio.h>

#include "control/dhcp_keys.h"
#include "control/yaml/check.h"

/* A host's address in the subnet? NULL, or what is wrong. */
static const char *check_host(const struct model_network *network, uint32_t address)
{
	uint32_t subnet = dhcp_ipv4(&network->subnet);
	uint32_t mask = UINT32_MAX << (32 - network->subnet.length);

	if ((address & mask) != subnet)
		return "lies outside of the network's 'subnet'";
	return address == subnet || address == (subnet | ~mask)
		       ? "is no host's address in the network's 'subnet'"
		       : NULL;
}

static void check_range(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_network *network)
{
	const struct value_texts *range = &network->dhcp.range;
	uint32_t from, to;
	char text[192];

	if (!range->count)
		return;
	if (range->count != 2) {
		const struct yaml_tree *list = yaml_tree_find(
			yaml_tree_find(node, "dhcp"), "range");

		/* One of the two is wrong by itself. */
		if (list->kind == YAML_TREE_LIST && list->count == 2)
			return;
		config_fault_at(reader, node, "dhcp.range",
			"a range is its first and its last address: [10.0.0.100, 10.0.0.199]",
			NULL);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		const char *wrong = check_host(network, dhcp_read_address(range->of[i]));

		if (wrong) {
			snprintf(text, sizeof(text), "'%s' %s", range->of[i], wrong);
			config_fault_at(reader, node, "dhcp.range", text, NULL);
			return;
		}
	}
	if (!dhcp_range(network, &from, &to))
		config_fault_at(
			reader, node, "dhcp.range", "the last address is before the first", NULL);
	else if (to - from >= DHCP_RANGE_MAX)
		config_fault_at(reader, node, "dhcp.range",
			"more than 1,048,576 addresses are too many", NULL);
}

static void check_server(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_network *network)
{
	const struct value_address *server = &network->dhcp.server;
	const char *wrong;
	char text[192];

	if (!server->length)
		return;
	wrong = check_host(network, dhcp_ipv4(server));
	if (!wrong)
		return;
	snprintf(text, sizeof(text), "the server's address %s", wrong);
	config_fault_at(reader, node, "dhcp.server", text, NULL);
}

static void check_ra(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_network *network)
{
	if (!network->ra.enabled)
		return;
	if (!network->subnet6.length) {
		if (!yaml_tree_find(node, "subnet6"))
			config_fault_at(
				reader, node, "ra", "router advertisements need", "subnet6");
	} else if (network->ra.slaac && network->subnet6.length != 64) {
		config_fault_at(reader, node, "ra",
			"guests make addresses for themselves only where 'subnet6' has 64 bits: "
			"say 'slaac: false'",
			NULL);
	}
}

void config_check_dhcp(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_network *network)
{
	if (reader->entry_unsure)
		return;
	check_ra(reader, node, network);
	if (!network->dhcp.enabled)
		return;
	if (!network->subnet.length) {
		/* Where it is there and wrong, that has been said. */
		if (!yaml_tree_find(node, "subnet"))
			config_fault_at(reader, node, "dhcp", "DHCP needs", "subnet");
		return;
	}
	check_range(reader, node, network);
	check_server(reader, node, network);
}
