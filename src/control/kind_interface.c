/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/kind_interface.h"

#include "packet/mac.h"
#include "packet/offload.h"

/* What `ethtool -k` calls them, in short. */
static const struct {
	uint8_t offload;
	const char *name;
} offload_names[] = {
	{OFFLOAD_CHECKSUM, "checksum"},
	{OFFLOAD_TCP4, "tso4"},
	{OFFLOAD_TCP6, "tso6"},
	{OFFLOAD_ECN, "ecn"},
	{OFFLOAD_UDP4, "uso4"},
	{OFFLOAD_UDP6, "uso6"},
};

json_t *interface_offloads(uint8_t offloads)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ARRAY_SIZE(offload_names); i++)
		if (offloads & offload_names[i].offload)
			json_array_append_new(list, json_string(offload_names[i].name));
	return list;
}

bool interface_same_words(const struct model_port *old, const struct model_port *new)
{
	const struct schema *schema = model_port_kind_schema(new);

	for (unsigned i = 0; i < schema->count; i++)
		if (!schema_equal(&schema->keys[i], old->settings, new->settings))
			return false;
	return mac_equal(old->mac.bytes, new->mac.bytes) && old->mac.set == new->mac.set;
}

json_t *interface_endpoint(const char *netns, const char *ifname)
{
	return *netns ? json_sprintf("%s/%s", netns, ifname) : json_string(ifname);
}
