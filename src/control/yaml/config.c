/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "control/yaml/check.h"
#include "control/yaml/reader.h"
#include "forward/security_rules.h"
#include "forward/topology.h"

/* What a key may be. A row reads one value into the object that the table is about. */
struct key {
	const char *name;
	void (*read)(struct config_reader *reader, const struct key *key,
		const struct yaml_tree *node, void *object);
	size_t offset; /* of the field in the object */
	unsigned minimum, maximum;
	const char *const *choices;
};

static bool require_kind(
	struct config_reader *reader, const struct yaml_tree *node, enum yaml_tree_kind kind)
{
	static const char *const names[] = {
		[YAML_TREE_SCALAR] = "a single value",
		[YAML_TREE_LIST] = "a list such as [a, b]",
		[YAML_TREE_MAP] = "a map of keys",
	};

	if (node->kind == kind && !(kind == YAML_TREE_SCALAR && yaml_tree_is_null(node)))
		return true;
	config_fault(reader, node->line, "must be %s, not %s", names[kind],
		yaml_tree_is_null(node) ? "empty" : names[node->kind]);
	return false;
}

static void fault_unknown_key(struct config_reader *reader, const struct yaml_tree *node,
	const struct key *keys, unsigned count)
{
	char known[256] = "";
	size_t used = 0;

	for (unsigned i = 0; i < count && used < sizeof(known); i++)
		used += (size_t)snprintf(
			known + used, sizeof(known) - used, "%s%s", i ? ", " : "", keys[i].name);
	config_fault(reader, node->key_line, "unknown key (known here: %s)", known);
}

/* Reads the keys of a map by their table into *object. */
static void read_keys(struct config_reader *reader, const struct yaml_tree *map,
	const struct key *keys, unsigned count, void *object)
{
	if (yaml_tree_is_null(map) || !require_kind(reader, map, YAML_TREE_MAP))
		return;
	config_fault_duplicates(reader, map);
	for (unsigned i = 0; i < map->count; i++) {
		const struct yaml_tree *node = &map->children[i];
		size_t mark = config_enter(reader, node->key);
		unsigned k = 0;

		while (k < count && strcmp(keys[k].name, node->key) != 0)
			k++;
		if (k < count)
			keys[k].read(reader, &keys[k], node, object);
		else
			fault_unknown_key(reader, node, keys, count);
		config_leave(reader, mark);
	}
}

/* Digits only; what they say where they are decimal, cut off at UINT_MAX. */
static bool parse_digits(const char *text, unsigned *number)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > UINT_MAX)
			value = UINT_MAX;
	}
	*number = (unsigned)value;
	return true;
}

static void read_number(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	unsigned number = 0;

	if (!require_kind(reader, node, YAML_TREE_SCALAR))
		return;
	if (node->plain && config_number_ambiguous(node->text))
		config_fault(reader, node->line,
			"'%.64s' is ambiguous, readers of YAML differ: write a number from %u to "
			"%u "
			"in decimal digits without leading zeros",
			node->text, key->minimum, key->maximum);
	else if (!node->plain || !parse_digits(node->text, &number))
		config_fault(reader, node->line, "'%.64s' is not a number from %u to %u",
			node->text, key->minimum, key->maximum);
	else if (number < key->minimum || number > key->maximum)
		config_fault(reader, node->line, "%.64s is not between %u and %u", node->text,
			key->minimum, key->maximum);
	else
		*(unsigned *)((char *)object + key->offset) = number;
}

/* "auto" is 0: MODEL_WORKERS_AUTO, MODEL_MEMORY_AUTO. */
static void read_number_or_auto(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	if (node->kind == YAML_TREE_SCALAR && strcmp(node->text, "auto") == 0)
		*(unsigned *)((char *)object + key->offset) = 0;
	else
		read_number(reader, key, node, object);
}

