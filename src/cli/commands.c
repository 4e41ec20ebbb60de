/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/table.h"

void command_print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
}

const char *command_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

json_int_t command_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Asks, prints JSON where that is wanted, else calls print(). The result is printed and freed. */
static int ask_and_print(const struct command_line *line, const char *method, json_t *params,
	void (*print)(const json_t *result))
{
	json_t *result = client_call(line->control, method, params);

	if (!result)
		return COMMAND_REFUSED;
	if (line->json)
		command_print_json(result);
	else
		print(result);
	json_decref(result);
	return COMMAND_DONE;
}

/* The strings of a list with a separator between them, to be freed; "-" for an empty list. */
static char *join(const json_t *list, const char *separator)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	const json_t *item;
	size_t i;

	if (!out)
		return NULL;
	json_array_foreach (list, i, item)
		fprintf(out, "%s%s", i ? separator : "", json_string_value(item));
	if (!json_array_size(list))
		fputc('-', out);
	fclose(out);
	return text;
}

static void add_joined(struct table *table, const json_t *list, const char *separator)
{
	char *text = join(list, separator);

	table_add(table, "%s", text ? text : "-");
	free(text);
}

/* A number where the member is one, "-" where it is null. */
static void add_number(struct table *table, const json_t *object, const char *key)
{
	if (json_is_integer(json_object_get(object, key)))
		table_add(table, "%" JSON_INTEGER_FORMAT, command_number(object, key));
	else
		table_add(table, "-");
}

static void print_switch(const json_t *result)
{
	const json_t *fdb = json_object_get(result, "fdb");

	printf("vswd %s, pid %" JSON_INTEGER_FORMAT ", up %" JSON_INTEGER_FORMAT " s\n",
		command_text(result, "version"), command_number(result, "pid"),
		command_number(result, "uptime"));
	printf("sockets   %s\n", command_text(result, "socket-dir"));
	printf("workers   %" JSON_INTEGER_FORMAT ", %s\n", command_number(result, "workers"),
		command_text(result, "poll"));
	printf("networks  %" JSON_INTEGER_FORMAT "\n", command_number(result, "networks"));
	printf("ports     %" JSON_INTEGER_FORMAT ", connected %" JSON_INTEGER_FORMAT "\n",
		command_number(result, "ports"), command_number(result, "connected"));
	printf("fdb       %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
	       " addresses, ageing %" JSON_INTEGER_FORMAT " s\n",
		command_number(fdb, "addresses"), command_number(fdb, "size"),
		command_number(fdb, "ageing"));
}

int command_show(const struct command_line *line)
{
	return ask_and_print(line, "show", NULL, print_switch);
}

static const char *port_state(const json_t *port)
{
	if (json_is_true(json_object_get(port, "running")))
		return "running";
	return json_is_true(json_object_get(port, "connected")) ? "connected" : "down";
}

static void add_membership(struct table *table, const json_t *port)
{
	const json_t *trunk = json_object_get(port, "trunk");
	char *names;

	if (!json_is_array(trunk)) {
		table_add(table, "%s", command_text(port, "network"));
		return;
	}
	names = join(trunk, ",");
	table_add(table, "%s%s%s", names ? names : "-",
		json_is_string(json_object_get(port, "native")) ? " native " : "",
		json_is_string(json_object_get(port, "native")) ? command_text(port, "native")
								: "");
	free(names);
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
		table_add(&table, "%s", port_state(port));
		table_add(&table, "%s", command_text(port, "mode"));
		add_number(&table, port, "queues");
		table_add(&table, "%s", command_text(port, "mac"));
		table_add(&table, "%s", command_text(port, "socket"));
	}
	table_print(&table);
}

/* "receive-ring-full 12, hairpin 3"; to be freed. */
static char *drops_text(const json_t *drops)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	const char *reason;
	json_t *count;
	bool any = false;

	if (!out)
		return NULL;
	json_object_foreach ((json_t *)drops, reason, count) {
		if (!json_integer_value(count))
			continue;
		fprintf(out, "%s%s %" JSON_INTEGER_FORMAT, any ? ", " : "", reason,
			json_integer_value(count));
		any = true;
	}
	fputs(any ? "" : "-", out);
	fclose(out);
	return text;
}

static void print_port_statistics(const json_t *result)
{
	static const char *const titles[] = {"NAME", "STATE", ">RX-PACKETS", ">RX-BYTES",
		">TX-PACKETS", ">TX-BYTES", "DROPS", NULL};
	struct table table;
	const json_t *port;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, port) {
		char *drops = drops_text(json_object_get(port, "drops"));

		table_add(&table, "%s", command_text(port, "name"));
		table_add(&table, "%s", port_state(port));
		add_number(&table, port, "rx_packets");
		add_number(&table, port, "rx_bytes");
		add_number(&table, port, "tx_packets");
		add_number(&table, port, "tx_bytes");
		table_add(&table, "%s", drops ? drops : "-");
		free(drops);
	}
	table_print(&table);
}

