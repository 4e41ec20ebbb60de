/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/dhcp_settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/dhcp_keys.h"
#include "forward/topology.h"
#include "packet/headers.h"

/* The most options that a network can have: those of its keys and `options`. */
#define OPTIONS_MAX 64

/* Of an option in the making: the longest are 32 routes of 9 bytes, or 8 domains. */
#define DATA_MAX 1024

/* `port-limit: auto`: a share of the pool, within what a VM with some containers needs. */
#define LIMIT_MIN   2u
#define LIMIT_MAX   32u
#define LIMIT_SHARE 8u

static int add(struct dhcp_settings *settings, uint8_t code, const void *bytes, size_t length)
{
	struct dhcp_data *data = &settings->options[settings->option_count];

	if (!length)
		return 0;
	data->bytes = malloc(length);
	if (!data->bytes)
		return -ENOMEM;
	memcpy(data->bytes, bytes, length);
	data->length = (uint16_t)length;
	data->code = code;
	settings->option_count++;
	return 0;
}

static int add_u32(struct dhcp_settings *settings, uint8_t code, uint32_t value)
{
	uint8_t bytes[4];

	store_be32(bytes, value);
	return value ? add(settings, code, bytes, sizeof(bytes)) : 0;
}

static int add_addresses(
	struct dhcp_settings *settings, uint8_t code, const struct value_texts *texts)
{
	uint8_t bytes[DATA_MAX];

	for (unsigned i = 0; i < texts->count; i++)
		store_be32(bytes + (size_t)4 * i, dhcp_read_address(texts->of[i]));
	return add(settings, code, bytes, (size_t)4 * texts->count);
}

unsigned dhcp_write_domains(const struct value_texts *texts, uint8_t *bytes)
{
	unsigned used = 0;

	for (unsigned i = 0; i < texts->count; i++) {
		const char *label = texts->of[i];

		while (*label) {
			size_t length = strcspn(label, ".");

			bytes[used++] = (uint8_t)length;
			memcpy(bytes + used, label, length);
			used += (unsigned)length;
			label += length + (label[length] == '.');
		}
		bytes[used++] = 0;
	}
	return used;
}

/* RFC 3397; compression is not needed. */
static int add_search(struct dhcp_settings *settings, const struct value_texts *texts)
{
	uint8_t bytes[8 * (VALUE_TEXT_SIZE + 2)];

	return add(settings, DHCP_SEARCH, bytes, dhcp_write_domains(texts, bytes));
}

/* RFC 3442: who takes these ignores the router, so the default route is among them. */
static int add_routes(struct dhcp_settings *settings, const struct model_network *network)
{
	uint8_t bytes[DATA_MAX];
	size_t used = 0;
	int rc;

	for (unsigned i = 0; i < network->dhcp.routes.count; i++)
		used += dhcp_read_route(network->dhcp.routes.of[i], bytes + used);
	if (used && network->gateway.length) {
		bytes[used++] = 0;
		store_be32(bytes + used, dhcp_ipv4(&network->gateway));
		used += 4;
	}
	rc = add(settings, DHCP_ROUTES, bytes, used);
	return rc < 0 ? rc : add(settings, DHCP_MICROSOFT_ROUTES, bytes, used);
}

static int add_domain(struct dhcp_settings *settings, const struct model_network *network)
{
	char domain[MODEL_NAME_SIZE + MODEL_DOMAIN_SIZE + 1];

	if (*network->dhcp.domain)
		snprintf(domain, sizeof(domain), "%s", network->dhcp.domain);
	else
		snprintf(domain, sizeof(domain), "%s.%s", network->name, network->domain);
	return add(settings, DHCP_DOMAIN, domain, strlen(domain));
}