static void read_choice(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	char known[128] = "";
	size_t used = 0;

	if (!require_kind(reader, node, YAML_TREE_SCALAR))
		return;
	for (unsigned i = 0; key->choices[i]; i++) {
		if (strcmp(node->text, key->choices[i]) == 0) {
			*(unsigned *)((char *)object + key->offset) = i;
			return;
		}
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s'%s'",
			i ? " or " : "", key->choices[i]);
	}
	config_fault(
		reader, node->line, "'%.64s' is not known here: must be %s", node->text, known);
}

/* What passes through a shell and the option lists of every VMM as it is (commas aside, which
 * `vsw port args` doubles for QEMU). */
#define PATH_MARKS "/._-+,:@%="

static const char path_characters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" PATH_MARKS;

static void read_path(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	if (!require_kind(reader, node, YAML_TREE_SCALAR))
		return;
	if (node->text[0] != '/')
		config_fault(reader, node->line, "'%.64s' must be a path that begins with '/'",
			node->text);
	else if (node->text[strspn(node->text, path_characters)])
		config_fault(reader, node->line,
			"'%c' may not stand in a path here, only letters, digits and any of %s: a "
			"VMM's command line takes nothing else unchanged",
			node->text[strspn(node->text, path_characters)], PATH_MARKS);
	else if (strlen(node->text) >= MODEL_PATH_SIZE)
		config_fault(reader, node->line,
			"path of %zu characters is too long for a unix socket: at most %zu",
			strlen(node->text), MODEL_PATH_SIZE - 1);
	else
		strcpy((char *)object + key->offset, node->text);
}

static void read_socket_dir(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	struct model_settings *settings = object;

	settings->socket_dir_line = node->line;
	read_path(reader, key, node, object);
}

static void read_group(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	if (!require_kind(reader, node, YAML_TREE_SCALAR) ||
		!config_name_valid(reader, node->line, node->text))
		return;
	if (!getgrnam(node->text))
		config_fault(reader, node->line, "this machine has no group '%s'", node->text);
	strcpy((char *)object + key->offset, node->text);
}

static void read_user(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	if (!require_kind(reader, node, YAML_TREE_SCALAR) ||
		!config_name_valid(reader, node->line, node->text))
		return;
	if (!getpwnam(node->text))
		config_fault(reader, node->line, "this machine has no user '%s'", node->text);
	strcpy((char *)object + key->offset, node->text);
}

/* In quotes: without them 0660 is 432 to one reader of YAML and 660 to another. Owner and group may be
 * given reading and writing; a socket that everybody may open is a choice, too. */
static void read_socket_mode(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	if (!require_kind(reader, node, YAML_TREE_SCALAR))
		return;
	if (node->plain || strlen(node->text) != 4 || node->text[0] != '0' ||
		strspn(node->text + 1, "0246") != 3 || node->text[1] != '6')
		config_fault(reader, node->line,
			"'%.64s' is not a mode of a socket: four octal digits in quotes, such as "
			"\"0660\" (the owner may always read and write)",
			node->text);
	else
		*(unsigned *)((char *)object + key->offset) = (unsigned)strtoul(
			node->text, NULL, 8);
}

static void read_mac(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	static const uint8_t zero[6];
	struct model_port *port = object;

	if (!require_kind(reader, node, YAML_TREE_SCALAR))
		return;
	if (!model_mac_parse(node->text, port->mac))
		config_fault(reader, node->line,
			"'%.64s' is not a MAC address such as 52:54:00:00:00:01", node->text);
	else if (port->mac[0] & 1)
		config_fault(reader, node->line, "'%s' is a multicast address", node->text);
	else if (memcmp(port->mac, zero, sizeof(zero)) == 0)
		config_fault(reader, node->line, "the zero address cannot be a port's");
	else
		port->has_mac = true;
}

static void read_network_name(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	const struct model_network *network;

	if (!require_kind(reader, node, YAML_TREE_SCALAR))
		return;
	network = config_resolve(reader, node);
	if (network)
		strcpy((char *)object + key->offset, network->name);
}

