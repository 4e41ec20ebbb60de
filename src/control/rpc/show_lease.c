/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/show_lease.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/services.h"
#include "control/value.h"
#include "packet/mac.h"

/* Leases are collected to be sorted. */
struct list {
	struct lease_record *of;
	unsigned count, room;
	bool short_of_memory;
};

static void collect(void *owner, const struct lease_record *record)
{
	struct list *list = owner;

	if (record->lease.state == LEASE_PAST)
		return;
	if (list->count == list->room) {
		unsigned room = list->room ? 2 * list->room : 64;
		struct lease_record *grown = reallocarray(list->of, room, sizeof(*grown));

		if (!grown) {
			list->short_of_memory = true;
			return;
		}
		list->of = grown;
		list->room = room;
	}
	list->of[list->count++] = *record;
}

static int compare(const void *a, const void *b)
{
	const struct lease_record *x = a, *y = b;
	int order = strcmp(x->network, y->network);

	if (!order)
		order = (int)x->ipv6 - (int)y->ipv6;
	return order ? order
		     : (x->lease.address > y->lease.address) -
			       (x->lease.address < y->lease.address);
}

static json_t *show_lease(const struct lease_record *record, uint64_t now)
{
	static const char *const states[] = {[LEASE_OFFERED] = "offered",
		[LEASE_BOUND] = "bound",
		[LEASE_DECLINED] = "declined"};
	const struct lease *lease = &record->lease;
	char address[LEASE_ADDRESS_TEXT_SIZE], mac[MAC_TEXT_SIZE];
	char client[2 * LEASE_CLIENT_MAX + 1] = "";
	bool forever = lease->until == UINT64_MAX;

	lease_record_address(record, address);
	mac_format(lease->mac, mac);
	for (unsigned i = 0; i < lease->client.length; i++)
		snprintf(client + 2 * (size_t)i, 3, "%02x", lease->client.id[i]);
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s?, s:s}", "address", address, "network",
		record->network, "port", lease->client.owner, "state", states[lease->state],
		"seconds",
		forever ? json_null()
			: json_integer((json_int_t)(lease->until > now ? lease->until - now : 0)),
		"mac", mac_is_zero(lease->mac) ? json_null() : json_string(mac), "host",
		*lease->host ? lease->host : NULL, "client", client);
}

/* Addresses of a port's own: what its guest is told to use. */
static void add_static(json_t *array, const struct model *model, const struct model_port *port)
{
	const struct model_network *network = model_find_network(
		model, *port->network ? port->network : port->native);
	char address[VALUE_ADDRESS_TEXT_SIZE], mac[VALUE_MAC_TEXT_SIZE];

	if (!network || !network->dhcp.enabled)
		return;
	value_mac_format(port->mac.bytes, mac);
	for (unsigned i = 0; i < port->ip.count; i++) {
		if (!value_prefix_holds(&network->subnet, &port->ip.of[i]) ||
			port->ip.of[i].length != 32)
			continue;
		value_address_format(&port->ip.of[i], VALUE_PREFIX, address);
		json_array_append_new(array,
			json_pack("{s:s, s:s, s:s, s:s, s:n, s:o, s:n, s:n}", "address", address,
				"network", network->name, "port", port->name, "state", "static",
				"seconds", "mac", port->mac.set ? json_string(mac) : json_null(),
				"host", "client"));
	}
}

json_t *show_leases(struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const struct model *model = &runtime->state.model;
	uint64_t now = (uint64_t)time(NULL);
	struct list list = {0};
	json_t *array = json_array();

	services_each_lease(runtime->services, collect, &list);
	if (list.count)
		qsort(list.of, list.count, sizeof(*list.of), compare);
	for (unsigned i = 0; i < list.count; i++)
		json_array_append_new(array, show_lease(&list.of[i], now));
	for (unsigned i = 0; i < model->port_count; i++)
		add_static(array, model, &model->ports[i]);
	free(list.of);
	if (!list.short_of_memory)
		return array;
	json_decref(array);
	failure->code = SHOW_REFUSED;
	error_set(&failure->error, -ENOMEM, "out of memory");
	return NULL;
}

json_t *delete_lease(struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const char *network = json_string_value(json_object_get(params, "network"));
	const char *address = json_string_value(json_object_get(params, "address"));
	int rc;

	if (!network || !address) {
		failure->code = SHOW_BAD_PARAMS;
		error_set(&failure->error, -EINVAL,
			"params must be {\"network\": NAME, \"address\": ADDRESS}");
		return NULL;
	}
	rc = services_end_lease(runtime->services, network, address);
	if (rc == 0)
		return json_true();
	failure->code = SHOW_REFUSED;
	error_set(&failure->error, rc,
		rc == -ENOENT ? "no lease of '%.64s' in network '%.64s'"
			      : "the lease of '%.64s' in network '%.64s' cannot be ended: the "
				"journal cannot be written",
		address, network);
	return NULL;
}

void show_add_pool(json_t *dhcp, struct runtime *runtime, const char *network)
{
	struct services_pool pool;

	if (!json_is_object(dhcp) || !services_pool(runtime->services, network, &pool))
		return;
	json_object_set_new(dhcp, "pool",
		json_pack("{s:I, s:i, s:i, s:i, s:I, s:I}", "size", (json_int_t)pool.size, "bound",
			(int)pool.bound, "offered", (int)pool.offered, "declined",
			(int)pool.declined, "none_left", (json_int_t)pool.refused, "port_limit",
			(json_int_t)pool.limited));
}
