/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/security_private.h"
#include "packet/headers.h"
#include "packet/mac.h"

/* Extension headers that are walked: nobody sends more, and a receiver would drop them (RFC 8504,
 * 5.3). */
#define EXTENSIONS_MAX 8

/* RFC 2710, RFC 3810, RFC 4861 */
#define MLD_REPORT        131
#define MLD_DONE          132
#define MLD2_REPORT       143
#define ND_ROUTER_SOLICIT 133
#define ND_ROUTER_ADVERT  134
#define ND_SOLICIT        135
#define ND_ADVERT         136
#define ND_REDIRECT       137
#define ND_TARGET         8
#define ND_TARGET_END     24
#define ND_OPTIONS_ROUTER 8 /* of a router solicitation */
#define ND_OPTION_UNIT    8
#define ND_OPTION_LENGTH  1
#define ND_OPTION_ADDRESS 2
#define ND_SOURCE_ADDRESS 1
#define ND_TARGET_ADDRESS 2

/* RFC 8200, and the other headers that may stand between IPv6 and what it carries (RFC 7045). */
#define NEXT_MOBILITY 135
#define NEXT_HIP      139
#define NEXT_SHIM6    140

/* What an IPv6 header carries. */
struct upper {
	uint8_t protocol;
	size_t offset;
	bool fragment; /* of several, or of one: there was a fragment header */
	bool later;    /* not the first fragment: no protocol, no offset */
};

static bool is_extension(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_FRAGMENT || next == IPPROTO_AH || next == NEXT_MOBILITY ||
	       next == NEXT_HIP || next == NEXT_SHIM6;
}

/* Follows the chain of extension headers. False where it leaves the head or is too long. */
static bool find_upper(const uint8_t *ip, size_t length, struct upper *upper)
{
	uint8_t next = ip[IPV6_NEXT_HEADER];
	size_t offset = IPV6_HEADER;

	*upper = (struct upper){0};
	for (unsigned hops = 0; is_extension(next); hops++) {
		const uint8_t *extension = ip + offset;

		if (hops == EXTENSIONS_MAX || offset + IPV6_EXTENSION > length)
			return false;
		if (next == IPPROTO_FRAGMENT) {
			upper->fragment = true;
			upper->later = load_be16(extension + IPV6_FRAGMENT) & IPV6_FRAGMENT_OFFSET;
			if (upper->later)
				return true;
			offset += IPV6_EXTENSION;
		} else if (next == IPPROTO_AH) {
			/* RFC 4302: in words of four bytes, less two. */
			offset += (extension[1] + 2u) * 4;
		} else {
			offset += (extension[1] + 1u) * 8;
		}
		next = extension[0];
	}
	upper->protocol = next;
	upper->offset = offset;
	return true;
}

/* Walks the options of a message of neighbour discovery, `length` bytes of them. */
static enum drop_reason judge_options(const uint8_t *source, const uint8_t *option, size_t length)
{
	while (length) {
		size_t size = length < ND_OPTION_UNIT ? 0
						      : option[ND_OPTION_LENGTH] * ND_OPTION_UNIT;

		/* A receiver discards such a message (RFC 4861, 7.1). */
		if (!size || size > length)
			return DROP_UNVERIFIABLE;
		if ((option[0] == ND_SOURCE_ADDRESS || option[0] == ND_TARGET_ADDRESS) &&
			(size != ND_OPTION_UNIT || !mac_equal(option + ND_OPTION_ADDRESS, source)))
			return DROP_SPOOFED_SOURCE;
		option += size;
		length -= size;
	}
	return STAGE_NEXT;
}

/* A solicitation or advertisement, which the head must hold as a whole. */
static enum drop_reason judge_discovery(const struct security_rules *rules, const uint8_t *source,
	const uint8_t *ip, size_t length, const struct upper *upper, bool unspecified)
{
	size_t end = IPV6_HEADER + load_be16(ip + IPV6_PAYLOAD_LENGTH);
	const uint8_t *message = ip + upper->offset;
	size_t options = message[0] == ND_ROUTER_SOLICIT ? ND_OPTIONS_ROUTER : ND_TARGET_END;
	bool claims = message[0] == ND_ADVERT || (message[0] == ND_SOLICIT && unspecified);

	if (upper->fragment || end > length || upper->offset + options > end)
		return DROP_UNVERIFIABLE;
	if (claims && rules->has_addresses && !security_lists_ipv6(rules, message + ND_TARGET))
		return DROP_SPOOFED_ADDRESS;
	return judge_options(source, message + options, end - upper->offset - options);
}

static enum drop_reason judge_source(
	const struct security_rules *rules, const uint8_t *ip, bool without_source)
{
	if (!rules->has_addresses || security_lists_ipv6(rules, ip + IPV6_SOURCE))
		return STAGE_NEXT;
	return without_source ? STAGE_NEXT : DROP_SPOOFED_ADDRESS;
}

static enum drop_reason judge_icmp(const struct security_rules *rules, const uint8_t *source,
	const uint8_t *ip, size_t length, const struct upper *upper, bool unspecified)
{
	enum drop_reason reason = STAGE_NEXT;
	bool early = false; /* of a kind that is sent before there is an address */

	if (upper->offset >= length)
		return DROP_UNVERIFIABLE;
	switch (ip[upper->offset]) {
	case ND_ROUTER_ADVERT:
	case ND_REDIRECT:
		if (!rules->trusted)
			return DROP_UNTRUSTED_SERVER;
		break;
	case ND_ROUTER_SOLICIT:
	case ND_SOLICIT:
		early = true;
		/* fall through */
	case ND_ADVERT:
		reason = judge_discovery(rules, source, ip, length, upper, unspecified);
		break;
	case MLD_REPORT:
	case MLD_DONE:
	case MLD2_REPORT:
		early = true;
		break;
	}
	if (reason != STAGE_NEXT)
		return reason;
	return judge_source(rules, ip, early && unspecified);
}

enum drop_reason security_judge_ipv6(
	const struct security_rules *rules, const uint8_t *source, const uint8_t *ip, size_t length)
{
	struct upper upper;
	bool unspecified;

	if (length < IPV6_HEADER || ip[0] >> 4 != 6)
		return DROP_UNVERIFIABLE;
	/* What lies behind the packet is not of it, whatever it looks like. */
	length = MIN(length, (size_t)IPV6_HEADER + load_be16(ip + IPV6_PAYLOAD_LENGTH));
	if (!find_upper(ip, length, &upper))
		return DROP_UNVERIFIABLE;
	unspecified = !(load_be64(ip + IPV6_SOURCE) | load_be64(ip + IPV6_SOURCE + 8));
	if (upper.later)
		return judge_source(rules, ip, false);
	if (upper.protocol == IPPROTO_ICMPV6)
		return judge_icmp(rules, source, ip, length, &upper, unspecified);
	if (upper.protocol == IPPROTO_UDP) {
		if (upper.offset + L4_DESTINATION_PORT + sizeof(uint16_t) > length)
			return DROP_UNVERIFIABLE;
		if (load_be16(ip + upper.offset + L4_DESTINATION_PORT) == UDP_DHCPV6_CLIENT &&
			!rules->trusted)
			return DROP_UNTRUSTED_SERVER;
	}
	return judge_source(rules, ip, false);
}
