/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/dhcp.h"

#include <stdio.h>
#include <string.h>

#include "base/common.h"
#include "packet/headers.h"
#include "service/datagram.h"

#define BROADCAST UINT32_MAX

/* What leads a client's id: how it was made. */
#define BY_CLIENT_ID 1
#define BY_HARDWARE  2

/* RFC 4578, 2.1 and what was registered later: 0 is a BIOS, and so are these. */
#define ARCHITECTURE_BIOS 0

/* One exchange. */
struct exchange {
	const struct dhcp_settings *settings;
	const struct dhcp_port *port;
	struct leases *leases;
	uint64_t now;
	struct datagram datagram;
	struct dhcp_request request;
	struct lease_client client;
	struct dhcp_answer *answer;
};

static void identify(struct exchange *x)
{
	const struct dhcp_request *request = &x->request;
	struct lease_client *client = &x->client;

	memset(client, 0, sizeof(*client));
	strncpy(client->owner, x->port->name, sizeof(client->owner) - 1);
	if (request->client_id_length) {
		client->id[0] = BY_CLIENT_ID;
		memcpy(client->id + 1, request->client_id, request->client_id_length);
		client->length = (uint8_t)(1 + request->client_id_length);
	} else {
		client->id[0] = BY_HARDWARE;
		memcpy(client->id + 1, request->hardware, MAC_SIZE);
		client->length = 1 + MAC_SIZE;
	}
}

static bool is_fixed(const struct dhcp_port *port)
{
	return port->address_count || port->bound;
}

static bool is_own(const struct dhcp_port *port, uint32_t address)
{
	for (unsigned i = 0; i < port->address_count; i++)
		if (port->addresses[i] == address)
			return true;
	return false;
}

static struct lease_pool pool_for(const struct exchange *x)
{
	struct lease_pool pool = x->settings->pool;

	if (x->port->unlimited)
		pool.limit = 0;
	return pool;
}

static void fail(struct exchange *x, enum lease_result result)
{
	static const enum dhcp_outcome outcomes[] = {
		[LEASE_OK] = DHCP_IGNORED,
		[LEASE_NONE_LEFT] = DHCP_NONE_LEFT,
		[LEASE_LIMIT] = DHCP_PORT_LIMIT,
		[LEASE_TAKEN] = DHCP_REFUSED,
		[LEASE_MEMORY] = DHCP_NO_MEMORY,
	};

	x->answer->outcome = outcomes[result];
}

static const char *boot_file_for(const struct exchange *x)
{
	const struct dhcp_settings *settings = x->settings;

	if (x->request.is_ipxe && *settings->boot_file_ipxe)
		return settings->boot_file_ipxe;
	if (x->request.architecture > ARCHITECTURE_BIOS && *settings->boot_file_efi)
		return settings->boot_file_efi;
	return settings->boot_file;
}

static bool wants(const struct exchange *x, uint8_t code)
{
	return x->request.wants[code] || !x->request.wants_some;
}

static void add_boot(struct exchange *x, struct dhcp_reply *reply)
{
	const char *file = boot_file_for(x);
	uint32_t server = x->settings->next_server;
	char text[sizeof("255.255.255.255")];

	if (!*file)
		return;
	dhcp_reply_set_boot(reply, server, file);
	if (x->request.wants[DHCP_BOOT_FILE])
		dhcp_reply_add(reply, DHCP_BOOT_FILE, file, strlen(file));
	if (!x->request.wants[DHCP_TFTP_SERVER])
		return;
	snprintf(text, sizeof(text), "%u.%u.%u.%u", server >> 24, server >> 16 & 0xff,
		server >> 8 & 0xff, server & 0xff);
	dhcp_reply_add(reply, DHCP_TFTP_SERVER, text, strlen(text));
}

/* What the configuration has for the client, as far as it fits. */
static void add_settings(struct exchange *x, struct dhcp_reply *reply)
{
	const struct dhcp_settings *settings = x->settings;

	for (unsigned i = 0; i < settings->option_count; i++) {
		const struct dhcp_data *data = &settings->options[i];

		if (wants(x, data->code))
			dhcp_reply_add(reply, data->code, data->bytes, data->length);
	}
	if (x->port->host && wants(x, DHCP_HOST_NAME))
		dhcp_reply_add(reply, DHCP_HOST_NAME, x->port->host, strlen(x->port->host));
	add_boot(x, reply);
}

