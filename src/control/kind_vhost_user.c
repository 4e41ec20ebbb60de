/* SPDX-License-Identifier: BSD-3-Clause */
/* The row of `type: vhost-user`: from the words of the configuration to a socket that a VMM
 * connects to. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "control/port_kinds.h"
#include "control/vhost_user_keys.h"
#include "host/host.h"
#include "host/names.h"
#include "port/ring_places.h"
#include "port/vhost_user/vhost_user.h"
#include "vhost/message.h"
#include "virtio/guest_mapping.h"

#define PLACES_FOLDER_SIZE (MODEL_PATH_SIZE + 16)

/*
 * Four times the machine's memory is more than any VM on it can use: twice for the hole below 4 GiB
 * (guest_mapping.h), and twice again while a table replaces another. Below 64 GiB of it, 256 GiB,
 * for VMs with room for memory that may be plugged in later.
 */
static uint64_t memory_limit(const struct model_port *model)
{
	const uint64_t gib = 1ULL << 30;
	uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	unsigned limit = model_vhost_user(model)->memory_limit_gib;

	return limit == MODEL_MEMORY_AUTO ? MAX(4 * machine, 256 * gib) : limit * gib;
}

/* The folder of ring positions: beside the sockets, where the next process will look for it. */
static void format_places_folder(
	char folder[PLACES_FOLDER_SIZE], const struct model_settings *settings)
{
	snprintf(folder, PLACES_FOLDER_SIZE, "%s/.positions", settings->socket_dir);
}

/* From the names of the configuration to those of the kernel. 0, or -ENOENT: the machine has no
 * such user or group (any more). */
static int find_access(
	const struct model_port *model, struct host_access *access, struct error *error)
{
	const struct model_vhost_user *settings = model_vhost_user(model);

	*access = (struct host_access){
		.mode = settings->socket_mode ? settings->socket_mode : MODEL_SOCKET_MODE,
		.owner = HOST_AS_MADE,
		.group = HOST_AS_MADE,
	};
	if (*settings->owner && !host_user(settings->owner, &access->owner))
		return error_set(error, -ENOENT, "this machine has no user '%s'", settings->owner);
	if (*settings->group && !host_group(settings->group, &access->group))
		return error_set(error, -ENOENT, "this machine has no group '%s'", settings->group);
	return 0;
}

static struct vhost_user_options options_of(const struct model_port *model)
{
	const struct model_vhost_user *settings = model_vhost_user(model);

	return (struct vhost_user_options){
		.mode = settings->mode == MODEL_CLIENT ? VHOST_USER_CLIENT : VHOST_USER_SERVER,
		.socket = settings->socket,
		.queues = settings->queues,
		.mtu = (uint16_t)settings->mtu,
		.memory_limit = memory_limit(model),
	};
}

static bool is_in_folder(const struct model_port *port, const char *folder, size_t length)
{
	const struct model_vhost_user *settings = model_vhost_user(port);

	return settings->mode == MODEL_SERVER && strncmp(settings->socket, folder, length) == 0 &&
	       settings->socket[length] == '/';
}

/* The default folder is made only for ports that have their socket there, again where it was
 * removed. */
static bool folder_needed(const struct model *model)
{
	const char *folder = model->settings.socket_dir;

	for (unsigned i = 0; i < model->port_count; i++)
		if (port_kind_of(&model->ports[i]) == &port_kind_vhost_user &&
			is_in_folder(&model->ports[i], folder, strlen(folder)))
			return true;
	return false;
}

/* What take_folder() made and locked, for the end of the same change. */
static struct host_folders_made made_folders;
static int new_lock = -1;

/* The lock of the folder in force: another vswd there would listen at the same sockets, connect to
 * the same VMMs, and write the same records of ring positions. Closed by itself when the process
 * ends. */
static int folder_lock = -1;

/* True where the two are one folder. A descriptor of -1 is none. */
static bool is_folder(int fd, const char *path)
{
	struct stat held, wanted;

	return fd >= 0 && fstat(fd, &held) == 0 && stat(path, &wanted) == 0 &&
	       held.st_dev == wanted.st_dev && held.st_ino == wanted.st_ino;
}

