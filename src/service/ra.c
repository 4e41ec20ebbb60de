/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/ra.h"

#include <string.h>

#include "base/common.h"
#include "packet/checksum.h"
#include "packet/headers.h"

/* RFC 4861, 4.1, 4.2 and 4.6; RFC 8106, 5; RFC 4191, 2.3. */
#define ND_SOLICIT         133
#define ND_ADVERT          134
#define ND_OPTIONS_SOLICIT 8
#define ND_OPTIONS_ADVERT  16
#define ND_CODE            1
#define ND_HOP_LIMIT       4
#define ND_FLAGS           5
#define ND_LIFETIME        6
#define ND_MANAGED         0x80
#define ND_OTHER           0x40
#define OPTION_SOURCE      1
#define OPTION_PREFIX      3
#define OPTION_MTU         5
#define OPTION_ROUTE       24
#define OPTION_DNS         25
#define OPTION_SEARCH      31
#define OPTION_UNIT        8u
#define PREFIX_ON_LINK     0x80
#define PREFIX_AUTONOMOUS  0x40
#define HOP_LIMIT          64 /* of what stations send */
#define HOP_LIMIT_ND       255
#define VERSION_6          0x60
#define IPV6_HOP_LIMIT_AT  7
#define ICMPV6_CHECKSUM    2

/* RFC 4861, 10: the first three follow each other quickly. */
#define EARLY_COUNT 3u
#define EARLY_MS    16000u
#define MS          1000u

static const uint8_t all_nodes[RA_ADDRESS] = {0xff, 0x02, [15] = 1};
static const uint8_t all_nodes_mac[MAC_SIZE] = {0x33, 0x33, 0, 0, 0, 1};

void ra_link_local(const uint8_t mac[MAC_SIZE], uint8_t address[RA_ADDRESS])
{
	memset(address, 0, RA_ADDRESS);
	address[0] = 0xfe;
	address[1] = 0x80;
	memcpy(address + 8, mac, 3);
	address[8] ^= 0x02;
	address[11] = 0xff;
	address[12] = 0xfe;
	memcpy(address + 13, mac + 3, 3);
}

/* Where options are appended. */
struct message {
	uint8_t *at, *end;
};

/* Room for an option of so many bytes, made whole units; zero but for its type and length. NULL
 * where it does not fit: the frame has room for the most that settings can hold. */
static uint8_t *add(struct message *message, uint8_t type, size_t bytes)
{
	size_t size = (bytes + OPTION_UNIT - 1) / OPTION_UNIT * OPTION_UNIT;
	uint8_t *option = message->at;

	if (size > (size_t)(message->end - message->at))
		return NULL;
	memset(option, 0, size);
	option[0] = type;
	option[1] = (uint8_t)(size / OPTION_UNIT);
	message->at += size;
	return option;
}

static void add_prefix(struct message *message, const struct ra_settings *settings)
{
	uint8_t *option = add(message, OPTION_PREFIX, 32);

	if (!option)
		return;
	option[2] = settings->prefix_length;
	option[3] = (uint8_t)(PREFIX_ON_LINK | (settings->autonomous ? PREFIX_AUTONOMOUS : 0));
	store_be32(option + 4, settings->valid);
	store_be32(option + 8, settings->preferred);
	memcpy(option + 16, settings->prefix, RA_ADDRESS);
}

static void add_names(struct message *message, const struct ra_settings *settings)
{
	/* Long enough for two that are lost (RFC 8106, 5.1). */
	uint32_t lifetime = 3 * settings->interval;
	uint8_t *option;

	if (settings->dns_count) {
		option = add(message, OPTION_DNS, 8 + (size_t)RA_ADDRESS * settings->dns_count);
		if (option) {
			store_be32(option + 4, lifetime);
			memcpy(option + 8, settings->dns, (size_t)RA_ADDRESS * settings->dns_count);
		}
	}
	if (settings->search_length) {
		option = add(message, OPTION_SEARCH, 8 + (size_t)settings->search_length);
		if (option) {
			store_be32(option + 4, lifetime);
			memcpy(option + 8, settings->search, settings->search_length);
		}
	}
}

static void add_routes(struct message *message, const struct ra_settings *settings)
{
	for (unsigned i = 0; i < settings->route_count; i++) {
		const struct ra_route *route = &settings->routes[i];
		uint8_t *option = add(message, OPTION_ROUTE, 24);

		if (!option)
			return;
		option[2] = route->length;
		store_be32(option + 4, settings->lifetime);
		memcpy(option + 8, route->prefix, RA_ADDRESS);
	}
}

static void write_message(struct message *message, const struct ra_settings *settings)
{
	uint8_t *advert = message->at, *option;

	memset(advert, 0, ND_OPTIONS_ADVERT);
	advert[0] = ND_ADVERT;
	advert[ND_HOP_LIMIT] = HOP_LIMIT;
	advert[ND_FLAGS] = (uint8_t)((settings->managed ? ND_MANAGED : 0) |
				     (settings->other ? ND_OTHER : 0));
	store_be16(advert + ND_LIFETIME, settings->lifetime);
	message->at += ND_OPTIONS_ADVERT;
	option = add(message, OPTION_SOURCE, 8);
	memcpy(option + 2, settings->mac, MAC_SIZE);
	if (settings->mtu) {
		option = add(message, OPTION_MTU, 8);
		store_be32(option + 4, settings->mtu);
	}
	add_prefix(message, settings);
	add_names(message, settings);
	add_routes(message, settings);
}