static void read_trunk(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	struct model_port *port = object;

	if (!require_kind(reader, node, YAML_TREE_LIST))
		return;
	if (!node->count)
		config_fault(reader, node->line, "the list is empty: name at least one network");
	for (unsigned i = 0; i < node->count; i++) {
		const struct yaml_tree *item = &node->children[i];
		const struct model_network *network;

		if (!require_kind(reader, item, YAML_TREE_SCALAR))
			continue;
		network = config_resolve(reader, item);
		if (!network)
			continue;
		if (!network->vlan)
			config_fault(reader, item->line,
				"network '%s' has no 'vlan', so a trunk cannot carry it",
				network->name);
		else if (!config_trunk_mark(reader, network))
			config_fault(
				reader, item->line, "network '%s' is listed twice", network->name);
		else if (model_port_add_trunk(port, network->name) < 0)
			config_fault_memory(reader);
	}
	config_trunk_unmark(reader, port);
}

static void read_address(
	struct config_reader *reader, const struct yaml_tree *node, struct model_port *port)
{
	struct model_address address;
	const char *wrong;

	if (!require_kind(reader, node, YAML_TREE_SCALAR))
		return;
	wrong = model_address_parse(node->text, &address);
	for (unsigned i = 0; i < port->address_count && !wrong; i++)
		if (memcmp(&port->addresses[i], &address, sizeof(address)) == 0)
			wrong = "is listed twice";
	if (wrong)
		config_fault(reader, node->line, "'%.64s' %s", node->text, wrong);
	else if (model_port_add_address(port, &address) < 0)
		config_fault_memory(reader);
}

/* One address, or a list of them. */
static void read_addresses(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	struct model_port *port = object;

	if (node->kind != YAML_TREE_LIST) {
		read_address(reader, node, port);
		return;
	}
	if (!node->count)
		config_fault(reader, node->line, "the list is empty: name at least one address");
	if (node->count > SECURITY_ADDRESS_MAX) {
		config_fault(reader, node->line, "%u addresses are too many: at most %u",
			node->count, SECURITY_ADDRESS_MAX);
		return;
	}
	for (unsigned i = 0; i < node->count; i++)
		read_address(reader, &node->children[i], port);
	model_sort_addresses(port);
}

#define NUMBER(key, type, field, low, high)                                                        \
	{                                                                                          \
		.name = (key), .read = read_number, .offset = offsetof(struct type, field),        \
		.minimum = (low), .maximum = (high)                                                \
	}
#define NUMBER_OR_AUTO(key, type, field, low, high)                                                \
	{                                                                                          \
		.name = (key), .read = read_number_or_auto,                                        \
		.offset = offsetof(struct type, field), .minimum = (low), .maximum = (high)        \
	}
#define FIELD(key, reader, type, field)                                                            \
	{                                                                                          \
		.name = (key), .read = (reader), .offset = offsetof(struct type, field)            \
	}
#define CHOICE(key, type, field, words)                                                            \
	{                                                                                          \
		.name = (key), .read = read_choice, .offset = offsetof(struct type, field),        \
		.choices = (words)                                                                 \
	}

/* The address space of a process: 128 TiB. */
#define MEMORY_GIB_MAX 131072

static const struct key fdb_keys[] = {
	/* Below 16 addresses no network works; above 1 Mi the table alone takes 32 MiB and more. */
	NUMBER("size", model_settings, fdb_size, 16, 1048576),
	NUMBER("ageing", model_settings, fdb_ageing, 0, 1000000),
};

static void read_fdb(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	read_keys(reader, node, fdb_keys, ARRAY_SIZE(fdb_keys), object);
}

