/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of a network, and what follows from them. */
#include <string.h>

#include "control/model.h"

static const char *const pass_words[] = {"drop", "pass", NULL};
static const char *const loops_words[] = {"hold", "log", NULL};

/* Labels of letters, digits and '-', as host names have them (RFC 1123, section 2.1). */
static const char *check_domain(const char *text)
{
	static const char sound[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	for (;;) {
		size_t length = strspn(text, sound);

		if (!length || length > 63 || text[0] == '-' || text[length - 1] == '-')
			return "is not a DNS domain such as lab.example";
		text += length;
		if (!*text)
			return NULL;
		if (*text++ != '.')
			return "is not a DNS domain such as lab.example";
	}
}

static const struct schema_key network_keys[] = {
	{"vlan", SCHEMA_NUMBER, SCHEMA_FIELD(model_network, vlan), 1, 4094, .nothing = "none",
		.effect = DIFF_LIVE, .help = "tag of the network's frames on trunks"},
	/* Subnets larger or smaller than these are slips. */
	{"subnet", SCHEMA_SUBNET, SCHEMA_FIELD(model_network, subnet), 8, 30, .effect = DIFF_LIVE,
		.help = "IPv4 addresses of the network"},
	{"gateway", SCHEMA_ADDRESS, SCHEMA_FIELD(model_network, gateway), .nothing = "none",
		.nothing_written = true, .effect = DIFF_LIVE, .help = "the router's address in it"},
	{"subnet6", SCHEMA_SUBNET, SCHEMA_FIELD(model_network, subnet6), 16, 126, .ipv6 = true,
		.effect = DIFF_LIVE, .help = "IPv6 addresses of the network"},
	{"gateway6", SCHEMA_ADDRESS, SCHEMA_FIELD(model_network, gateway6), .ipv6 = true,
		.nothing = "none", .nothing_written = true, .effect = DIFF_LIVE,
		.help = "the router's IPv6 address in it"},
	/* IPv6 needs the least; the most is a TAP's. */
	{"mtu", SCHEMA_NUMBER, SCHEMA_FIELD(model_network, mtu), 1280, 65521, .nothing = "none",
		.effect = DIFF_LIVE, .unit = "bytes",
		.help = "the longest packet in the network, where something of ours asks"},
	{"domain", SCHEMA_TEXT, SCHEMA_FIELD(model_network, domain), .initial_text = MODEL_DOMAIN,
		.check = check_domain, .effect = DIFF_LIVE,
		.help = "DNS domain: VMs are NAME.NETWORK.DOMAIN"},
	{"stp", SCHEMA_CHOICE, SCHEMA_FIELD(model_network, stp), .words = pass_words,
		.initial = MODEL_PASS, .effect = DIFF_LIVE, .help = "spanning tree"},
	{"lldp", SCHEMA_CHOICE, SCHEMA_FIELD(model_network, lldp), .words = pass_words,
		.effect = DIFF_LIVE, .help = "LLDP"},
	{"lacp", SCHEMA_CHOICE, SCHEMA_FIELD(model_network, lacp), .words = pass_words,
		.effect = DIFF_LIVE, .help = "LACP and the other slow protocols"},
	{"802.1x", SCHEMA_CHOICE, SCHEMA_FIELD(model_network, dot1x), .words = pass_words,
		.member = "dot1x", .effect = DIFF_LIVE, .help = "802.1X"},
	{"loops", SCHEMA_CHOICE, SCHEMA_FIELD(model_network, loops), .words = loops_words,
		.effect = DIFF_LIVE, .help = "what is done about a loop"},
};

const struct schema model_network_schema = {
	network_keys, ARRAY_SIZE(network_keys), sizeof(struct model_network)};

void model_network_complete(struct model_network *network, bool gateway, bool gateway6)
{
	if (!gateway && network->subnet.length)
		value_prefix_first(&network->subnet, &network->gateway);
	if (!gateway6 && network->subnet6.length)
		value_prefix_first(&network->subnet6, &network->gateway6);
}

bool model_network_implies(const struct model_network *network, const struct schema_key *key)
{
	struct model_network without = *network;
	bool gateway = strcmp(key->name, "gateway") == 0;
	bool gateway6 = strcmp(key->name, "gateway6") == 0;

	if (!gateway && !gateway6)
		return schema_is_initial(key, network);
	schema_reset(key, &without);
	model_network_complete(&without, !gateway, !gateway6);
	return schema_equal(key, &without, network);
}