/* A folder that is not there, because no port needs it, or that cannot be opened, is nobody's. */
static int lock_folder(const struct host_folder *folder, struct error *error)
{
	if (is_folder(folder_lock, folder->path))
		return 0;
	new_lock = host_folder_lock(folder, error);
	if (new_lock == -EADDRINUSE) {
		new_lock = -1;
		error_prefix(error, "another vswd is running");
		return -EADDRINUSE;
	}
	new_lock = MAX(new_lock, -1);
	return 0;
}

static int take_folder(const struct model *model, struct port_fault *fault)
{
	struct host_folder folder = {.kind = HOST_FOLDER_PLAIN};
	int rc = host_folder_name(&folder, model->settings.socket_dir, &fault->error);

	made_folders = (struct host_folders_made){0};
	if (rc == 0 && folder_needed(model))
		rc = host_folder_make(&folder, &made_folders, &fault->error);
	if (rc == 0)
		rc = lock_folder(&folder, &fault->error);
	if (rc == 0)
		return made_folders.folder.inode != 0 || new_lock >= 0;
	fault->key = "socket-dir";
	fault->line = MAX(model->settings.socket_dir_line, 1);
	return rc;
}

static void leave_folder(const struct model *model)
{
	struct host_folder folder;

	fd_close(&new_lock);
	if (host_folder_name(&folder, model->settings.socket_dir, NULL) == 0)
		host_folder_remove(&folder, &made_folders);
}

/* A folder in which others could replace the socket: its permissions do not help there. */
static void check_folder(const struct model_port *model)
{
	const struct model_vhost_user *settings = model_vhost_user(model);
	struct host_folder folder;
	struct error error;

	if (settings->mode == MODEL_SERVER &&
		host_folder_of(&folder, settings->socket, &error) == 0 &&
		host_folder_check(&folder, &error) == -EPERM)
		log_limited(LOG_LEVEL_WARNING, "port %s: %s", model->name, error.text);
}

static struct port *open_port(
	const struct port_place *place, const struct model_port *model, struct port_fault *fault)
{
	struct vhost_user_options options = options_of(model);
	char places_folder[PLACES_FOLDER_SIZE];
	struct host_access access;
	struct port *port;

	if (find_access(model, &access, &fault->error) < 0) {
		if (!place->restored)
			return NULL;
		/* Nobody but our own user, until a change finds them. */
		log_warning("port %s: %s: nobody is let in", model->name, fault->error.text);
		access = (struct host_access){
			.mode = 0600, .owner = HOST_AS_MADE, .group = HOST_AS_MADE};
	}
	format_places_folder(places_folder, place->settings);
	options.access = &access;
	options.patient = place->restored;
	options.places_folder = places_folder;
	options.announce = place->announce;
	options.announce_owner = place->announce_owner;
	port = vhost_user_new(
		place->base, place->notifier, model->name, place->index, &options, &fault->error);
	if (port)
		check_folder(model);
	return port;
}

static bool access_differs(const struct model_port *old, const struct model_port *new)
{
	const struct model_vhost_user *a = model_vhost_user(old);
	const struct model_vhost_user *b = model_vhost_user(new);

	return strcmp(a->owner, b->owner) != 0 || strcmp(a->group, b->group) != 0 ||
	       a->socket_mode != b->socket_mode;
}

/*
 * Whom the socket lets in, and whether it is there at all. Where the change does not concern it a
 * failure is said and no more: who may write the folder, or owns the socket, must not be able to
 * keep others from being changed.
 */
static int change_port(struct port *port, const struct model_port *old,
	const struct model_port *new, struct port_fault *fault)
{
	struct host_access access;
	int rc = find_access(new, &access, &fault->error);

	if (rc == 0)
		rc = vhost_user_renew(port, &access, &fault->error);
	if (rc < 0 && access_differs(old, new))
		return rc;
	if (rc < 0)
		log_limited(LOG_LEVEL_WARNING, "port %s: its socket is left as it is: %s",
			new->name, fault->error.text);
	if (rc > 0)
		log_warning("port %s: its socket %s was gone: listening there again", new->name,
			model_vhost_user(new)->socket);
	vhost_user_set_memory_limit(port, memory_limit(new));
	return 0;
}

