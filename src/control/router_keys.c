/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of a router. */
#include <string.h>

#include "control/model.h"

static const char *const gateway_words[] = {"switch", "kernel", NULL};
static const char *const uplink_words[] = {"none", "nat", NULL};

static const char *check_netns(const char *text)
{
	if (!*text || (strchr(text, '/') && *text != '/') || strcmp(text, ".") == 0 ||
		strcmp(text, "..") == 0)
		return "is not 'host', the name of a network namespace, or a path that begins with "
		       "'/'";
	return NULL;
}

/* Members, so what is in a namespace of another router: all live, as the ports that follow are
 * opened anew by themselves where that is due. */
static const struct schema_key keys[] = {
	{"networks", SCHEMA_NETWORKS, SCHEMA_FIELD(model_router, networks), .untagged = true,
		.effect = DIFF_LIVE, .help = "networks that the router connects"},
	{"gateway", SCHEMA_CHOICE, SCHEMA_FIELD(model_router, gateway), .words = gateway_words,
		.effect = DIFF_LIVE, .help = "who routes: the kernel, or the switch itself"},
	{"netns", SCHEMA_TEXT, SCHEMA_FIELD(model_router, netns), .check = check_netns,
		.nothing = "its own", .effect = DIFF_LIVE,
		.help = "network namespace in which the kernel routes"},
	{"uplink", SCHEMA_CHOICE, SCHEMA_FIELD(model_router, uplink), .words = uplink_words,
		.effect = DIFF_LIVE, .help = "the way out of the networks"},
	{"nat6", SCHEMA_FLAG, SCHEMA_FIELD(model_router, nat6), .initial = 1, .effect = DIFF_LIVE,
		.help = "whether IPv6 is translated at the uplink, or routed"},
	{"forward", SCHEMA_FORWARDS, SCHEMA_FIELD(model_router, forward), .nothing = "none",
		.pairs = true, .effect = DIFF_LIVE, .help = "ports of this host that lead to a VM"},
};

const struct schema model_router_schema = {keys, ARRAY_SIZE(keys), sizeof(struct model_router)};
