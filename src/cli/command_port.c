/* SPDX-License-Identifier: BSD-3-Clause */
/* vsw port show: all ports, or everything about one; with -s their counters. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/port_details.h"
#include "cli/table.h"

static void add_membership(struct table *table, const json_t *port)
{
	const json_t *trunk = json_object_get(port, "trunk");
	char *names;

	if (!json_is_array(trunk)) {
		table_add(table, "%s", command_text(port, "network"));
		return;
	}
	names = command_join(trunk, ",");
	table_add(table, "%s%s%s", names ? names : "-",
		json_is_string(json_object_get(port, "native")) ? " native " : "",
		json_is_string(json_object_get(port, "native")) ? command_text(port, "native")
								: "");
	free(names);
}

/* Below a table of ports: what is wrong with which. */
static void print_problems(const json_t *result)
{
	const json_t *port;
	size_t i;

	json_array_foreach (result, i, port)
		if (json_is_string(json_object_get(port, "problem")))
			printf("%s: %s\n", command_text(port, "name"),
				command_text(port, "problem"));
}

/* The one that is configured, or else that of the interface. */
static const char *mac_member(const json_t *port)
{
	return json_is_string(json_object_get(port, "mac")) ? "mac" : "interface_mac";
}

static void print_ports(const json_t *result)
{
	static const char *const titles[] = {
		"NAME", "TYPE", "NETWORK", "STATE", "MODE", ">QUEUES", "MAC", "ENDPOINT", NULL};
	struct table table;
	const json_t *port;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, port) {
		table_add(&table, "%s", command_text(port, "name"));
		table_add(&table, "%s", command_text(port, "type"));
		add_membership(&table, port);
		table_add(&table, "%s", command_text(port, "state"));
		table_add(&table, "%s", command_text(port, "mode"));
		command_add_plain(&table, port, "queues");
		table_add(&table, "%s", command_text(port, mac_member(port)));
		table_add(&table, "%s", command_text(port, "endpoint"));
	}
	table_print(&table);
	print_problems(result);
}

/* The counters of a port or queue, or their rates where it is watched. */
static void add_counters(struct table *table, const json_t *object, bool rated)
{
	static const char *const totals[] = {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes"};
	static const char *const rates[] = {"rx_packets_per_second", "rx_bits_per_second",
		"tx_packets_per_second", "tx_bits_per_second"};
	const json_t *reasons = json_object_get(object, rated ? "drops_per_second" : "drops");
	char *drops = port_details_drops(reasons);
	double sum = 0;
	const char *reason;
	json_t *count;

	for (unsigned i = 0; i < ARRAY_SIZE(totals); i++)
		command_add_number(table, object, rated ? rates[i] : totals[i]);
	table_add(table, "%s", drops ? drops : "-");
	/* The column sorts by the total, whatever the reasons. */
	json_object_foreach ((json_t *)reasons, reason, count)
		sum += json_number_value(count);
	table_rank(table, sum);
	free(drops);
}

static void print_port_statistics(const json_t *result)
{
	static const char *const totals[] = {"NAME", "STATE", ">RX-PACKETS", ">RX-BYTES",
		">TX-PACKETS", ">TX-BYTES", "DROPS", NULL};
	static const char *const rates[] = {"NAME", "STATE", ">RX-PACKETS/S", ">RX-BITS/S",
		">TX-PACKETS/S", ">TX-BITS/S", "DROPS/S", NULL};
	bool rated = command_has_rates(result);
	struct table table;
	const json_t *port;
	size_t i;

	table_init(&table, rated ? rates : totals);
	json_array_foreach (result, i, port) {
		table_add(&table, "%s", command_text(port, "name"));
		table_add(&table, "%s", command_text(port, "state"));
		add_counters(&table, port, rated);
	}
	table_print(&table);
	print_problems(result);
}

/* The queues of one port: who serves them, and their counters. */
static void print_queues(const json_t *port)
{
	static const char *const totals[] = {">QUEUE", ">WORKER", ">CYCLES", ">RX-PACKETS",
		">RX-BYTES", ">TX-PACKETS", ">TX-BYTES", "DROPS", NULL};
	static const char *const rates[] = {">QUEUE", ">WORKER", ">CYCLES/S", ">RX-PACKETS/S",
		">RX-BITS/S", ">TX-PACKETS/S", ">TX-BITS/S", "DROPS/S", NULL};
	const json_t *queues = json_object_get(port, "per_queue");
	bool rated = command_has_rates(queues);
	struct table table;
	const json_t *queue;
	size_t i;

	table_init(&table, rated ? rates : totals);
	table.fixed = true;
	json_array_foreach (queues, i, queue) {
		command_add_plain(&table, queue, "queue");
		command_add_plain(&table, queue, "worker");
		command_add_number(
			&table, queue, rated ? "worker_cycles_per_second" : "worker_cycles");
		add_counters(&table, queue, rated);
	}
	putchar('\n');
	table_print(&table);
}

/* With --state there may be none. */
static void print_first_port(const json_t *result)
{
	if (!json_array_size(result))
		return;
	port_details_print(json_array_get(result, 0));
	print_queues(json_array_get(result, 0));
}

static void print_first_port_statistics(const json_t *result)
{
	print_port_statistics(result);
	print_queues(json_array_get(result, 0));
}

/* Watched ports are shown by their rates. */
int command_port_show(const struct command_line *line)
{
	json_t *params = line->argument ? json_pack("{s:s}", "name", line->argument) : NULL;

	if (line->given & (COMMAND_STATISTICS | COMMAND_WATCH))
		return command_ask(line, "port.show", params,
			line->argument ? print_first_port_statistics : print_port_statistics);
	return command_ask(
		line, "port.show", params, line->argument ? print_first_port : print_ports);
}

static void print_nothing(const json_t *result)
{
}

int command_port_reset(const struct command_line *line)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < line->argument_count; i++)
		json_array_append_new(names, json_string(line->arguments[i]));
	return command_ask(line, "port.reset", json_pack("{s:o}", "names", names), print_nothing);
}
