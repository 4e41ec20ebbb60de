/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/model.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const model_poll_names[] = {"adaptive", "busy", NULL};
const char *const model_guest_memory_names[] = {"shmem", "any", NULL};
const char *const model_port_type_names[] = {"vhost-user", NULL};
const char *const model_socket_mode_names[] = {"server", "client", NULL};
const char *const model_pass_names[] = {"drop", "pass", NULL};
const char *const model_loops_names[] = {"hold", "log", NULL};
const char *const model_flag_names[] = {"false", "true", NULL};

void model_init(struct model *model)
{
	*model = (struct model){
		.settings =
			{
				.socket_dir = MODEL_SOCKET_DIR,
				.socket_mode = MODEL_SOCKET_MODE,
				.workers = MODEL_WORKERS_AUTO,
				.poll = MODEL_POLL_ADAPTIVE,
				.idle_us = MODEL_IDLE_US_DEFAULT,
				.fdb_size = MODEL_FDB_SIZE_DEFAULT,
				.fdb_ageing = MODEL_FDB_AGEING_DEFAULT,
			},
	};
}

void model_port_fini(struct model_port *port)
{
	free(port->trunk);
	free(port->addresses);
	port->trunk = NULL;
	port->addresses = NULL;
	port->trunk_count = 0;
	port->address_count = 0;
}

void model_fini(struct model *model)
{
	for (unsigned i = 0; i < model->port_count; i++)
		model_port_fini(&model->ports[i]);
	free(model->ports);
	free(model->networks);
	model_init(model);
}

/* Room for one more element in an array that has `count` of them; it doubles at powers of two. */
static void *grow(void *array, unsigned count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? 2 * (size_t)count : 1, size);
}

struct model_network *model_add_network(struct model *model)
{
	struct model_network *grown = grow(
		model->networks, model->network_count, sizeof(*model->networks));

	if (!grown)
		return NULL;
	model->networks = grown;
	grown += model->network_count++;
	*grown = (struct model_network){.stp = MODEL_PASS};
	return grown;
}

struct model_port *model_add_port(struct model *model)
{
	struct model_port *grown = grow(model->ports, model->port_count, sizeof(*model->ports));

	if (!grown)
		return NULL;
	model->ports = grown;
	grown += model->port_count++;
	*grown = (struct model_port){.mode = MODEL_SERVER, .queues = 1};
	return grown;
}

int model_port_add_trunk(struct model_port *port, const char *network)
{
	char(*grown)[MODEL_NAME_SIZE] = grow(port->trunk, port->trunk_count, sizeof(*port->trunk));

	if (!grown)
		return -ENOMEM;
	port->trunk = grown;
	snprintf(grown[port->trunk_count++], sizeof(*grown), "%s", network);
	return 0;
}

int model_port_copy(struct model_port *to, const struct model_port *from)
{
	*to = *from;
	to->trunk = NULL;
	to->trunk_count = 0;
	to->addresses = NULL;
	to->address_count = 0;
	for (unsigned i = 0; i < from->trunk_count; i++)
		if (model_port_add_trunk(to, from->trunk[i]) < 0)
			goto fini_port;
	for (unsigned i = 0; i < from->address_count; i++)
		if (model_port_add_address(to, &from->addresses[i]) < 0)
			goto fini_port;
	return 0;

fini_port:
	model_port_fini(to);
	return -ENOMEM;
}

int model_copy(struct model *to, const struct model *from)
{
	model_init(to);
	to->settings = from->settings;
	for (unsigned i = 0; i < from->network_count; i++) {
		struct model_network *network = model_add_network(to);

		if (!network)
			goto fini_model;
		*network = from->networks[i];
	}
	for (unsigned i = 0; i < from->port_count; i++) {
		struct model_port *port = model_add_port(to);

		if (!port || model_port_copy(port, &from->ports[i]) < 0)
			goto fini_model;
	}
	return 0;

fini_model:
	model_fini(to);
	return -ENOMEM;
}

void model_remove_port(struct model *model, unsigned position)
{
	struct model_port *port = &model->ports[position];
	unsigned after = model->port_count - position - 1;

	model_port_fini(port);
	memmove(port, port + 1, after * sizeof(*port));
	model->port_count--;
}

/* Networks, ports and trunk lists all begin with their name. */
static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

void model_sort_networks(struct model *model)
{
	if (model->network_count)
		qsort(model->networks, model->network_count, sizeof(*model->networks),
			compare_names);
}

void model_sort_ports(struct model *model)
{
	for (unsigned i = 0; i < model->port_count; i++) {
		struct model_port *port = &model->ports[i];

		if (port->trunk_count)
			qsort(port->trunk, port->trunk_count, sizeof(*port->trunk), compare_names);
	}
	if (model->port_count)
		qsort(model->ports, model->port_count, sizeof(*model->ports), compare_names);
}

const struct model_network *model_find_network(const struct model *model, const char *name)
{
	if (!model->network_count)
		return NULL;
	return bsearch(name, model->networks, model->network_count, sizeof(*model->networks),
		compare_names);
}

const struct model_port *model_find_port(const struct model *model, const char *name)
{
	if (!model->port_count)
		return NULL;
	return bsearch(name, model->ports, model->port_count, sizeof(*model->ports), compare_names);
}

void model_mac_format(const uint8_t mac[6], char text[MODEL_MAC_TEXT_SIZE])
{
	snprintf(text, MODEL_MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool model_mac_parse(const char *text, uint8_t mac[6])
{
	if (strlen(text) != MODEL_MAC_TEXT_SIZE - 1)
		return false;
	for (unsigned i = 0; i < 6; i++) {
		int high = digit_value(text[3 * i]);
		int low = digit_value(text[3 * i + 1]);

		if (high < 0 || low < 0 || text[3 * i + 2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
