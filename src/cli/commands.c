/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/table.h"

const char *command_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

json_int_t command_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

char *command_join(const json_t *list, const char *separator)
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
	char *text = command_join(list, separator);

	table_add(table, "%s", text ? text : "-");
	free(text);
}

void command_add_number(struct table *table, const json_t *object, const char *key)
{
	if (json_is_integer(json_object_get(object, key)))
		table_add_number(table, (uint64_t)command_number(object, key));
	else
		table_add(table, "-");
}

void command_add_plain(struct table *table, const json_t *object, const char *key)
{
	if (json_is_integer(json_object_get(object, key)))
		table_add(table, "%" JSON_INTEGER_FORMAT, command_number(object, key));
	else
		table_add(table, "-");
	if (json_is_integer(json_object_get(object, key)))
		table_rank(table, (double)command_number(object, key));
}

bool command_has_rates(const json_t *list)
{
	static const char *const rates[] = {
		"rx_packets_per_second", "frames_per_second", "count_per_second"};

	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++)
		if (json_object_get(json_array_get(list, 0), rates[i]))
			return true;
	return false;
}

/* The file that vswd reads, and whether what runs is what it said. */
static void print_config(const json_t *result)
{
	const char *applied = json_string_value(json_object_get(result, "config_applied"));
	json_int_t count = command_number(result, "changes_by_hand");

	printf("config    %s", command_text(result, "config_file"));
	if (applied)
		printf(", but %s was applied since", applied);
	if (count)
		printf("%s changes by hand: %" JSON_INTEGER_FORMAT, applied ? ";" : ",", count);
	printf("%s\n", applied || count ? " ('vsw config save' keeps what is running)" : "");
}

/* Nothing where there is no router. */
static void print_router_count(const json_t *result)
{
	const json_t *failed = json_object_get(result, "routers_failed");
	char *names = command_join(failed, ", ");

	if (command_number(result, "routers"))
		printf("routers   %" JSON_INTEGER_FORMAT "%s%s%s\n",
			command_number(result, "routers"),
			json_array_size(failed) ? ", failed: " : "",
			json_array_size(failed) && names ? names : "",
			json_array_size(failed) ? " (see 'vsw router show')" : "");
	free(names);
}

static void print_switch(const json_t *result)
{
	const json_t *fdb = json_object_get(result, "fdb");

	printf("vswd %s, pid %" JSON_INTEGER_FORMAT ", up %" JSON_INTEGER_FORMAT " s\n",
		command_text(result, "version"), command_number(result, "pid"),
		command_number(result, "uptime"));
	print_config(result);
	printf("sockets   %s\n", command_text(result, "socket_dir"));
	printf("workers   %" JSON_INTEGER_FORMAT ", %s\n", command_number(result, "workers"),
		command_text(result, "poll"));
	printf("networks  %" JSON_INTEGER_FORMAT "\n", command_number(result, "networks"));
	printf("ports     %" JSON_INTEGER_FORMAT ", VMs connected %" JSON_INTEGER_FORMAT
	       " of %" JSON_INTEGER_FORMAT "\n",
		command_number(result, "ports"), command_number(result, "connected"),
		command_number(result, "vm_ports"));
	print_router_count(result);
	printf("fdb       %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
	       " addresses, ageing %" JSON_INTEGER_FORMAT " s\n",
		command_number(fdb, "addresses"), command_number(fdb, "size"),
		command_number(fdb, "ageing"));
	if (command_number(json_object_get(result, "loops"), "noticed"))
		printf("loops     %" JSON_INTEGER_FORMAT
		       " noticed, ports held now: %" JSON_INTEGER_FORMAT "\n",
			command_number(json_object_get(result, "loops"), "noticed"),
			command_number(json_object_get(result, "loops"), "held"));
	if (command_number(result, "log_lines_lost"))
		printf("log       %" JSON_INTEGER_FORMAT " lines lost: nobody reads the log\n",
			command_number(result, "log_lines_lost"));
}

int command_show(const struct command_line *line)
{
	return command_ask(line, "show", NULL, print_switch);
}

static void print_networks(const json_t *result)
{
	static const char *const titles[] = {"NAME", ">VLAN", "PORTS", "HELD", NULL};
	struct table table;
	const json_t *network;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, network) {
		table_add(&table, "%s", command_text(network, "name"));
		command_add_plain(&table, network, "vlan");
		add_joined(&table, json_object_get(network, "ports"), " ");
		add_joined(&table, json_object_get(network, "held"), " ");
	}
	table_print(&table);
}

int command_network_show(const struct command_line *line)
{
	return command_ask(line, "network.show", NULL, print_networks);
}