static void add_times(struct exchange *x, struct dhcp_reply *reply)
{
	uint32_t seconds = x->settings->lease_seconds;

	dhcp_reply_add_u32(reply, DHCP_LEASE_TIME, seconds);
	if (seconds == UINT32_MAX)
		return;
	/* RFC 2131, 4.4.5 */
	dhcp_reply_add_u32(reply, DHCP_T1, seconds / 2);
	dhcp_reply_add_u32(reply, DHCP_T2, (uint32_t)((uint64_t)seconds * 7 / 8));
}

/* Where a reply goes (RFC 2131, 4.1); in Ethernet always to where the request came from. */
static uint32_t destination_of(const struct exchange *x, enum dhcp_type type, uint32_t yours)
{
	if (x->request.relay)
		return x->request.relay;
	if (type == DHCP_NAK)
		return BROADCAST;
	if (x->request.client_address)
		return x->request.client_address;
	return x->request.flags & DHCP_FLAG_BROADCAST || !yours ? BROADCAST : yours;
}

static void send_reply(
	struct exchange *x, enum dhcp_type type, uint32_t yours, struct dhcp_reply *reply)
{
	struct datagram out = {
		.source_port = UDP_DHCP_SERVER,
		.destination_port = x->request.relay ? UDP_DHCP_SERVER : UDP_DHCP_CLIENT,
		.payload = reply->bytes,
	};

	dhcp_reply_end(reply);
	out.length = reply->length;
	memcpy(out.source_mac, x->settings->mac, MAC_SIZE);
	memcpy(out.destination_mac, x->datagram.source_mac, MAC_SIZE);
	store_be32(out.source, x->settings->server);
	store_be32(out.destination, destination_of(x, type, yours));
	x->answer->length = datagram_write(x->answer->frame, sizeof(x->answer->frame), &out);
	x->answer->outcome = type == DHCP_NAK ? DHCP_REFUSED : DHCP_ANSWERED;
}

static void begin(struct exchange *x, struct dhcp_reply *reply, enum dhcp_type type)
{
	dhcp_reply_begin(reply, &x->request, type);
	dhcp_reply_add_u32(reply, DHCP_SERVER_ID, x->settings->server);
	/* RFC 6842: back to the client as it came. Before all that may find no room. */
	if (x->request.client_id_length)
		dhcp_reply_add(
			reply, DHCP_CLIENT_ID, x->request.client_id, x->request.client_id_length);
}

/* DHCPOFFER, or DHCPACK, of an address. */
static void grant(struct exchange *x, enum dhcp_type type, uint32_t address, bool rapid)
{
	struct dhcp_reply reply;

	begin(x, &reply, type);
	dhcp_reply_set_yours(&reply, address);
	if (type == DHCP_ACK)
		dhcp_reply_set_client(&reply, x->request.client_address);
	add_times(x, &reply);
	if (rapid)
		dhcp_reply_add(&reply, DHCP_RAPID_COMMIT, NULL, 0);
	add_settings(x, &reply);
	send_reply(x, type, address, &reply);
}

static void refuse(struct exchange *x)
{
	struct dhcp_reply reply;

	begin(x, &reply, DHCP_NAK);
	send_reply(x, DHCP_NAK, 0, &reply);
}

static uint64_t lease_end(const struct exchange *x)
{
	return x->settings->lease_seconds == UINT32_MAX ? UINT64_MAX
							: x->now + x->settings->lease_seconds;
}

/* Makes the address the client's, and says so. */
static void commit(struct exchange *x, uint32_t address, bool rapid)
{
	struct lease_pool pool = pool_for(x);
	enum lease_result result;

	if (is_fixed(x->port)) {
		if (is_own(x->port, address))
			grant(x, DHCP_ACK, address, rapid);
		else
			refuse(x);
		return;
	}
	result = leases_bind(x->leases, &pool, &x->client, address, lease_end(x),
		x->request.hardware, x->request.host, &x->answer->changed);
	if (result == LEASE_OK) {
		grant(x, DHCP_ACK, address, rapid);
		return;
	}
	x->answer->changed = NULL;
	refuse(x);
	fail(x, result);
}

