/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of a network, and what follows from them. */
#include <string.h>

#include "control/dhcp_keys.h"
#include "control/model.h"
#include "control/ra_keys.h"

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
	{"dhcp.enabled", SCHEMA_FLAG, SCHEMA_FIELD(model_network, dhcp.enabled), .map = "dhcp",
		.effect = DIFF_LIVE, .help = "addresses are handed out by DHCP"},
	{"dhcp.range", SCHEMA_TEXTS, SCHEMA_FIELD(model_network, dhcp.range), .maximum = 2,
		.map = "dhcp", .check = dhcp_check_address, .nothing = "subnet", .repeats = true,
		.effect = DIFF_LIVE, .help = "the first and the last address for guests"},
	{"dhcp.server", SCHEMA_ADDRESS, SCHEMA_FIELD(model_network, dhcp.server), .map = "dhcp",
		.nothing = "gateway", .effect = DIFF_LIVE, .help = "the server's own address"},
	{"dhcp.lease-time", SCHEMA_NUMBER, SCHEMA_FIELD(model_network, dhcp.lease_time), 60,
		1000000000, .initial = DHCP_LEASE_TIME_DEFAULT, .map = "dhcp",
		.nothing = "infinite", .nothing_written = true, .effect = DIFF_LIVE,
		.unit = "seconds", .help = "how long an address is a guest's"},
	{"dhcp.port-limit", SCHEMA_NUMBER, SCHEMA_FIELD(model_network, dhcp.port_limit), 1, 1000000,
		.map = "dhcp", .nothing = "auto", .nothing_written = true, .effect = DIFF_LIVE,
		.unit = "addresses", .help = "of the range, that one port may have"},
	{"dhcp.dns", SCHEMA_TEXTS, SCHEMA_FIELD(model_network, dhcp.dns), .maximum = 8,
		.map = "dhcp", .check = dhcp_check_address, .effect = DIFF_LIVE,
		.help = "DNS servers"},
	{"dhcp.domain", SCHEMA_TEXT, SCHEMA_FIELD(model_network, dhcp.domain), .map = "dhcp",
		.check = check_domain, .nothing = "network", .effect = DIFF_LIVE,
		.help = "DNS domain that guests are told"},
	{"dhcp.search", SCHEMA_TEXTS, SCHEMA_FIELD(model_network, dhcp.search), .maximum = 8,
		.map = "dhcp", .check = check_domain, .effect = DIFF_LIVE,
		.help = "DNS domains to look for short names in"},
	{"dhcp.ntp", SCHEMA_TEXTS, SCHEMA_FIELD(model_network, dhcp.ntp), .maximum = 8,
		.map = "dhcp", .check = dhcp_check_address, .effect = DIFF_LIVE,
		.help = "time servers"},
	{"dhcp.routes", SCHEMA_TEXTS, SCHEMA_FIELD(model_network, dhcp.routes), .maximum = 32,
		.pairs = true, .map = "dhcp", .check = dhcp_check_route, .effect = DIFF_LIVE,
		.help = "further routes: PREFIX=ROUTER"},
	{"dhcp.hostname", SCHEMA_FLAG, SCHEMA_FIELD(model_network, dhcp.hostname), .initial = 1,
		.map = "dhcp", .effect = DIFF_LIVE, .help = "a guest is told its port's name"},
	{"dhcp.boot-file", SCHEMA_TEXT, SCHEMA_FIELD(model_network, dhcp.boot_file), .map = "dhcp",
		.check = dhcp_check_file, .effect = DIFF_LIVE,
		.help = "what a guest that boots from the network loads"},
	{"dhcp.boot-file-efi", SCHEMA_TEXT, SCHEMA_FIELD(model_network, dhcp.boot_file_efi),
		.map = "dhcp", .check = dhcp_check_file, .effect = DIFF_LIVE,
		.help = "the same for guests with EFI"},
	{"dhcp.boot-file-ipxe", SCHEMA_TEXT, SCHEMA_FIELD(model_network, dhcp.boot_file_ipxe),
		.map = "dhcp", .check = dhcp_check_file, .effect = DIFF_LIVE,
		.help = "the same for iPXE"},
	{"dhcp.next-server", SCHEMA_ADDRESS, SCHEMA_FIELD(model_network, dhcp.next_server),
		.map = "dhcp", .nothing = "server", .effect = DIFF_LIVE,
		.help = "the TFTP server of the boot file"},
	{"dhcp.options", SCHEMA_TEXTS, SCHEMA_FIELD(model_network, dhcp.options), .maximum = 32,
		.pairs = true, .map = "dhcp", .check = dhcp_check_option, .effect = DIFF_LIVE,
		.help = "any other option: NUMBER=VALUE"},
	{"ra.enabled", SCHEMA_FLAG, SCHEMA_FIELD(model_network, ra.enabled), .map = "ra",
		.effect = DIFF_LIVE, .help = "subnet6 is announced by router advertisements"},
	/* RFC 4861, 6.2.1: the most that both may be, and the least. */
	{"ra.lifetime", SCHEMA_NUMBER, SCHEMA_FIELD(model_network, ra.lifetime), 0, 9000,
		.initial = 1800, .map = "ra", .effect = DIFF_LIVE, .unit = "seconds",
		.help = "of the default route; 0: it is announced as none"},
	{"ra.interval", SCHEMA_NUMBER, SCHEMA_FIELD(model_network, ra.interval), 4, 1800,
		.initial = 600, .map = "ra", .effect = DIFF_LIVE, .unit = "seconds",
		.help = "the longest time between two announcements"},
	{"ra.slaac", SCHEMA_FLAG, SCHEMA_FIELD(model_network, ra.slaac), .initial = 1, .map = "ra",
		.effect = DIFF_LIVE, .help = "guests make addresses for themselves"},
	{"ra.dns", SCHEMA_TEXTS, SCHEMA_FIELD(model_network, ra.dns), .maximum = RA_KEYS_DNS_MAX,
		.map = "ra", .check = ra_check_address, .effect = DIFF_LIVE, .help = "DNS servers"},
	{"ra.search", SCHEMA_TEXTS, SCHEMA_FIELD(model_network, ra.search),
		.maximum = RA_KEYS_SEARCH_MAX, .map = "ra", .check = check_domain,
		.effect = DIFF_LIVE, .help = "DNS domains to look for short names in"},
	{"ra.routes", SCHEMA_TEXTS, SCHEMA_FIELD(model_network, ra.routes),
		.maximum = RA_KEYS_ROUTES_MAX, .map = "ra", .check = ra_check_prefix,
		.effect = DIFF_LIVE, .help = "further prefixes that the router leads to"},
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