static const struct key switch_keys[] = {
	FIELD("socket-dir", read_socket_dir, model_settings, socket_dir),
	FIELD("control-group", read_group, model_settings, control_group),
	FIELD("control-ro", read_group, model_settings, control_ro),
	FIELD("socket-group", read_group, model_settings, socket_group),
	FIELD("socket-mode", read_socket_mode, model_settings, socket_mode),
	NUMBER_OR_AUTO("workers", model_settings, workers, 1, 64),
	CHOICE("poll", model_settings, poll, model_poll_names),
	/* Longer than a second is busy polling, which has a word of its own. */
	NUMBER("idle-us", model_settings, idle_us, 0, 1000000),
	{.name = "fdb", .read = read_fdb},
	CHOICE("guest-memory", model_settings, guest_memory, model_guest_memory_names),
	NUMBER_OR_AUTO("memory-limit-gib", model_settings, memory_limit_gib, 1, MEMORY_GIB_MAX),
};

static const struct key network_keys[] = {
	NUMBER("vlan", model_network, vlan, 1, 4094),
	CHOICE("stp", model_network, stp, model_pass_names),
	CHOICE("lldp", model_network, lldp, model_pass_names),
	CHOICE("lacp", model_network, lacp, model_pass_names),
	CHOICE("802.1x", model_network, dot1x, model_pass_names),
	CHOICE("loops", model_network, loops, model_loops_names),
};

static const struct key port_keys[] = {
	CHOICE("type", model_port, type, model_port_type_names),
	FIELD("network", read_network_name, model_port, network),
	FIELD("trunk", read_trunk, model_port, trunk),
	FIELD("native", read_network_name, model_port, native),
	CHOICE("mode", model_port, mode, model_socket_mode_names),
	FIELD("socket", read_path, model_port, socket),
	FIELD("owner", read_user, model_port, owner),
	FIELD("group", read_group, model_port, group),
	FIELD("socket-mode", read_socket_mode, model_port, socket_mode),
	NUMBER("queues", model_port, queues, 1, PORT_QUEUE_MAX),
	FIELD("mac", read_mac, model_port, mac),
	FIELD("ip", read_addresses, model_port, addresses),
	CHOICE("trusted", model_port, trusted, model_flag_names),
	CHOICE("qinq", model_port, qinq, model_flag_names),
	NUMBER("flood-limit", model_port, flood_limit, 1, 1000000000),
	/* VIRTIO 1.3, 5.1.4.1: a device offers 68 to 65,535. */
	NUMBER("mtu", model_port, mtu, 68, 65535),
	NUMBER_OR_AUTO("memory-limit-gib", model_port, memory_limit_gib, 1, MEMORY_GIB_MAX),
};

static void read_switch(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	read_keys(reader, node, switch_keys, ARRAY_SIZE(switch_keys), &reader->model->settings);
}

/* Calls read() for each named entry of a section. */
static void read_section(struct config_reader *reader, const struct yaml_tree *section,
	unsigned maximum, void (*read)(struct config_reader *, const struct yaml_tree *))
{
	if (yaml_tree_is_null(section) || !require_kind(reader, section, YAML_TREE_MAP))
		return;
	config_fault_duplicates(reader, section);
	if (section->count > maximum) {
		config_fault(reader, section->line, "%u entries are too many: at most %u",
			section->count, maximum);
		return;
	}
	for (unsigned i = 0; i < section->count; i++) {
		size_t mark = config_enter(reader, section->children[i].key);

		if (config_name_valid(
			    reader, section->children[i].key_line, section->children[i].key))
			read(reader, &section->children[i]);
		config_leave(reader, mark);
	}
}

static void read_network(struct config_reader *reader, const struct yaml_tree *node)
{
	struct model_network *network = model_add_network(reader->model);
	unsigned number;

	if (!network) {
		config_fault_memory(reader);
		return;
	}
	strcpy(network->name, node->key);
	if (parse_digits(network->name, &number))
		config_fault(reader, node->key_line,
			"a network's name must not be a number: that is how VLAN ids are written");
	read_keys(reader, node, network_keys, ARRAY_SIZE(network_keys), network);
	config_check_vlan(reader, node, network);
}

static void read_port(struct config_reader *reader, const struct yaml_tree *node)
{
	struct model_port *port = model_add_port(reader->model);

	if (!port) {
		config_fault_memory(reader);
		return;
	}
	strcpy(port->name, node->key);
	read_keys(reader, node, port_keys, ARRAY_SIZE(port_keys), port);
	config_check_port(reader, node, port);
}

