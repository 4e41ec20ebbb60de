/* SPDX-License-Identifier: BSD-3-Clause */
/* The row of `type: packet`: from the words of the configuration to an interface of the host. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "control/kind_interface.h"
#include "control/packet_keys.h"
#include "control/port_kinds.h"
#include "packet/mac.h"
#include "port/packet/packet_port.h"

static struct host_packet settings_of(const struct model_port *model)
{
	const struct model_packet *settings = model_packet(model);
	struct host_packet wanted = {.up = settings->up, .shared = settings->shared};

	snprintf(wanted.name, sizeof(wanted.name), "%s", settings->ifname);
	snprintf(wanted.netns, sizeof(wanted.netns), "%s", settings->netns);
	return wanted;
}

static struct port *open_port(
	const struct port_place *place, const struct model_port *model, struct port_fault *fault)
{
	const struct host_packet wanted = settings_of(model);

	return packet_port_new(place->base, place->notifier, model->name, place->index, &wanted,
		place->restored, &fault->error);
}

/* As with a TAP: what nobody asked to be changed keeps nobody from changing their own. */
static int change_port(struct port *port, const struct model_port *old,
	const struct model_port *new, struct port_fault *fault)
{
	const struct host_packet wanted = settings_of(new);
	int status = packet_port_change(port, &wanted, &fault->error);

	if (status == 0 || !interface_same_words(old, new))
		return status;
	log_warning("port %s: %s", new->name, fault->error.text);
	return 0;
}

static void read_status(const struct port *port, struct port_status *status)
{
	struct packet_port_status own;

	packet_port_status(port, &own);
	*status = (struct port_status){
		.connected = own.state != PACKET_PORT_AWAY,
		.state = packet_port_state_names[own.state],
		.problem = own.problem,
		.problem_age = own.problem_age,
	};
}

static void show(const struct port *port, const struct model_port *model, json_t *object)
{
	const struct model_packet *settings = model_packet(model);
	struct packet_port_status status;
	char mac[MAC_TEXT_SIZE];
	json_t *part;

	packet_port_status(port, &status);
	part = json_pack("{s:o, s:o, s:b, s:o, s:s?, s:b, s:o, s:I}", "endpoint",
		interface_endpoint(settings->netns, settings->ifname), "ifindex",
		status.ifindex ? json_integer(status.ifindex) : json_null(), "carrier",
		(int)status.carrier, "interface_mtu",
		status.mtu ? json_integer(status.mtu) : json_null(), "interface_mac",
		status.ifindex ? mac_format(status.mac, mac) : NULL, "guarded", (int)status.guarded,
		"offloads", interface_offloads(status.offloads), "returns",
		(json_int_t)status.returns);
	json_object_update(object, part);
	json_decref(part);
}

const struct port_kind port_kind_packet = {
	.type = "packet",
	.key = "ifname",
	.open = open_port,
	.change = change_port,
	.status = read_status,
	.show = show,
};
