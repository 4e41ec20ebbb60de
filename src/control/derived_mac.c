/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/derived_mac.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Locally administered, not a group's, and how QEMU's and libvirt's own begin. */
#define PREFIX UINT64_C(0x525400000000)

/* The addresses that are given out: open addressing, never more than a quarter full. 0 is no
 * port's. */
struct taken {
	uint64_t *slots;
	size_t mask;
};

uint32_t derived_mac_hash(const char *host, const char *port)
{
	char text[512];

	(void)!snprintf(text, sizeof(text), "%s/%s", host, port);
	return (uint32_t)XXH64(text, strlen(text), 0);
}

/* True where the address was free; it is not any more. */
static bool take(struct taken *taken, uint64_t mac)
{
	size_t slot = XXH64(&mac, sizeof(mac), 0) & taken->mask;

	for (; taken->slots[slot]; slot = (slot + 1) & taken->mask)
		if (taken->slots[slot] == mac)
			return false;
	taken->slots[slot] = mac;
	return true;
}

static uint64_t mac_number(const uint8_t mac[6])
{
	uint64_t number = 0;

	for (unsigned i = 0; i < 6; i++)
		number = number << 8 | mac[i];
	return number;
}

int derived_macs(const struct model *model, const char *host,
	uint32_t (*hash)(const char *host, const char *port), uint8_t (*macs)[6])
{
	struct taken taken = {.mask = 1};

	while (taken.mask < 4 * (size_t)model->port_count)
		taken.mask = 2 * taken.mask + 1;
	taken.slots = calloc(taken.mask + 1, sizeof(*taken.slots));
	if (!taken.slots)
		return -ENOMEM;
	for (unsigned i = 0; i < model->port_count; i++) {
		if (!model->ports[i].mac.set)
			continue;
		memcpy(macs[i], model->ports[i].mac.bytes, sizeof(macs[i]));
		take(&taken, mac_number(macs[i]));
	}
	for (unsigned i = 0; i < model->port_count; i++) {
		uint32_t low;

		if (model->ports[i].mac.set)
			continue;
		low = hash(host, model->ports[i].name);
		while (!take(&taken, PREFIX | low))
			low++;
		for (unsigned byte = 0; byte < 6; byte++)
			macs[i][byte] = (uint8_t)((PREFIX | low) >> (40 - 8 * byte));
	}
	free(taken.slots);
	return 0;
}
