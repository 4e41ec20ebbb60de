/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/port_details.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "cli/command.h"
#include "cli/style.h"

char *port_details_drops(const json_t *drops)
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

static void print_list(const char *title, const json_t *list)
{
	char *text = command_join(list, " ");

	printf("  %-14s  %s\n", title, text ? text : "-");
	free(text);
}

static void print_number(const char *title, const json_t *object, const char *key)
{
	if (json_is_integer(json_object_get(object, key)))
		printf("  %-14s  %" JSON_INTEGER_FORMAT "\n", title, command_number(object, key));
	else
		printf("  %-14s  -\n", title);
}

static void print_amount(const char *title, const json_t *object, const char *key)
{
	char number[STYLE_NUMBER_SIZE];

	printf("  %-14s  %s\n", title, style_number((uint64_t)command_number(object, key), number));
}

static void print_traffic(
	const char *title, const json_t *port, const char *packets, const char *bytes)
{
	char first[STYLE_NUMBER_SIZE], second[STYLE_NUMBER_SIZE];

	printf("  %-14s  %s packets, %s bytes\n", title,
		style_number((uint64_t)command_number(port, packets), first),
		style_number((uint64_t)command_number(port, bytes), second));
}

/* What port security refused last: which guest uses the wrong address. */
static void print_refused(const json_t *refused)
{
	const char *ip = json_string_value(json_object_get(refused, "ip"));

	if (json_is_object(refused))
		printf("  %-14s  %s: MAC address %s%s%s (%" JSON_INTEGER_FORMAT " s ago)\n",
			"refused", command_text(refused, "reason"), command_text(refused, "mac"),
			ip ? ", IP address " : "", ip ? ip : "", command_number(refused, "age"));
}

/* Where a loop was noticed: nothing is flooded into or out of the port there for a while. */
static void print_holds(const json_t *port)
{
	const json_t *hold;
	size_t i;

	json_array_foreach (json_object_get(port, "held"), i, hold)
		printf("  %-14s  in %s for %" JSON_INTEGER_FORMAT
		       " s more: %s moves back and forth between it and %s\n",
			"held", command_text(hold, "network"), command_number(hold, "seconds"),
			command_text(hold, "mac"), command_text(hold, "other"));
}

/* What ports of every kind have to say. */
static void print_common(const json_t *port)
{
	if (json_is_string(json_object_get(port, "problem")))
		printf("  %-14s  %s (%" JSON_INTEGER_FORMAT " s ago)\n", "problem",
			command_text(port, "problem"), command_number(port, "problem_age"));
	printf("  %-14s  %s\n", "network", command_text(port, "network"));
	if (json_is_array(json_object_get(port, "trunk")))
		print_list("trunk", json_object_get(port, "trunk"));
	printf("  %-14s  %s\n", "mac",
		json_is_string(json_object_get(port, "mac")) ? command_text(port, "mac") : "any");
	if (json_is_array(json_object_get(port, "ip")))
		print_list("ip", json_object_get(port, "ip"));
	if (json_is_true(json_object_get(port, "trusted")))
		printf("  %-14s  %s\n", "trusted", "true");
	print_holds(port);
	if (json_is_integer(json_object_get(port, "flood_limit")))
		print_number("flooding", port, "flood_limit");
	if (json_is_true(json_object_get(port, "qinq")))
		printf("  %-14s  %s\n", "qinq", "true");
}

static void print_vhost_user(const json_t *port)
{
	printf("  %-14s  %s, %s\n", "socket", command_text(port, "socket"),
		command_text(port, "mode"));
	print_number("mtu", port, "mtu");
	printf("  %-14s  %" JSON_INTEGER_FORMAT ", running %" JSON_INTEGER_FORMAT "\n", "queues",
		command_number(port, "queues"), command_number(port, "queues_running"));
	print_number("peer pid", port, "peer_pid");
	print_amount("memory", port, "memory_bytes");
	print_number("connected", port, "connections");
	if (command_number(port, "owed_signals"))
		print_number("late intr.", port, "owed_signals");
	print_list("features", json_object_get(port, "features"));
	print_list("protocol", json_object_get(port, "protocol_features"));
}