static size_t write_frame(const struct ra_settings *settings, const uint8_t mac[MAC_SIZE],
	const uint8_t destination[RA_ADDRESS], uint8_t frame[RA_FRAME_MAX])
{
	uint8_t *ip = frame + ETHERNET_HEADER, *icmp = ip + IPV6_HEADER;
	struct message message = {icmp, frame + RA_FRAME_MAX};
	struct checksum sum = {0};
	uint16_t length;

	memcpy(frame + ETHERNET_DESTINATION, mac, MAC_SIZE);
	memcpy(frame + ETHERNET_SOURCE, settings->mac, MAC_SIZE);
	store_be16(frame + ETHERNET_TYPE, ETH_P_IPV6);
	memset(ip, 0, IPV6_HEADER);
	ip[0] = VERSION_6;
	ip[IPV6_NEXT_HEADER] = IPPROTO_ICMPV6;
	ip[IPV6_HOP_LIMIT_AT] = HOP_LIMIT_ND;
	ra_link_local(settings->mac, ip + IPV6_SOURCE);
	memcpy(ip + IPV6_DESTINATION, destination, RA_ADDRESS);
	write_message(&message, settings);
	length = (uint16_t)(message.at - icmp);
	store_be16(ip + IPV6_PAYLOAD_LENGTH, length);
	checksum_add(&sum, icmp, length);
	store_be16(
		icmp + ICMPV6_CHECKSUM, (uint16_t)~checksum_plus(checksum_fold(&sum),
						checksum_pseudo_ipv6(ip, IPPROTO_ICMPV6, length)));
	return (size_t)(message.at - frame);
}

size_t ra_announce(const struct ra_settings *settings, uint8_t frame[RA_FRAME_MAX])
{
	return write_frame(settings, all_nodes_mac, all_nodes, frame);
}

/* Options whose lengths add up, and no link-layer address from one without an address. */
static bool options_sound(const uint8_t *options, size_t length, bool unspecified)
{
	while (length) {
		size_t size;

		if (length < 2)
			return false;
		size = options[1] * OPTION_UNIT;
		if (!size || size > length || (unspecified && options[0] == OPTION_SOURCE))
			return false;
		options += size;
		length -= size;
	}
	return true;
}

size_t ra_answer(const struct ra_settings *settings, const uint8_t *solicitation, size_t length,
	uint8_t frame[RA_FRAME_MAX])
{
	static const uint8_t none[RA_ADDRESS];
	const uint8_t *ip = solicitation + ETHERNET_HEADER, *icmp = ip + IPV6_HEADER;
	struct checksum sum = {0};
	bool unspecified;
	size_t payload;

	if (length < ETHERNET_HEADER + IPV6_HEADER + ND_OPTIONS_SOLICIT ||
		load_be16(solicitation + ETHERNET_TYPE) != ETH_P_IPV6 || ip[0] >> 4 != 6 ||
		ip[IPV6_NEXT_HEADER] != IPPROTO_ICMPV6 || ip[IPV6_HOP_LIMIT_AT] != HOP_LIMIT_ND)
		return 0;
	payload = load_be16(ip + IPV6_PAYLOAD_LENGTH);
	if (payload < ND_OPTIONS_SOLICIT || payload > length - ETHERNET_HEADER - IPV6_HEADER ||
		icmp[0] != ND_SOLICIT || icmp[ND_CODE])
		return 0;
	checksum_add(&sum, icmp, payload);
	if (checksum_plus(checksum_fold(&sum),
		    checksum_pseudo_ipv6(ip, IPPROTO_ICMPV6, (uint32_t)payload)) != 0xffff)
		return 0;
	unspecified = memcmp(ip + IPV6_SOURCE, none, RA_ADDRESS) == 0;
	if (!options_sound(icmp + ND_OPTIONS_SOLICIT, payload - ND_OPTIONS_SOLICIT, unspecified))
		return 0;
	return write_frame(settings, solicitation + ETHERNET_SOURCE,
		unspecified ? all_nodes : ip + IPV6_SOURCE, frame);
}

void ra_schedule_begin(struct ra_schedule *schedule, uint64_t now)
{
	*schedule = (struct ra_schedule){.due = now, .early = EARLY_COUNT};
}

bool ra_schedule_due(struct ra_schedule *schedule, const struct ra_settings *settings, uint64_t now,
	uint32_t random)
{
	uint64_t longest = (uint64_t)settings->interval * MS;
	uint64_t shortest = longest / 3;
	uint64_t wait = shortest + random % (longest - shortest + 1);

	if (now < schedule->due)
		return false;
	if (schedule->early) {
		schedule->early--;
		wait = MIN(wait, (uint64_t)EARLY_MS);
	}
	schedule->due = now + wait;
	return true;
}