static void print_routers(const json_t *result)
{
	static const char *const titles[] = {
		"ROUTER", "STATE", "NETNS", "UPLINK", "NETWORKS", "ADDRESSES", NULL};
	struct table table;
	const json_t *router;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, router) {
		table_add(&table, "%s", command_text(router, "name"));
		table_add(&table, "%s", command_text(router, "state"));
		table_add(&table, "%s", command_text(router, "netns"));
		table_add(&table, "%s", command_text(router, "uplink"));
		add_joined(&table, json_object_get(router, "networks"), " ");
		add_joined(&table, json_object_get(router, "addresses"), " ");
	}
	table_print(&table);
	json_array_foreach (result, i, router)
		if (json_is_string(json_object_get(router, "problem")))
			printf("%s: %s\n", command_text(router, "name"),
				command_text(router, "problem"));
}

int command_router_show(const struct command_line *line)
{
	return command_ask(line, "router.show", NULL, print_routers);
}

static void add_real(struct table *table, const json_t *object, const char *key)
{
	table_add_real(table, json_number_value(json_object_get(object, key)));
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
	static const char *const totals[] = {">ID", ">CPU", ">BUSY-%", ">WAKEUPS", ">FRAMES",
		">BATCHES", ">FRAMES/BATCH", ">CYCLES/FRAME", "QUEUES", NULL};
	static const char *const rates[] = {">ID", ">CPU", ">BUSY-%", ">WAKEUPS/S", ">FRAMES/S",
		">BATCHES", ">FRAMES/BATCH", ">CYCLES/FRAME", "QUEUES", NULL};
	bool rated = command_has_rates(result);
	struct table table;
	const json_t *worker;
	size_t i;

	table_init(&table, rated ? rates : totals);
	json_array_foreach (result, i, worker) {
		char *queues = queues_text(json_object_get(worker, "queues"));

		command_add_plain(&table, worker, "id");
		command_add_plain(&table, worker, "cpu");
		add_real(&table, worker, "busy_percent");
		command_add_number(&table, worker, rated ? "wakeups_per_second" : "wakeups");
		command_add_number(&table, worker, rated ? "frames_per_second" : "frames");
		command_add_number(&table, worker, "batches");
		add_real(&table, worker, "frames_per_batch");
		add_real(&table, worker, "cycles_per_frame");
		table_add(&table, "%s", queues ? queues : "-");
		free(queues);
	}
	table_print(&table);
}

/* Where a frame's cycles go; "-" as long as none was measured. */
static void print_stages(const json_t *result)
{
	static const char *const titles[] = {">ID", ">FRAMES", ">CYCLES/FRAME", ">MEASURED",
		">RECEIVE", ">PARSE", ">FORWARD", ">SEND", ">RELEASE", ">KICK", NULL};
	static const char *const stages[] = {
		"receive", "parse", "forward", "send", "release", "kick"};
	struct table table;
	const json_t *worker;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, worker) {
		command_add_plain(&table, worker, "id");
		command_add_number(&table, worker, "frames");
		add_real(&table, worker, "cycles_per_frame");
		command_add_number(&table, worker, "measured_frames");
		for (unsigned stage = 0; stage < ARRAY_SIZE(stages); stage++)
			if (command_number(worker, "measured_frames"))
				add_real(&table, json_object_get(worker, "stages"), stages[stage]);
			else
				table_add(&table, "-");
	}
	table_print(&table);
}

int command_worker_show(const struct command_line *line)
{
	bool stages = line->given & COMMAND_STATISTICS;
	int status = command_ask(line, "worker.show", NULL, stages ? print_stages : print_workers);
	json_t *result;

	if (status != COMMAND_DONE || !(line->given & COMMAND_RESET))
		return status;
	result = client_call(line->control, "worker.reset", NULL);
	json_decref(result);
	return result ? COMMAND_DONE : COMMAND_REFUSED;
}

/* A row for each port of a reason. */
static unsigned add_drops(struct table *table, const json_t *reason, bool rated)
{
	const json_t *rates = json_object_get(reason, "ports_per_second");
	unsigned rows = 0;
	const char *port;
	json_t *count;

	json_object_foreach (json_object_get(reason, "ports"), port, count) {
		table_add(table, "%s", command_text(reason, "name"));
		table_add(table, "%s", port);
		table_add_number(table, (uint64_t)json_integer_value(count));
		if (rated)
			command_add_number(table, rates, port);
		rows++;
	}
	return rows;
}

static void print_drops(const json_t *result)
{
	static const char *const totals[] = {"REASON", "PORT", ">FRAMES", NULL};
	static const char *const rates[] = {"REASON", "PORT", ">FRAMES", ">FRAMES/S", NULL};
	bool rated = command_has_rates(result);
	struct table table;
	const json_t *reason;
	unsigned rows = 0;
	size_t i;

	table_init(&table, rated ? rates : totals);
	json_array_foreach (result, i, reason)
		rows += add_drops(&table, reason, rated);
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
	return command_ask(line, "drops", NULL, print_drops);
}
