/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/packet_keys.h"

static const struct schema_key keys[] = {
	{"ifname", SCHEMA_TEXT, SCHEMA_FIELD(model_packet, ifname), .check = interface_check_name,
		.effect = DIFF_REOPEN, .help = "name of the interface"},
	{"netns", SCHEMA_TEXT, SCHEMA_FIELD(model_packet, netns), .check = interface_check_netns,
		.effect = DIFF_REOPEN, .help = "network namespace of the interface"},
	{"up", SCHEMA_FLAG, SCHEMA_FIELD(model_packet, up), .initial = 1, .effect = DIFF_LIVE,
		.help = "whether the interface is brought up"},
	{"shared", SCHEMA_FLAG, SCHEMA_FIELD(model_packet, shared), .effect = DIFF_REOPEN,
		.help = "whether the host's own stack keeps using the interface"},
};

static void complete(struct model_port *port, const struct model_settings *common,
	const struct model_check *check)
{
	struct model_packet *settings = port->settings;

	interface_complete(port, settings->ifname, check);
}

static void describe(const struct model_port *port, FILE *out)
{
	interface_describe(model_packet(port)->ifname, model_packet(port)->netns, out);
}

static void claim(const struct model_port *port, struct claims *claims)
{
	interface_claim(claims, model_packet(port)->ifname, model_packet(port)->netns);
}

const struct model_kind packet_kind = {
	.name = "packet",
	.help = "an interface that is there: a NIC, a veth, the TAP of a VMM",
	.schema = {keys, ARRAY_SIZE(keys), sizeof(struct model_packet)},
	.complete = complete,
	.describe = describe,
	.claims = claim,
	.reopened = "its interface is opened anew",
};