static void configure(const struct model_settings *settings)
{
	if (!settings || new_lock >= 0) {
		fd_close(&folder_lock);
		folder_lock = fd_take(&new_lock);
	}
	if (!settings)
		return;
	guest_mapping_set_rules(settings->guest_memory == MODEL_GUEST_MEMORY_ANY,
		settings->memory_limit_gib == MODEL_MEMORY_AUTO
			? GUEST_MAPPINGS_BYTES
			: (uint64_t)settings->memory_limit_gib << 30);
}

static int keeps_promise(const struct port *port, const struct model_port *old,
	const struct model_port *new, struct error *error)
{
	struct vhost_user_options options;
	struct vhost_user_status status;

	if (new &&port_kind_of(new) == &port_kind_vhost_user) {
		options = options_of(new);
		return vhost_user_keeps_promise(port, &options, error);
	}
	vhost_user_status(port, &status);
	if (!status.connected)
		return 0;
	if (!new)
		return error_set(error, -EBUSY, "its VM (pid %d) is connected to the socket %s",
			(int)status.peer, status.socket);
	return error_set(error, -EBUSY,
		"its VM (pid %d) is connected to the socket %s, which a port of type %s does not "
		"have",
		(int)status.peer, status.socket, port_kind_of(new)->type);
}

static void forget(const struct model_settings *settings, const char *name)
{
	char folder[PLACES_FOLDER_SIZE];

	format_places_folder(folder, settings);
	ring_places_remove(folder, name);
}

static void read_status(const struct port *port, struct port_status *status)
{
	struct vhost_user_status own;

	vhost_user_status(port, &own);
	*status = (struct port_status){
		.connected = own.connected,
		.state = vhost_user_state_names[own.state],
		.problem = own.problem,
		.problem_age = own.problem_age,
	};
}

/* The names of the bits that are set; a bit without a name is shown as its number. */
static json_t *feature_names(uint64_t features, const char *(*name_of)(unsigned))
{
	json_t *names = json_array();

	for (unsigned bit = 0; bit < 64; bit++) {
		const char *name = name_of(bit);

		if (!(features >> bit & 1))
			continue;
		json_array_append_new(
			names, name ? json_string(name) : json_sprintf("bit-%u", bit));
	}
	return names;
}

static void show(const struct port *port, const struct model_port *model, json_t *object)
{
	struct vhost_user_status status;
	json_t *part;

	vhost_user_status(port, &status);
	part = json_pack("{s:b, s:o, s:o, s:o, s:i, s:I, s:I, s:I, s:I, s:I, s:i}", "running",
		(int)status.running, "peer_pid",
		status.peer ? json_integer(status.peer) : json_null(), "features",
		feature_names(status.features, vhost_feature_name), "protocol_features",
		feature_names(status.protocol_features, vhost_protocol_feature_name),
		"queues_running", (int)status.queues, "memory_bytes",
		(json_int_t)status.memory_bytes, "mapped_bytes", (json_int_t)status.mapped_bytes,
		"connections", (json_int_t)status.connections, "ring_errors",
		(json_int_t)status.ring_errors, "owed_signals", (json_int_t)status.owed_signals,
		"rings_lost", (int)status.rings_lost);
	json_object_update(object, part);
	json_decref(part);
}

const struct port_kind port_kind_vhost_user = {
	.type = "vhost-user",
	.key = "socket",
	.for_vms = true,
	.prepare = take_folder,
	.unprepare = leave_folder,
	.open = open_port,
	.change = change_port,
	.configure = configure,
	.keeps_promise = keeps_promise,
	.break_promise = vhost_user_break_promise,
	.forget = forget,
	.status = read_status,
	.show = show,
};