static void print_list(const char *title, const json_t *list)
{
	char *text = join(list, " ");

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

static void print_one_port(const json_t *port)
{
	char *drops = drops_text(json_object_get(port, "drops"));

	printf("%s: %s, %s\n", command_text(port, "name"), command_text(port, "type"),
		port_state(port));
	printf("  %-10s  %s\n", "network", command_text(port, "network"));
	if (json_is_array(json_object_get(port, "trunk")))
		print_list("trunk", json_object_get(port, "trunk"));
	printf("  %-10s  %s, %s\n", "socket", command_text(port, "socket"),
		command_text(port, "mode"));
	printf("  %-10s  %s\n", "mac", command_text(port, "mac"));
	print_number("mtu", port, "mtu");
	printf("  %-10s  %" JSON_INTEGER_FORMAT ", running %" JSON_INTEGER_FORMAT "\n", "queues",
		command_number(port, "queues"), command_number(port, "queues_running"));
	print_number("peer pid", port, "peer_pid");
	print_number("memory", port, "memory_bytes");
	print_number("connected", port, "connections");
	print_list("features", json_object_get(port, "features"));
	print_list("protocol", json_object_get(port, "protocol_features"));
	printf("  %-10s  %" JSON_INTEGER_FORMAT " packets, %" JSON_INTEGER_FORMAT " bytes\n", "rx",
		command_number(port, "rx_packets"), command_number(port, "rx_bytes"));
	printf("  %-10s  %" JSON_INTEGER_FORMAT " packets, %" JSON_INTEGER_FORMAT " bytes\n", "tx",
		command_number(port, "tx_packets"), command_number(port, "tx_bytes"));
	printf("  %-10s  %s\n", "drops", drops ? drops : "-");
	free(drops);
}

static void print_first_port(const json_t *result)
{
	print_one_port(json_array_get(result, 0));
}

int command_port_show(const struct command_line *line)
{
	json_t *params = line->argument ? json_pack("{s:s}", "name", line->argument) : NULL;

	if (line->given & COMMAND_STATISTICS)
		return ask_and_print(line, "port.show", params, print_port_statistics);
	return ask_and_print(
		line, "port.show", params, line->argument ? print_first_port : print_ports);
}

static void print_fdb(const json_t *result)
{
	static const char *const titles[] = {"MAC", "NETWORK", "PORT", ">AGE", NULL};
	struct table table;
	const json_t *entry;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, entry) {
		table_add(&table, "%s", command_text(entry, "mac"));
		table_add(&table, "%s", command_text(entry, "network"));
		table_add(&table, "%s", command_text(entry, "port"));
		if (json_is_true(json_object_get(entry, "static")))
			table_add(&table, "static");
		else
			add_number(&table, entry, "age");
	}
	table_print(&table);
}

int command_fdb_show(const struct command_line *line)
{
	return ask_and_print(line, "fdb.show", NULL, print_fdb);
}

static void print_networks(const json_t *result)
{
	static const char *const titles[] = {"NAME", ">VLAN", "PORTS", NULL};
	struct table table;
	const json_t *network;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, network) {
		table_add(&table, "%s", command_text(network, "name"));
		add_number(&table, network, "vlan");
		add_joined(&table, json_object_get(network, "ports"), " ");
	}
	table_print(&table);
}

int command_network_show(const struct command_line *line)
{
	return ask_and_print(line, "network.show", NULL, print_networks);
}

static void add_real(struct table *table, const json_t *object, const char *key)
{
	table_add(table, "%.1f", json_number_value(json_object_get(object, key)));
}

/* "vm1:0 vm1:1"; to be freed. */
static char *queues_text(const json_t *queues)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	const json_t *queue;
	size_t i;

	if (!out)
		return NULL;
	json_array_foreach (queues, i, queue)
		fprintf(out, "%s%s:%" JSON_INTEGER_FORMAT, i ? " " : "",
			command_text(queue, "port"), command_number(queue, "queue"));
	fputs(json_array_size(queues) ? "" : "-", out);
	fclose(out);
	return text;
}

static void print_workers(const json_t *result)
{
	static const char *const titles[] = {">ID", ">CPU", ">BUSY-%", ">WAKEUPS", ">FRAMES",
		">BATCHES", ">FRAMES/BATCH", ">CYCLES/FRAME", "QUEUES", NULL};
	struct table table;
	const json_t *worker;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, worker) {
		char *queues = queues_text(json_object_get(worker, "queues"));

		add_number(&table, worker, "id");
		add_number(&table, worker, "cpu");
		add_real(&table, worker, "busy_percent");
		add_number(&table, worker, "wakeups");
		add_number(&table, worker, "frames");
		add_number(&table, worker, "batches");
		add_real(&table, worker, "frames_per_batch");
		add_real(&table, worker, "cycles_per_frame");
		table_add(&table, "%s", queues ? queues : "-");
		free(queues);
	}
	table_print(&table);
}

int command_worker_show(const struct command_line *line)
{
	int status = ask_and_print(line, "worker.show", NULL, print_workers);
	json_t *result;

	if (status != COMMAND_DONE || !(line->given & COMMAND_RESET))
		return status;
	result = client_call(line->control, "worker.reset", NULL);
	json_decref(result);
	return result ? COMMAND_DONE : COMMAND_REFUSED;
}

static void print_drops(const json_t *result)
{
	static const char *const titles[] = {"REASON", "PORT", ">FRAMES", NULL};
	struct table table;
	const json_t *reason;
	unsigned rows = 0;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, reason) {
		const char *port;
		json_t *count;

		json_object_foreach (json_object_get(reason, "ports"), port, count) {
			table_add(&table, "%s", command_text(reason, "name"));
			table_add(&table, "%s", port);
			table_add(&table, "%" JSON_INTEGER_FORMAT, json_integer_value(count));
			rows++;
		}
	}
	if (!rows) {
		printf("no frame was dropped\n");
		return;
	}
	table_print(&table);
	json_array_foreach (result, i, reason) {
		if (!command_number(reason, "count"))
			continue;
		printf("\n%s: %s\n  %s\n", command_text(reason, "name"),
			command_text(reason, "meaning"), command_text(reason, "advice"));
	}
}

int command_drops(const struct command_line *line)
{
	return ask_and_print(line, "drops", NULL, print_drops);
}