/* Where the client is known by this address already it keeps it, else it is offered one. */
static void discover(struct exchange *x)
{
	struct lease_pool pool = pool_for(x);
	const struct lease *lease;
	enum lease_result result;
	uint32_t address;

	if (is_fixed(x->port)) {
		if (!x->port->address_count)
			return;
		address = is_own(x->port, x->request.requested) ? x->request.requested
								: x->port->addresses[0];
	} else {
		result = leases_offer(x->leases, &pool, &x->client, x->request.requested,
			x->now + DHCP_OFFER_SECONDS, x->request.hardware, &lease);
		if (result != LEASE_OK) {
			fail(x, result);
			return;
		}
		address = (uint32_t)lease->address;
	}
	if (x->request.rapid_commit)
		commit(x, address, true);
	else
		grant(x, DHCP_OFFER, address, false);
}

/* RFC 2131, 4.3.2: selecting, or rebooting, or renewing and rebinding. */
static void request(struct exchange *x)
{
	const struct dhcp_request *message = &x->request;
	uint32_t address = message->requested ? message->requested : message->client_address;
	const struct lease *lease;

	if (message->server && message->server != x->settings->server) {
		/* It has chosen another: what we offered is free again. */
		lease = leases_find(x->leases, &x->client);
		if (lease && lease->state == LEASE_OFFERED)
			leases_release(x->leases, &x->client, lease->address, x->now);
		return;
	}
	if (!address)
		return;
	commit(x, address, false);
}

static void inform(struct exchange *x)
{
	struct dhcp_reply reply;

	if (!x->request.client_address)
		return;
	begin(x, &reply, DHCP_ACK);
	dhcp_reply_set_client(&reply, x->request.client_address);
	add_settings(x, &reply);
	send_reply(x, DHCP_ACK, 0, &reply);
}

static void give_back(struct exchange *x)
{
	if (is_fixed(x->port) || (x->request.server && x->request.server != x->settings->server))
		return;
	if (x->request.type == DHCP_RELEASE)
		x->answer->changed = leases_release(
			x->leases, &x->client, x->request.client_address, x->now);
	else
		x->answer->changed = leases_decline(
			x->leases, &x->client, x->request.requested, x->now + DHCP_DECLINE_SECONDS);
	x->answer->outcome = x->answer->changed ? DHCP_ANSWERED : DHCP_IGNORED;
}

/* A relay agent must be a neighbour: we reach nobody else. */
static bool is_neighbour(const struct exchange *x)
{
	return !x->request.relay || (x->request.relay & x->settings->mask) == x->settings->subnet;
}

void dhcp_serve(const struct dhcp_settings *settings, const struct dhcp_port *port,
	struct leases *leases, const uint8_t *frame, size_t length, uint64_t now,
	struct dhcp_answer *answer)
{
	struct exchange x = {
		.settings = settings, .port = port, .leases = leases, .now = now, .answer = answer};

	answer->outcome = DHCP_IGNORED;
	answer->type = DHCP_NO_TYPE;
	answer->length = 0;
	answer->changed = NULL;
	if (!datagram_read(frame, length, &x.datagram) || x.datagram.ipv6 ||
		x.datagram.destination_port != UDP_DHCP_SERVER ||
		!dhcp_request_read(x.datagram.payload, x.datagram.length, &x.request) ||
		!is_neighbour(&x))
		return;
	answer->type = x.request.type;
	identify(&x);
	switch (x.request.type) {
	case DHCP_DISCOVER:
		discover(&x);
		break;
	case DHCP_REQUEST:
		request(&x);
		break;
	case DHCP_INFORM:
		inform(&x);
		break;
	case DHCP_RELEASE:
	case DHCP_DECLINE:
		give_back(&x);
		break;
	default:
		break;
	}
}