/* "vsw0", or "eth0 in netns lab": which one, and whose. */
static void print_interface(const json_t *port, const char *whose)
{
	const char *netns = json_string_value(json_object_get(port, "netns"));

	printf("  %-14s  %s%s%s, %s\n", "interface", command_text(port, "ifname"),
		netns ? " in netns " : "", netns ? netns : "", whose);
	if (json_is_integer(json_object_get(port, "ifindex")))
		printf("  %-14s  index %" JSON_INTEGER_FORMAT
		       ", MAC address %s, MTU %" JSON_INTEGER_FORMAT ", %s\n",
			"", command_number(port, "ifindex"), command_text(port, "interface_mac"),
			command_number(port, "interface_mtu"),
			json_is_true(json_object_get(port, "carrier")) ? "carrier" : "no carrier");
	print_list("offloads", json_object_get(port, "offloads"));
	if (command_number(port, "returns"))
		print_number("came back", port, "returns");
}

static void print_tap(const json_t *port)
{
	bool found = json_is_true(json_object_get(port, "found"));
	bool stays = json_is_true(json_object_get(port, "persist"));

	print_interface(port, found   ? "was there before"
			      : stays ? "made by vswd, and stays"
				      : "made by vswd");
	if (json_is_array(json_object_get(port, "address")))
		print_list("address", json_object_get(port, "address"));
	print_number("queues", port, "queues");
	printf("  %-14s  %s\n", "read with", command_text(port, "io"));
}

static void print_packet(const json_t *port)
{
	print_interface(port, json_is_true(json_object_get(port, "guarded"))
				      ? "kept from the host's own stack"
				      : "shared with the host");
}

/* True for what print_common() and port_details_print() print, or leave to JSON. */
static bool is_common(const char *member)
{
	static const char *const common[] = {"name", "type", "state", "connected", "problem",
		"problem_age", "endpoint", "network", "vlan", "trunk", "native", "mac", "vm_mac",
		"ip", "trusted", "qinq", "flood_limit", "held", "mac_moves", "rx_packets",
		"rx_bytes", "tx_packets", "tx_bytes", "drops", "last_refused", "per_queue"};

	for (unsigned i = 0; i < ARRAY_SIZE(common); i++)
		if (strcmp(common[i], member) == 0)
			return true;
	return false;
}

/* Whatever a kind says that this program has no words for: as it is. */
static void print_others(const json_t *port)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)port, key, value) {
		char *text, member[64];

		if (is_common(key))
			continue;
		snprintf(member, sizeof(member), "%s", key);
		for (char *c = member; *c; c++)
			*c = *c == '_' ? ' ' : *c;
		if (json_is_string(value))
			printf("  %-14s  %s\n", member, json_string_value(value));
		else if (json_is_array(value))
			print_list(member, value);
		else if (!json_is_null(value) && (text = json_dumps(value, JSON_ENCODE_ANY))) {
			printf("  %-14s  %s\n", member, text);
			free(text);
		}
	}
}

static const struct {
	const char *type;
	void (*print)(const json_t *port);
} kinds[] = {
	{"vhost-user", print_vhost_user},
	{"tap", print_tap},
	{"packet", print_packet},
};

static void print_own(const json_t *port)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(command_text(port, "type"), kinds[i].type) != 0)
			continue;
		kinds[i].print(port);
		return;
	}
	print_others(port);
}

void port_details_print(const json_t *port)
{
	char *drops = port_details_drops(json_object_get(port, "drops"));

	printf("%s: %s, %s\n", command_text(port, "name"), command_text(port, "type"),
		command_text(port, "state"));
	print_common(port);
	print_own(port);
	print_traffic("rx", port, "rx_packets", "rx_bytes");
	print_traffic("tx", port, "tx_packets", "tx_bytes");
	printf("  %-14s  %s\n", "drops", drops ? drops : "-");
	print_refused(json_object_get(port, "last_refused"));
	free(drops);
}
