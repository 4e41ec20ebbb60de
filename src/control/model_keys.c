/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of what every switch and port has. Others: *_keys.c. */
#include "control/model.h"
#include "forward/security_rules.h"

static const char *const poll_words[] = {"adaptive", "busy", NULL};
static const char *const guest_memory_words[] = {"shmem", "any", NULL};

static const struct schema_key switch_keys[] = {
	/* Ports whose path follows from it change too, and say so themselves. */
	{"socket-dir", SCHEMA_PATH, SCHEMA_FIELD(model_settings, socket_dir),
		.initial_text = MODEL_SOCKET_DIR, .effect = DIFF_LIVE,
		.help = "folder in which the ports' sockets appear as NAME.sock"},
	{"state-dir", SCHEMA_PATH, SCHEMA_FIELD(model_settings, state_dir),
		.initial_text = MODEL_STATE_DIR, .effect = DIFF_RESTART,
		.help = "folder for what outlives vswd: the leases of DHCP"},
	{"control-group", SCHEMA_GROUP, SCHEMA_FIELD(model_settings, control_group),
		.effect = DIFF_RESTART, .help = "group that may use the control socket"},
	{"control-ro", SCHEMA_GROUP, SCHEMA_FIELD(model_settings, control_ro),
		.effect = DIFF_RESTART, .help = "group of a control socket that only shows"},
	/* As socket-dir: ports that follow say so. */
	{"socket-group", SCHEMA_GROUP, SCHEMA_FIELD(model_settings, socket_group),
		.effect = DIFF_LIVE, .help = "group of the ports' sockets"},
	{"socket-mode", SCHEMA_MODE, SCHEMA_FIELD(model_settings, socket_mode),
		.initial = MODEL_SOCKET_MODE, .effect = DIFF_LIVE,
		.help = "permissions of the ports' sockets"},
	{"workers", SCHEMA_NUMBER, SCHEMA_FIELD(model_settings, workers), 1, 64, .nothing = "auto",
		.nothing_written = true, .effect = DIFF_RESTART,
		.help = "threads that move frames"},
	{"poll", SCHEMA_CHOICE, SCHEMA_FIELD(model_settings, poll), .words = poll_words,
		.effect = DIFF_RESTART, .help = "whether idle workers sleep"},
	/* Longer than a second is busy polling, which has a word of its own. */
	{"idle-us", SCHEMA_NUMBER, SCHEMA_FIELD(model_settings, idle_us), 0, 1000000,
		.initial = MODEL_IDLE_US_DEFAULT, .effect = DIFF_RESTART, .unit = "microseconds",
		.help = "how long an empty queue is polled before its worker sleeps"},
	/* Below 16 addresses no network works; above 1 Mi the table alone takes 32 MiB and more. */
	{"fdb.size", SCHEMA_NUMBER, SCHEMA_FIELD(model_settings, fdb_size), 16, 1048576,
		.initial = MODEL_FDB_SIZE_DEFAULT, .map = "fdb", .effect = DIFF_RESTART,
		.unit = "addresses", .help = "room of the forwarding database"},
	{"fdb.ageing", SCHEMA_NUMBER, SCHEMA_FIELD(model_settings, fdb_ageing), 0, 1000000,
		.initial = MODEL_FDB_AGEING_DEFAULT, .map = "fdb", .effect = DIFF_LIVE,
		.unit = "seconds",
		.help = "when an address that is not seen is forgotten; 0: never"},
	/* Both for what is mapped from then on. */
	{"guest-memory", SCHEMA_CHOICE, SCHEMA_FIELD(model_settings, guest_memory),
		.words = guest_memory_words, .effect = DIFF_LIVE,
		.help = "files in which the memory of VMs may lie"},
	{"memory-limit-gib", SCHEMA_NUMBER, SCHEMA_FIELD(model_settings, memory_limit_gib), 1,
		MODEL_MEMORY_GIB_MAX, .nothing = "auto", .nothing_written = true,
		.effect = DIFF_LIVE, .unit = "GiB",
		.help = "address space that the memory of all VMs may take"},
};

static const struct schema_key port_keys[] = {
	{"type", SCHEMA_CHOICE, SCHEMA_FIELD(model_port, type), .word = model_kind_name,
		.effect = DIFF_REOPEN, .help = "kind of port"},
	{"network", SCHEMA_NETWORK, SCHEMA_FIELD(model_port, network), .effect = DIFF_LIVE,
		.help = "the network of an access port"},
	{"trunk", SCHEMA_NETWORKS, SCHEMA_FIELD(model_port, trunk), .effect = DIFF_LIVE,
		.help = "the networks of a trunk"},
	{"native", SCHEMA_NETWORK, SCHEMA_FIELD(model_port, native), .effect = DIFF_LIVE,
		.help = "on a trunk, the network of untagged frames"},
	{"mac", SCHEMA_MAC, SCHEMA_FIELD(model_port, mac), .nothing = "any", .effect = DIFF_LIVE,
		.help = "the only source address that may be used"},
	{"ip", SCHEMA_ADDRESSES, SCHEMA_FIELD(model_port, ip), .maximum = SECURITY_ADDRESS_MAX,
		.nothing = "any", .effect = DIFF_LIVE,
		.help = "the only IP addresses that may be used"},
	{"trusted", SCHEMA_FLAG, SCHEMA_FIELD(model_port, trusted), .effect = DIFF_LIVE,
		.help = "may be a router and a DHCP server"},
	{"qinq", SCHEMA_FLAG, SCHEMA_FIELD(model_port, qinq), .effect = DIFF_LIVE,
		.help = "frames with several tags may pass"},
	{"flood-limit", SCHEMA_NUMBER, SCHEMA_FIELD(model_port, flood_limit), 1, 1000000000,
		.nothing = "none", .effect = DIFF_LIVE, .unit = "frames a second",
		.help = "what may be flooded from this port"},
};

const struct schema model_switch_schema = {
	switch_keys, ARRAY_SIZE(switch_keys), sizeof(struct model_settings)};
const struct schema model_port_schema = {
	port_keys, ARRAY_SIZE(port_keys), sizeof(struct model_port)};
