/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "control/config.h"

/* A path is printable ASCII (config.c sees to it). */
static void format_quoted(FILE *out, const char *path)
{
	fputc('"', out);
	for (; *path; path++)
		fprintf(out, "%s%c", *path == '"' || *path == '\\' ? "\\" : "", *path);
	fputc('"', out);
}

static void format_settings(FILE *out, const struct model_settings *settings)
{
	fprintf(out, "switch:\n  socket-dir: ");
	format_quoted(out, settings->socket_dir);
	fprintf(out, "\n");
	if (*settings->control_group)
		fprintf(out, "  control-group: \"%s\"\n", settings->control_group);
	if (settings->workers == MODEL_WORKERS_AUTO)
		fprintf(out, "  workers: auto\n");
	else
		fprintf(out, "  workers: %u\n", settings->workers);
	fprintf(out, "  poll: %s\n  idle-us: %u\n  fdb: { size: %u, ageing: %u }\n",
		model_poll_names[settings->poll], settings->idle_us, settings->fdb_size,
		settings->fdb_ageing);
}

/* Names and paths stand in quotes: "true", "1e3" and "null" are names like any other. */
static void format_port(FILE *out, const struct model_port *port)
{
	char mac[MODEL_MAC_TEXT_SIZE];

	fprintf(out, "  \"%s\":\n    type: %s\n", port->name, model_port_type_names[port->type]);
	if (*port->network)
		fprintf(out, "    network: \"%s\"\n", port->network);
	if (port->trunk_count) {
		fprintf(out, "    trunk: [");
		for (unsigned i = 0; i < port->trunk_count; i++)
			fprintf(out, "%s\"%s\"", i ? ", " : "", port->trunk[i]);
		fprintf(out, "]\n");
	}
	if (*port->native)
		fprintf(out, "    native: \"%s\"\n", port->native);
	fprintf(out, "    mode: %s\n    socket: ", model_socket_mode_names[port->mode]);
	format_quoted(out, port->socket);
	fprintf(out, "\n    queues: %u\n", port->queues);
	if (port->mtu)
		fprintf(out, "    mtu: %u\n", port->mtu);
	if (port->has_mac) {
		model_mac_format(port->mac, mac);
		fprintf(out, "    mac: %s\n", mac);
	}
}

char *config_format(const struct model *model)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	format_settings(out, &model->settings);
	fprintf(out, "networks:\n");
	for (unsigned i = 0; i < model->network_count; i++) {
		const struct model_network *network = &model->networks[i];

		if (network->vlan)
			fprintf(out, "  \"%s\": { vlan: %u }\n", network->name, network->vlan);
		else
			fprintf(out, "  \"%s\": {}\n", network->name);
	}
	fprintf(out, "ports:\n");
	for (unsigned i = 0; i < model->port_count; i++)
		format_port(out, &model->ports[i]);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