static int add_raw(struct dhcp_settings *settings, const struct value_texts *options)
{
	uint8_t bytes[DHCP_OPTION_VALUE_MAX];
	unsigned length;
	int rc = 0;

	for (unsigned i = 0; i < options->count && rc == 0; i++) {
		uint8_t code = dhcp_read_option(options->of[i], bytes, &length);

		rc = add(settings, code, bytes, length);
	}
	return rc;
}

static int add_options(struct dhcp_settings *settings, const struct model_network *network)
{
	const struct model_dhcp *dhcp = &network->dhcp;
	uint8_t mtu[2];
	int rc = add_u32(settings, DHCP_SUBNET_MASK, settings->mask);

	store_be16(mtu, (uint16_t)network->mtu);
	rc = rc < 0 || !network->gateway.length
		     ? rc
		     : add_u32(settings, DHCP_ROUTER, dhcp_ipv4(&network->gateway));
	rc = rc < 0 ? rc : add_addresses(settings, DHCP_DNS, &dhcp->dns);
	rc = rc < 0 ? rc : add_domain(settings, network);
	rc = rc < 0 ? rc : add_search(settings, &dhcp->search);
	rc = rc < 0 ? rc : add(settings, DHCP_MTU, mtu, network->mtu ? sizeof(mtu) : 0);
	rc = rc < 0 ? rc : add_u32(settings, DHCP_BROADCAST, settings->subnet | ~settings->mask);
	rc = rc < 0 ? rc : add_addresses(settings, DHCP_NTP, &dhcp->ntp);
	rc = rc < 0 ? rc : add_routes(settings, network);
	return rc < 0 ? rc : add_raw(settings, &dhcp->options);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What is somebody's already: the server's, the gateway's, and the ports' own. */
static int exclude(struct dhcp_settings *settings, const struct model *model,
	const struct model_network *network)
{
	struct lease_pool *pool = &settings->pool;
	uint64_t *of;
	unsigned count = 0, unique = 0, room = 2;

	for (unsigned i = 0; i < model->port_count; i++)
		if (model_port_in_network(&model->ports[i], network->name))
			room += model->ports[i].ip.count;
	of = calloc(room, sizeof(*of));
	if (!of)
		return -ENOMEM;
	of[count++] = settings->server;
	of[count++] = dhcp_ipv4(&network->gateway);
	for (unsigned i = 0; i < model->port_count; i++) {
		const struct model_port *port = &model->ports[i];

		for (unsigned a = 0; a < port->ip.count; a++)
			if (model_port_in_network(port, network->name) && !port->ip.of[a].ipv6 &&
				port->ip.of[a].length == 32)
				of[count++] = dhcp_ipv4(&port->ip.of[a]);
	}
	qsort(of, count, sizeof(*of), compare);
	for (unsigned i = 0; i < count; i++)
		if (of[i] >= pool->from && of[i] <= pool->to &&
			(!unique || of[unique - 1] != of[i]))
			of[unique++] = of[i];
	pool->excluded = of;
	pool->excluded_count = unique;
	return 0;
}

static unsigned limit_of(const struct model_network *network, const struct lease_pool *pool)
{
	uint64_t share = lease_pool_size(pool) / LIMIT_SHARE;

	if (network->dhcp.port_limit)
		return network->dhcp.port_limit;
	return (unsigned)MIN(MAX(share, (uint64_t)LIMIT_MIN), (uint64_t)LIMIT_MAX);
}

void dhcp_server_mac(const struct model_network *network, uint8_t mac[MAC_SIZE])
{
	uint32_t hash = 0x811c9dc5u;

	/* Locally administered, the same each time, and its own in each network. */
	for (const char *c = network->name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 0x01000193u;
	mac[0] = 0x02;
	mac[1] = 'v';
	store_be32(mac + 2, hash);
}

static void set_boot(struct dhcp_settings *settings, const struct model_dhcp *dhcp)
{
	_Static_assert(MODEL_BOOT_FILE_SIZE == DHCP_FILE_SIZE, "names of boot files");
	memcpy(settings->boot_file, dhcp->boot_file, DHCP_FILE_SIZE);
	memcpy(settings->boot_file_efi, dhcp->boot_file_efi, DHCP_FILE_SIZE);
	memcpy(settings->boot_file_ipxe, dhcp->boot_file_ipxe, DHCP_FILE_SIZE);
	settings->next_server = dhcp->next_server.length ? dhcp_ipv4(&dhcp->next_server)
							 : settings->server;
}

int dhcp_settings_make(const struct model *model, const struct model_network *network,
	struct dhcp_settings *settings)
{
	uint32_t from, to;
	int rc;

	*settings = (struct dhcp_settings){
		.server = dhcp_server_address(network),
		.subnet = dhcp_ipv4(&network->subnet),
		.mask = UINT32_MAX << (32 - network->subnet.length),
		.lease_seconds = network->dhcp.lease_time ? network->dhcp.lease_time : UINT32_MAX,
		.pool = {.from = 1},
		.options = calloc(OPTIONS_MAX, sizeof(*settings->options)),
	};
	if (!settings->options)
		return -ENOMEM;
	dhcp_server_mac(network, settings->mac);
	set_boot(settings, &network->dhcp);
	if (dhcp_range(network, &from, &to)) {
		settings->pool.from = from;
		settings->pool.to = to;
	}
	rc = exclude(settings, model, network);
	settings->pool.limit = limit_of(network, &settings->pool);
	rc = rc < 0 ? rc : add_options(settings, network);
	if (rc < 0)
		dhcp_settings_fini(settings);
	return rc;
}

void dhcp_settings_fini(struct dhcp_settings *settings)
{
	for (unsigned i = 0; i < settings->option_count; i++)
		free(settings->options[i].bytes);
	free(settings->options);
	free((void *)settings->pool.excluded);
	*settings = (struct dhcp_settings){0};
}

unsigned network_services(const struct model_network *network, uint32_t *address)
{
	unsigned services = network->ra.enabled ? TOPOLOGY_ROUTER : 0;

	*address = 0;
	if (!network->dhcp.enabled)
		return services;
	*address = dhcp_server_address(network);
	services |= dhcp_server_is_alone(network) ? TOPOLOGY_ARP : 0;
	return services | TOPOLOGY_DHCP;
}

/* A label of DNS: the port's name may be more than that. */
static bool is_host_name(const char *name)
{
	size_t length = strlen(name);

	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-')
			return false;
	return length && name[0] != '-' && name[length - 1] != '-';
}

/* Whether the port may use all of the pool: one of its prefixes holds it. */
static bool may_use(const struct model_port *port, const struct lease_pool *pool)
{
	for (unsigned i = 0; i < port->ip.count; i++) {
		const struct value_address *prefix = &port->ip.of[i];
		uint32_t mask;

		if (prefix->ipv6 || prefix->length == 32)
			continue;
		mask = prefix->length ? UINT32_MAX << (32 - prefix->length) : 0;
		if (((uint32_t)pool->from & mask) == dhcp_ipv4(prefix) &&
			((uint32_t)pool->to & mask) == dhcp_ipv4(prefix))
			return true;
	}
	return !port->ip.count;
}

void dhcp_port_make(const struct model_port *port, const struct model_network *network,
	const struct dhcp_settings *settings, uint32_t addresses[], struct dhcp_port *made)
{
	*made = (struct dhcp_port){
		.name = port->name,
		.host = network->dhcp.hostname && is_host_name(port->name) ? port->name : NULL,
		.addresses = addresses,
		.bound = !may_use(port, &settings->pool),
		.unlimited = port->trusted,
	};
	for (unsigned i = 0; i < port->ip.count; i++) {
		const struct value_address *address = &port->ip.of[i];

		if (!address->ipv6 && address->length == 32 &&
			(dhcp_ipv4(address) & settings->mask) == settings->subnet)
			addresses[made->address_count++] = dhcp_ipv4(address);
	}
}
