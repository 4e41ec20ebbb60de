/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/vhost_user_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/resources.h"
#include "host/place.h"

static const char *const mode_words[] = {"server", "client", NULL};

static const struct schema_key keys[] = {
	{"mode", SCHEMA_CHOICE, SCHEMA_FIELD(model_vhost_user, mode), .words = mode_words,
		.effect = DIFF_REOPEN, .help = "who listens at the socket, vswd or the VMM"},
	{"socket", SCHEMA_PATH, SCHEMA_FIELD(model_vhost_user, socket), .effect = DIFF_REOPEN,
		.help = "where VMM and vswd meet"},
	{"owner", SCHEMA_USER, SCHEMA_FIELD(model_vhost_user, owner), .effect = DIFF_LIVE,
		.help = "user to whom the socket belongs"},
	{"group", SCHEMA_GROUP, SCHEMA_FIELD(model_vhost_user, group), .effect = DIFF_LIVE,
		.help = "group of the socket"},
	{"socket-mode", SCHEMA_MODE, SCHEMA_FIELD(model_vhost_user, socket_mode),
		.effect = DIFF_LIVE, .help = "permissions of the socket"},
	{"queues", SCHEMA_NUMBER, SCHEMA_FIELD(model_vhost_user, queues), 1, PORT_QUEUE_MAX,
		.initial = 1, .effect = DIFF_REOPEN, .help = "queue pairs offered to the VM"},
	/* VIRTIO 1.3, 5.1.4.1: a device offers 68 to 65,535. */
	{"mtu", SCHEMA_NUMBER, SCHEMA_FIELD(model_vhost_user, mtu), 68, 65535, .nothing = "none",
		.effect = DIFF_REOPEN, .unit = "bytes", .help = "MTU offered to the guest"},
	{"memory-limit-gib", SCHEMA_NUMBER, SCHEMA_FIELD(model_vhost_user, memory_limit_gib), 1,
		MODEL_MEMORY_GIB_MAX, .nothing = "auto", .nothing_written = true,
		.effect = DIFF_LIVE, .unit = "GiB",
		.help = "address space that the VM's memory may take"},
};

static void fault(const struct model_check *check, const char *key, const char *text)
{
	struct error error;

	error_set(&error, -EINVAL, "%s", text);
	check->fault(check->owner, key, &error);
}

/* What the port does not say of its socket, the switch says. */
static void complete_access(struct model_vhost_user *settings, const struct model_settings *common,
	const struct model_check *check)
{
	static const char *const access_keys[] = {"owner", "group", "socket-mode"};
	struct error error;

	if (settings->mode == MODEL_CLIENT) {
		for (unsigned i = 0; i < ARRAY_SIZE(access_keys); i++)
			if (check->given(check->owner, access_keys[i]))
				fault(check, access_keys[i],
					"with mode 'client' the socket is the VMM's, not ours to "
					"give");
		return;
	}
	if (!check->given(check->owner, "group"))
		strcpy(settings->group, common->socket_group);
	if (!check->given(check->owner, "socket-mode"))
		settings->socket_mode = common->socket_mode;
	if (*settings->group && strcmp(settings->group, common->control_group) == 0) {
		error_set(&error, -EINVAL,
			"who may connect to a port must not be of the control group, which may "
			"change everything: '%s'",
			settings->group);
		check->fault(check->owner, "group", &error);
	}
}

static void complete(struct model_port *port, const struct model_settings *common,
	const struct model_check *check)
{
	struct model_vhost_user *settings = port->settings;
	size_t length = strlen(common->socket_dir) + 1 + strlen(port->name) + strlen(".sock");
	struct error error;

	complete_access(settings, common, check);
	if (check->given(check->owner, "socket"))
		return;
	if (settings->mode == MODEL_CLIENT)
		fault(check, "mode",
			"mode 'client' needs 'socket': the path where the VMM listens");
	if (length < sizeof(settings->socket)) {
		(void)!snprintf(settings->socket, sizeof(settings->socket), "%s/%s.sock",
			common->socket_dir, port->name);
		return;
	}
	error_set(&error, -EINVAL,
		"socket path '%s/%s.sock' of %zu characters is too long: at most %zu; "
		"shorten 'socket-dir' or set 'socket'",
		common->socket_dir, port->name, length, sizeof(settings->socket) - 1);
	check->fault(check->owner, NULL, &error);
}

static void describe(const struct model_port *port, FILE *out)
{
	const struct model_vhost_user *settings = model_vhost_user(port);

	fprintf(out, "%s %s", mode_words[settings->mode], settings->socket);
}

static void claim(const struct model_port *port, struct claims *claims)
{
	const struct model_vhost_user *settings = model_vhost_user(port);

	char place[HOST_PLACE_SIZE];

	if (!*settings->socket)
		return;
	host_file_place(settings->socket, place);
	claims_add(claims, "socket path", "socket", "%s", place);
}

const struct model_kind vhost_user_kind = {
	.name = "vhost-user",
	.help = "a VM, through a unix socket that its VMM shares with vswd",
	.schema = {keys, ARRAY_SIZE(keys), sizeof(struct model_vhost_user)},
	.complete = complete,
	.describe = describe,
	.claims = claim,
	.reopened = "its VM reconnects",
};
