/* SPDX-License-Identifier: BSD-3-Clause */
/* `vsw lease`: what DHCP has given out. */
#include <stdio.h>

#include "base/common.h"
#include "cli/client.h"
#include "cli/command.h"

static void print_leases(const json_t *result)
{
	static const char *const titles[] = {
		"ADDRESS", "NETWORK", "PORT", "STATE", ">SECONDS", "MAC", "HOST", NULL};
	struct table table;
	const json_t *lease;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, lease) {
		table_add(&table, "%s", command_text(lease, "address"));
		table_add(&table, "%s", command_text(lease, "network"));
		table_add(&table, "%s", command_text(lease, "port"));
		table_add(&table, "%s", command_text(lease, "state"));
		command_add_plain(&table, lease, "seconds");
		table_add(&table, "%s", command_text(lease, "mac"));
		table_add(&table, "%s", command_text(lease, "host"));
	}
	table_print(&table);
}

/* A line for each network whose addresses are used up, or were. */
static void print_pools(const json_t *networks)
{
	const json_t *network;
	size_t i;

	json_array_foreach (networks, i, network) {
		const json_t *pool = json_object_get(json_object_get(network, "dhcp"), "pool");
		json_int_t used = command_number(pool, "bound") + command_number(pool, "offered") +
				  command_number(pool, "declined");

		if (pool && used >= command_number(pool, "size"))
			printf("network %s: no address is left of %" JSON_INTEGER_FORMAT "\n",
				command_text(network, "name"), command_number(pool, "size"));
		if (command_number(pool, "none_left"))
			printf("network %s: requests while none was left: %" JSON_INTEGER_FORMAT
			       "\n",
				command_text(network, "name"), command_number(pool, "none_left"));
		if (command_number(pool, "port_limit"))
			printf("network %s: requests of ports that had as many as they may: "
			       "%" JSON_INTEGER_FORMAT "\n",
				command_text(network, "name"), command_number(pool, "port_limit"));
	}
}

int command_lease_show(const struct command_line *line)
{
	int status = command_ask(line, "lease.show", NULL, print_leases);
	json_t *networks;

	if (status != COMMAND_DONE || line->json || line->given & COMMAND_WATCH)
		return status;
	networks = client_call(line->control, "network.show", NULL);
	print_pools(networks);
	json_decref(networks);
	return networks ? COMMAND_DONE : COMMAND_REFUSED;
}

static void print_nothing(const json_t *result)
{
}

int command_lease_del(const struct command_line *line)
{
	return command_ask(line, "lease.del",
		json_pack("{s:s, s:s}", "network", line->network, "address", line->argument),
		print_nothing);
}
