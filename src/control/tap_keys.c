/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/tap_keys.h"

#include <errno.h>
#include <string.h>

#include "control/interface_keys.h"
#include "control/resources.h"
#include "host/place.h"

/* As many as host/tap.h takes. */
#define ADDRESSES_MAX 16
#define QUEUES_MAX    64

static const char *const vhost_words[] = {"auto", "on", "off", NULL};

static const struct schema_key keys[] = {
	{"ifname", SCHEMA_TEXT, SCHEMA_FIELD(model_tap, ifname), .check = interface_check_name,
		.effect = DIFF_REOPEN, .help = "name of the interface"},
	{"netns", SCHEMA_TEXT, SCHEMA_FIELD(model_tap, netns), .check = interface_check_netns,
		.effect = DIFF_REOPEN, .help = "network namespace of the interface"},
	{"queues", SCHEMA_NUMBER, SCHEMA_FIELD(model_tap, queues), 1, QUEUES_MAX, .initial = 1,
		.effect = DIFF_REOPEN, .help = "queues of the interface"},
	/* The kernel's limits of an Ethernet TAP. */
	{"mtu", SCHEMA_NUMBER, SCHEMA_FIELD(model_tap, mtu), 68, 65521, .nothing = "none",
		.effect = DIFF_LIVE, .unit = "bytes", .help = "MTU of the interface"},
	{"address", SCHEMA_HOST_ADDRESSES, SCHEMA_FIELD(model_tap, address),
		.maximum = ADDRESSES_MAX, .nothing = "none", .effect = DIFF_LIVE,
		.help = "addresses of the interface, each with the length of its network"},
	{"up", SCHEMA_FLAG, SCHEMA_FIELD(model_tap, up), .initial = 1, .effect = DIFF_LIVE,
		.help = "whether the interface is brought up"},
	{"persist", SCHEMA_FLAG, SCHEMA_FIELD(model_tap, persist), .effect = DIFF_LIVE,
		.help = "whether it stays when the port, or vswd, is gone"},
	{"vhost", SCHEMA_CHOICE, SCHEMA_FIELD(model_tap, vhost), .words = vhost_words,
		.initial = MODEL_VHOST_OFF, .effect = DIFF_REOPEN,
		.help = "whether the kernel's vhost-net carries the frames"},
};

/* RFC 8200, section 5; the kernel takes all IPv6 addresses from a link with less. */
#define IPV6_MTU_MIN 1280u

/* An interface is called like its port where the file does not say it. */
static void complete(struct model_port *port, const struct model_settings *common,
	const struct model_check *check)
{
	struct model_tap *settings = port->settings;
	struct error error;

	for (unsigned i = 0; i < settings->address.count && settings->mtu; i++) {
		if (!settings->address.of[i].ipv6 || settings->mtu >= IPV6_MTU_MIN)
			continue;
		error_set(&error, -EINVAL, "%u is too small for IPv6 in 'address': at least %u",
			settings->mtu, IPV6_MTU_MIN);
		check->fault(check->owner, "mtu", &error);
		break;
	}
	interface_complete(port, settings->ifname, check);
}

static void describe(const struct model_port *port, FILE *out)
{
	const struct model_tap *settings = model_tap(port);

	interface_describe(settings->ifname, settings->netns, out);
}

static void claim(const struct model_port *port, struct claims *claims)
{
	const struct model_tap *settings = model_tap(port);
	char place[HOST_PLACE_SIZE];

	interface_claim(claims, settings->ifname, settings->netns);
	host_netns_place(settings->netns, place);
	for (unsigned i = 0; i < settings->address.count; i++) {
		struct value_address address = settings->address.of[i];
		char text[VALUE_ADDRESS_TEXT_SIZE];

		/* A link's own may be the same on every link. */
		if (address.ipv6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80)
			continue;
		/* The same in two networks is the same address. */
		address.length = 0;
		value_address_format(&address, VALUE_INTERFACE, text);
		claims_add(claims, "address", "address", "%s in %s", text, place);
	}
}

const struct model_kind tap_kind = {
	.name = "tap",
	.help = "an interface of the host, or of a network namespace",
	.schema = {keys, ARRAY_SIZE(keys), sizeof(struct model_tap)},
	.complete = complete,
	.describe = describe,
	.claims = claim,
	.reopened = "its interface is made anew",
};