static void read_networks(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	read_section(reader, node, TOPOLOGY_NETWORK_MAX, read_network);
	model_sort_networks(reader->model);
}

static void read_ports(struct config_reader *reader, const struct key *key,
	const struct yaml_tree *node, void *object)
{
	read_section(reader, node, TOPOLOGY_PORT_MAX, read_port);
	config_check_ports(reader, node);
	model_sort_ports(reader->model);
}

/* In the order in which they are read, whatever their order in the file: ports name networks. */
static const struct key root_keys[] = {
	{.name = "switch", .read = read_switch},
	{.name = "networks", .read = read_networks},
	{.name = "ports", .read = read_ports},
};

static void read_root(struct config_reader *reader, const struct yaml_tree *root)
{
	const unsigned count = ARRAY_SIZE(root_keys);

	if (yaml_tree_is_null(root) || !require_kind(reader, root, YAML_TREE_MAP))
		return;
	config_fault_duplicates(reader, root);
	for (unsigned k = 0; k < count; k++) {
		const struct yaml_tree *node = yaml_tree_find(root, root_keys[k].name);
		size_t mark = config_enter(reader, root_keys[k].name);

		if (node)
			root_keys[k].read(reader, &root_keys[k], node, NULL);
		config_leave(reader, mark);
	}
	for (unsigned i = 0; i < root->count; i++) {
		const struct yaml_tree *node = &root->children[i];
		size_t mark = config_enter(reader, node->key);
		unsigned k = 0;

		while (k < count && strcmp(root_keys[k].name, node->key) != 0)
			k++;
		if (k == count)
			fault_unknown_key(reader, node, root_keys, count);
		config_leave(reader, mark);
	}
}

int config_parse(const char *file, const char *text, size_t length, struct model *model,
	struct config_errors *errors)
{
	struct config_reader *reader;
	struct yaml_tree root;
	struct error error;
	unsigned line;
	int rc;

	model_init(model);
	*errors = (struct config_errors){0};
	if (length > CONFIG_SIZE_MAX) {
		config_errors_add(errors, "%s: larger than %u bytes", file, CONFIG_SIZE_MAX);
		return -EINVAL;
	}
	rc = yaml_tree_parse(text, length, &root, &line, &error);
	if (rc < 0) {
		config_errors_add(errors, "%s:%u: %s", file, line, error.text);
		return rc;
	}
	reader = config_reader_new(file, model, errors);
	if (reader)
		read_root(reader, &root);
	else
		config_errors_add(errors, "%s: out of memory", file);
	config_reader_free(reader);
	yaml_tree_fini(&root);
	if (!errors->count)
		return 0;
	model_fini(model);
	return -EINVAL;
}

int config_read_file(const char *path, char **text, size_t *length, struct config_errors *errors)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buffer = malloc(CONFIG_SIZE_MAX + 1);
	size_t used = 0;
	ssize_t n = 0;
	int rc = 0;

	if (fd < 0 || !buffer) {
		rc = fd < 0 ? -errno : -ENOMEM;
		goto close_file;
	}
	do {
		n = read(fd, buffer + used, CONFIG_SIZE_MAX + 1 - used);
		used += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		rc = -errno;
	else if (used > CONFIG_SIZE_MAX)
		rc = -EFBIG;

close_file:
	fd_close(&fd);
	if (rc < 0) {
		config_errors_add(errors, "%s: %s", path, strerror(-rc));
		free(buffer);
		return rc;
	}
	*text = buffer;
	*length = used;
	return 0;
}

int config_load(const char *path, struct model *model, struct config_errors *errors)
{
	size_t length;
	char *text;
	int rc;

	model_init(model);
	*errors = (struct config_errors){0};
	rc = config_read_file(path, &text, &length, errors);
	if (rc < 0)
		return rc;
	rc = config_parse(path, text, length, model, errors);
	free(text);
	return rc;
}
