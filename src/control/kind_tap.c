/* SPDX-License-Identifier: BSD-3-Clause */
/* The row of `type: tap`: from the words of the configuration to an interface of the host. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "control/kind_interface.h"
#include "control/port_kinds.h"
#include "control/tap_keys.h"
#include "host/vhost_net.h"
#include "packet/mac.h"
#include "port/tap/tap.h"

static struct host_tap settings_of(const struct model_port *model)
{
	const struct model_tap *settings = model_tap(model);
	struct host_tap wanted = {
		.queues = settings->queues,
		.persist = settings->persist,
		.gateway = *model->router != '\0',
		.set = {.mtu = settings->mtu,
			.has_mac = model->mac.set,
			.up = settings->up && !model->held},
		.address_count = MIN(settings->address.count, HOST_TAP_ADDRESSES_MAX),
	};

	snprintf(wanted.name, sizeof(wanted.name), "%s", settings->ifname);
	snprintf(wanted.netns, sizeof(wanted.netns), "%s", settings->netns);
	memcpy(wanted.set.mac, model->mac.bytes, sizeof(wanted.set.mac));
	for (unsigned i = 0; i < wanted.address_count; i++) {
		const struct value_address *from = &settings->address.of[i];
		struct link_address *to = &wanted.addresses[i];

		to->ipv6 = from->ipv6;
		to->length = (uint8_t)from->length;
		memcpy(to->bytes, from->bytes, sizeof(to->bytes));
	}
	return wanted;
}

/* The key to blame for what cannot be had. */
static const char *const setting_keys[] = {
	[TAP_SETTING_NAME] = "ifname",
	[TAP_SETTING_NETNS] = "netns",
	[TAP_SETTING_QUEUES] = "queues",
	[TAP_SETTING_MTU] = "mtu",
	[TAP_SETTING_MAC] = "mac",
	[TAP_SETTING_UP] = "up",
	[TAP_SETTING_PERSIST] = "persist",
	[TAP_SETTING_ADDRESS] = "address",
};

/* Where the device is missing the key that asks for it is to blame. */
static bool has_vhost(struct port_fault *fault)
{
	int fd = host_vhost_net_open(&fault->error);

	if (fd < 0) {
		fault->key = "vhost";
		return false;
	}
	fd_close(&fd);
	return true;
}

static struct port *open_port(
	const struct port_place *place, const struct model_port *model, struct port_fault *fault)
{
	static const enum tap_port_vhost vhost[] = {
		[MODEL_VHOST_AUTO] = TAP_PORT_VHOST_AUTO,
		[MODEL_VHOST_ON] = TAP_PORT_VHOST_ON,
		[MODEL_VHOST_OFF] = TAP_PORT_VHOST_OFF,
	};
	const struct host_tap wanted = settings_of(model);
	unsigned word = model_tap(model)->vhost;
	enum tap_setting failed;
	struct port *port;

	if (word == MODEL_VHOST_ON && !place->restored && !has_vhost(fault))
		return NULL;
	port = tap_port_new(place->base, place->notifier, model->name, place->index, &wanted,
		vhost[word], place->restored ? TAP_PORT_RESTORED : TAP_PORT_ALL, &failed,
		&fault->error);
	if (!port)
		fault->key = setting_keys[failed];
	return port;
}

static int change_port(struct port *port, const struct model_port *old,
	const struct model_port *new, struct port_fault *fault)
{
	const struct host_tap wanted = settings_of(new);
	enum tap_setting failed;
	int status = tap_port_change(port, &wanted, &failed, &fault->error);

	if (status < 0)
		fault->key = setting_keys[failed];
	return status;
}

static void undo(struct port *port, const struct model_port *was)
{
	struct host_tap wanted;

	if (was)
		wanted = settings_of(was);
	tap_port_undo(port, was ? &wanted : NULL);
}

/* Whoever has an address behind the interface, the administrator himself maybe, is cut off where it
 * goes. One that stays, though it is opened anew, is given its port's addresses again. */
static int keeps_promise(const struct port *port, const struct model_port *old,
	const struct model_port *new, struct error *error)
{
	const struct model_tap *settings = model_tap(old);
	struct value_address address = {0};
	char text[VALUE_ADDRESS_TEXT_SIZE];
	struct link_address found;

	if (new &&port_kind_of(new) == &port_kind_tap &&
		strcmp(model_tap(new)->ifname, settings->ifname) == 0 &&
		strcmp(model_tap(new)->netns, settings->netns) == 0)
		return 0;
	if (!tap_port_address(port, &found))
		return 0;
	address.ipv6 = found.ipv6;
	address.length = found.length;
	memcpy(address.bytes, found.bytes, sizeof(address.bytes));
	value_address_format(&address, VALUE_INTERFACE, text);
	return error_set(error, -EBUSY, "its interface %s%s%s is up and has the address %s",
		settings->ifname, *settings->netns ? " in netns " : "", settings->netns, text);
}

static void read_status(const struct port *port, struct port_status *status)
{
	struct tap_port_status own;

	tap_port_status(port, &own);
	*status = (struct port_status){
		.connected = own.state != TAP_PORT_AWAY,
		.state = tap_port_state_names[own.state],
		.problem = own.problem,
		.problem_age = own.problem_age,
	};
}

static void show(const struct port *port, const struct model_port *model, json_t *object)
{
	const struct model_tap *settings = model_tap(model);
	struct tap_port_status status;
	char mac[MAC_TEXT_SIZE];
	json_t *part;

	tap_port_status(port, &status);
	part = json_pack("{s:o, s:o, s:b, s:o, s:s?, s:b, s:o, s:s, s:I}", "endpoint",
		interface_endpoint(settings->netns, settings->ifname), "ifindex",
		status.ifindex ? json_integer(status.ifindex) : json_null(), "carrier",
		(int)status.carrier, "interface_mtu",
		status.mtu ? json_integer(status.mtu) : json_null(), "interface_mac",
		status.ifindex ? mac_format(status.mac, mac) : NULL, "found", (int)status.found,
		"offloads", interface_offloads(status.offloads), "io", status.io, "returns",
		(json_int_t)status.returns);
	json_object_update(object, part);
	json_decref(part);
}

const struct port_kind port_kind_tap = {
	.type = "tap",
	.key = "ifname",
	.open = open_port,
	.change = change_port,
	.undo = undo,
	.keeps_promise = keeps_promise,
	.status = read_status,
	.show = show,
};
