/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "base/common.h"
#include "control/yaml/config.h"

/*
 * Text of the user's, as a key or as a value. It always stands in quotes: what a plain word means
 * differs from reader to reader. To one of YAML 1.1 52:54:00:00:00:02 is the number 41135040002, 010 is
 * eight, and yes, on, 1e3, null, 2026-01-02, = and << are not strings either; as a key neither. All text
 * is printable ASCII (config.c sees to it), so two characters need an escape.
 */
static void format_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++)
		fprintf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	fputc('"', out);
}

/* `before`, the text in quotes, `after`. */
static void format_text(FILE *out, const char *before, const char *text, const char *after)
{
	fputs(before, out);
	format_quoted(out, text);
	fputs(after, out);
}

static void format_memory_limit(FILE *out, const char *indent, unsigned gib)
{
	if (gib == MODEL_MEMORY_AUTO)
		fprintf(out, "%smemory-limit-gib: auto\n", indent);
	else
		fprintf(out, "%smemory-limit-gib: %u\n", indent, gib);
}

static void format_settings(FILE *out, const struct model_settings *settings)
{
	format_text(out, "switch:\n  socket-dir: ", settings->socket_dir, "\n");
	if (*settings->control_group)
		format_text(out, "  control-group: ", settings->control_group, "\n");
	if (*settings->control_ro)
		format_text(out, "  control-ro: ", settings->control_ro, "\n");
	if (*settings->socket_group)
		format_text(out, "  socket-group: ", settings->socket_group, "\n");
	fprintf(out, "  socket-mode: \"%04o\"\n", settings->socket_mode);
	if (settings->workers == MODEL_WORKERS_AUTO)
		fprintf(out, "  workers: auto\n");
	else
		fprintf(out, "  workers: %u\n", settings->workers);
	fprintf(out, "  poll: %s\n  idle-us: %u\n  fdb: { size: %u, ageing: %u }\n",
		model_poll_names[settings->poll], settings->idle_us, settings->fdb_size,
		settings->fdb_ageing);
	fprintf(out, "  guest-memory: %s\n", model_guest_memory_names[settings->guest_memory]);
	format_memory_limit(out, "  ", settings->memory_limit_gib);
}

/* With the words that came from the switch's: they are this port's now. */
static void format_access(FILE *out, const struct model_port *port)
{
	if (*port->owner)
		format_text(out, "    owner: ", port->owner, "\n");
	if (*port->group)
		format_text(out, "    group: ", port->group, "\n");
	fprintf(out, "    socket-mode: \"%04o\"\n", port->socket_mode);
}

static void format_port(FILE *out, const struct model_port *port)
{
	char mac[MODEL_MAC_TEXT_SIZE];

	format_text(out, "  ", port->name, ":\n");
	fprintf(out, "    type: %s\n", model_port_type_names[port->type]);
	if (*port->network)
		format_text(out, "    network: ", port->network, "\n");
	if (port->trunk_count) {
		fprintf(out, "    trunk: [");
		for (unsigned i = 0; i < port->trunk_count; i++)
			format_text(out, i ? ", " : "", port->trunk[i], "");
		fprintf(out, "]\n");
	}
	if (*port->native)
		format_text(out, "    native: ", port->native, "\n");
	fprintf(out, "    mode: %s\n", model_socket_mode_names[port->mode]);
	format_text(out, "    socket: ", port->socket, "\n");
	if (port->mode == MODEL_SERVER)
		format_access(out, port);
	fprintf(out, "    queues: %u\n", port->queues);
	if (port->mtu)
		fprintf(out, "    mtu: %u\n", port->mtu);
	format_memory_limit(out, "    ", port->memory_limit_gib);
	if (port->flood_limit)
		fprintf(out, "    flood-limit: %u\n", port->flood_limit);
	fprintf(out, "    qinq: %s\n    trusted: %s\n", port->qinq ? "true" : "false",
		port->trusted ? "true" : "false");
	if (port->has_mac) {
		model_mac_format(port->mac, mac);
		format_text(out, "    mac: ", mac, "\n");
	}
	if (port->address_count) {
		fprintf(out, "    ip: [");
		for (unsigned i = 0; i < port->address_count; i++) {
			char address[MODEL_ADDRESS_TEXT_SIZE];

			model_address_format(&port->addresses[i], address);
			format_text(out, i ? ", " : "", address, "");
		}
		fprintf(out, "]\n");
	}
}

static void format_network(FILE *out, const struct model_network *network)
{
	const struct {
		const char *name;
		unsigned value;
	} groups[] = {
		{"stp", network->stp},
		{"lldp", network->lldp},
		{"lacp", network->lacp},
		{"802.1x", network->dot1x},
	};

	fputs(" {", out);
	if (network->vlan)
		fprintf(out, " vlan: %u,", network->vlan);
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++)
		fprintf(out, "%s %s: %s", i ? "," : "", groups[i].name,
			model_pass_names[groups[i].value]);
	fprintf(out, ", loops: %s }\n", model_loops_names[network->loops]);
}

char *config_format(const struct model *model)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	format_settings(out, &model->settings);
	fprintf(out, "networks:%s\n", model->network_count ? "" : " {}");
	for (unsigned i = 0; i < model->network_count; i++) {
		const struct model_network *network = &model->networks[i];

		format_text(out, "  ", network->name, ":");
		format_network(out, network);
	}
	fprintf(out, "ports:%s\n", model->port_count ? "" : " {}");
	for (unsigned i = 0; i < model->port_count; i++)
		format_port(out, &model->ports[i]);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
