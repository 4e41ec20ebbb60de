/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/security_rules.h"

#include "packet/headers.h"

/* fe80::/10, of the first half of an address. */
#define LINK_LOCAL      (UINT64_C(0xfe80) << 48)
#define LINK_LOCAL_MASK (UINT64_C(0xffc0) << 48)

/* The upper `length` of 64 bits. */
static uint64_t upper_bits(unsigned length)
{
	return length ? UINT64_MAX << (64 - length) : 0;
}

bool security_allow_ipv4(struct security_rules *rules, const uint8_t address[4], unsigned length)
{
	uint32_t mask = (uint32_t)(upper_bits(length) >> 32);

	if (rules->ipv4_count == SECURITY_ADDRESS_MAX)
		return false;
	rules->has_addresses = true;
	rules->ipv4[rules->ipv4_count++] = (struct security_ipv4){
		.address = load_be32(address) & mask, .mask = mask};
	return true;
}

bool security_allow_ipv6(struct security_rules *rules, const uint8_t address[16], unsigned length)
{
	struct security_ipv6 *entry = &rules->ipv6[rules->ipv6_count];

	if (rules->ipv6_count == SECURITY_ADDRESS_MAX)
		return false;
	rules->has_addresses = true;
	rules->ipv6_count++;
	for (unsigned half = 0; half < 2; half++) {
		unsigned bits = half ? (length > 64 ? length - 64 : 0)
				     : (length < 64 ? length : 64);

		entry->mask[half] = upper_bits(bits);
		entry->address[half] = load_be64(address + 8 * half) & entry->mask[half];
	}
	/* A prefix that is shorter, ::/0 say, does not mean them. */
	if (length >= 10 && (entry->address[0] & LINK_LOCAL_MASK) == LINK_LOCAL)
		rules->link_local_bound = true;
	return true;
}

bool security_lists_ipv4(const struct security_rules *rules, uint32_t address)
{
	for (unsigned i = 0; i < rules->ipv4_count; i++)
		if ((address & rules->ipv4[i].mask) == rules->ipv4[i].address)
			return true;
	return false;
}

bool security_lists_ipv6(const struct security_rules *rules, const uint8_t address[16])
{
	uint64_t high = load_be64(address), low = load_be64(address + 8);

	if (!rules->link_local_bound && (high & LINK_LOCAL_MASK) == LINK_LOCAL)
		return true;
	for (unsigned i = 0; i < rules->ipv6_count; i++)
		if ((high & rules->ipv6[i].mask[0]) == rules->ipv6[i].address[0] &&
			(low & rules->ipv6[i].mask[1]) == rules->ipv6[i].address[1])
			return true;
	return false;
}
