/* SPDX-License-Identifier: BSD-3-Clause */
/* vsw port show: all ports, or everything about one; with -s their counters. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/style.h"
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

static void print_ports(const json_t *result)
{
	static const char *const titles[] = {
		"NAME", "TYPE", "NETWORK", "STATE", "MODE", ">QUEUES", "MAC", "SOCKET", NULL};
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
		table_add(&table, "%s", command_text(port, "mac"));
		table_add(&table, "%s", command_text(port, "socket"));
	}
	table_print(&table);
	print_problems(result);
}

/* "receive-ring-full 12, hairpin 3"; to be freed. */
static char *drops_text(const json_t *drops)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	char number[STYLE_NUMBER_SIZE];
	const char *reason;
	json_t *count;
	bool any = false;

	if (!out)
		return NULL;
	json_object_foreach ((json_t *)drops, reason, count) {
		if (!json_integer_value(count))
			continue;
		fprintf(out, "%s%s %s", any ? ", " : "", reason,
			style_number((uint64_t)json_integer_value(count), number));
		any = true;
	}
	fputs(any ? "" : "-", out);
	fclose(out);
	return text;
}

/* The counters of a port or queue, or their rates where it is watched. */
static void add_counters(struct table *table, const json_t *object, bool rated)
{
	static const char *const totals[] = {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes"};
	static const char *const rates[] = {"rx_packets_per_second", "rx_bits_per_second",
		"tx_packets_per_second", "tx_bits_per_second"};
	char *drops = drops_text(json_object_get(object, rated ? "drops_per_second" : "drops"));

	for (unsigned i = 0; i < ARRAY_SIZE(totals); i++)
		command_add_number(table, object, rated ? rates[i] : totals[i]);
	table_add(table, "%s", drops ? drops : "-");
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

static void print_list(const char *title, const json_t *list)
{
	char *text = command_join(list, " ");

	printf("  %-10s  %s\n", title, text ? text : "-");
	free(text);
}

static void print_number(const char *title, const json_t *object, const char *key)
{
	if (json_is_integer(json_object_get(object, key)))
		printf("  %-10s  %" JSON_INTEGER_FORMAT "\n", title, command_number(object, key));
	else
		printf("  %-10s  -\n", title);
}

static void print_amount(const char *title, const json_t *object, const char *key)
{
	char number[STYLE_NUMBER_SIZE];

	printf("  %-10s  %s\n", title, style_number((uint64_t)command_number(object, key), number));
}

static void print_traffic(
	const char *title, const json_t *port, const char *packets, const char *bytes)
{
	char first[STYLE_NUMBER_SIZE], second[STYLE_NUMBER_SIZE];

	printf("  %-10s  %s packets, %s bytes\n", title,
		style_number((uint64_t)command_number(port, packets), first),
		style_number((uint64_t)command_number(port, bytes), second));
}

/* Where a loop was noticed: nothing is flooded into or out of the port there for a while. */
static void print_holds(const json_t *port)
{
	const json_t *hold;
	size_t i;

	json_array_foreach (json_object_get(port, "held"), i, hold)
		printf("  %-10s  in %s for %" JSON_INTEGER_FORMAT
		       " s more: %s moves back and forth between it and %s\n",
			"held", command_text(hold, "network"), command_number(hold, "seconds"),
			command_text(hold, "mac"), command_text(hold, "other"));
}

static void print_one_port(const json_t *port)
{
	char *drops = drops_text(json_object_get(port, "drops"));

	printf("%s: %s, %s\n", command_text(port, "name"), command_text(port, "type"),
		command_text(port, "state"));
	if (json_is_string(json_object_get(port, "problem")))
		printf("  %-10s  %s (%" JSON_INTEGER_FORMAT " s ago)\n", "problem",
			command_text(port, "problem"), command_number(port, "problem_age"));
	printf("  %-10s  %s\n", "network", command_text(port, "network"));
	if (json_is_array(json_object_get(port, "trunk")))
		print_list("trunk", json_object_get(port, "trunk"));
	printf("  %-10s  %s, %s\n", "socket", command_text(port, "socket"),
		command_text(port, "mode"));
	printf("  %-10s  %s\n", "mac", command_text(port, "mac"));
	print_number("mtu", port, "mtu");
	if (json_is_array(json_object_get(port, "ip")))
		print_list("ip", json_object_get(port, "ip"));
	if (json_is_true(json_object_get(port, "trusted")))
		printf("  %-10s  %s\n", "trusted", "true");
	print_holds(port);
	if (json_is_integer(json_object_get(port, "flood_limit")))
		print_number("flooding", port, "flood_limit");
	if (json_is_true(json_object_get(port, "qinq")))
		printf("  %-10s  %s\n", "qinq", "true");
	printf("  %-10s  %" JSON_INTEGER_FORMAT ", running %" JSON_INTEGER_FORMAT "\n", "queues",
		command_number(port, "queues"), command_number(port, "queues_running"));
	print_number("peer pid", port, "peer_pid");
	print_amount("memory", port, "memory_bytes");
	print_number("connected", port, "connections");
	if (command_number(port, "owed_signals"))
		print_number("late intr.", port, "owed_signals");
	print_list("features", json_object_get(port, "features"));
	print_list("protocol", json_object_get(port, "protocol_features"));
	print_traffic("rx", port, "rx_packets", "rx_bytes");
	print_traffic("tx", port, "tx_packets", "tx_bytes");
	printf("  %-10s  %s\n", "drops", drops ? drops : "-");
	free(drops);
}

/* With --state there may be none. */
static void print_first_port(const json_t *result)
{
	if (!json_array_size(result))
		return;
	print_one_port(json_array_get(result, 0));
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
