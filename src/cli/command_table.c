/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/command_table.h"

#include <string.h>

#include "base/common.h"

/* Of a command that shows rows. */
#define ROWS (COMMAND_WATCH | COMMAND_SORT | COMMAND_EXACT)

const struct command command_table[] = {
	{"show", NULL, NULL, COMMAND_WATCH | COMMAND_EXACT, 0, command_show,
		"the switch in a few lines"},
	{"port", "show", "[NAME]", ROWS | COMMAND_STATISTICS | COMMAND_NETWORK | COMMAND_STATE, 0,
		command_port_show, "ports, or all about one"},
	{"port", "reset", "NAME...", 0, 0, command_port_reset, "start a port's figures again"},
	{"port", "add", "NAME KEY=VALUE...", COMMAND_FORCE, 0, command_port_add,
		"add a port to the running switch"},
	{"port", "set", "NAME KEY=VALUE...", COMMAND_FORCE, 0, command_port_set,
		"change one; KEY= takes a key away"},
	{"port", "del", "NAME", COMMAND_FORCE, 0, command_port_del, "remove one"},
	{"port", "args", "NAME", COMMAND_VMM | COMMAND_MEMORY | COMMAND_QEMU | COMMAND_VERSION,
		COMMAND_VMM, command_port_args, "how to attach a VM to this port"},
	{"fdb", "show", NULL, ROWS | COMMAND_PORT | COMMAND_NETWORK, 0, command_fdb_show,
		"MAC addresses and where they are"},
	{"fdb", "flush", NULL, COMMAND_PORT | COMMAND_NETWORK, 0, command_fdb_flush,
		"forget what was learned"},
	{"fdb", "del", "MAC", COMMAND_NETWORK, COMMAND_NETWORK, command_fdb_del,
		"forget one address"},
	{"network", "show", NULL, ROWS | COMMAND_PORT | COMMAND_NETWORK, 0, command_network_show,
		"networks and their ports"},
	{"lease", "show", NULL, ROWS | COMMAND_PORT | COMMAND_NETWORK, 0, command_lease_show,
		"addresses that DHCP has given out"},
	{"lease", "del", "ADDRESS", COMMAND_NETWORK, COMMAND_NETWORK, command_lease_del,
		"end a lease, so that the address is free"},
	{"network", "add", "NAME KEY=VALUE...", COMMAND_FORCE, 0, command_network_add,
		"add a network to the running switch"},
	{"network", "set", "NAME KEY=VALUE...", COMMAND_FORCE, 0, command_network_set,
		"change one; KEY= takes a key away"},
	{"network", "del", "NAME", COMMAND_FORCE, 0, command_network_del, "remove one"},
	{"router", "show", NULL, ROWS, 0, command_router_show, "routers, and what they do"},
	{"router", "add", "NAME KEY=VALUE...", COMMAND_FORCE, 0, command_router_add,
		"add a router to the running switch"},
	{"router", "set", "NAME KEY=VALUE...", COMMAND_FORCE, 0, command_router_set,
		"change one; KEY= takes a key away"},
	{"router", "del", "NAME", COMMAND_FORCE, 0, command_router_del, "remove one"},
	{"worker", "show", NULL, ROWS | COMMAND_PORT | COMMAND_STATISTICS | COMMAND_RESET, 0,
		command_worker_show, "what the threads do"},
	{"drops", NULL, NULL, ROWS | COMMAND_PORT, 0, command_drops,
		"why frames were dropped, and what to do about it"},
	{"log", "level", "[LEVEL]", 0, 0, command_log_level, "what vswd logs, or change it"},
	{"config", "check", "FILE", 0, 0, command_config_check,
		"say what is wrong with a configuration"},
	{"config", "diff", "FILE", 0, 0, command_config_diff, "say what applying it would change"},
	{"config", "apply", "FILE", COMMAND_FORCE, 0, command_config_apply,
		"make it the running configuration"},
	{"config", "show", NULL, 0, 0, command_config_show, "the running configuration"},
	{"config", "save", "[FILE]", COMMAND_FORCE, 0, command_config_save,
		"write the running configuration into the file that vswd reads, or another"},
	{"schema", NULL, "[OBJECT]", 0, 0, command_schema,
		"the keys of the configuration, and what they may be"},
	{"version", NULL, NULL, 0, 0, command_version, "versions of vsw and of the running vswd"},
};
const unsigned command_count = ARRAY_SIZE(command_table);

const struct command *command_find(unsigned word_count, char *const *words, unsigned *used)
{
	for (unsigned i = 0; i < command_count; i++) {
		const struct command *command = &command_table[i];

		*used = command->verb ? 2 : 1;
		if (word_count >= *used && strcmp(words[0], command->object) == 0 &&
			(!command->verb || strcmp(words[1], command->verb) == 0))
			return command;
	}
	return NULL;
}

bool command_object_known(const char *object)
{
	for (unsigned i = 0; i < command_count; i++)
		if (strcmp(object, command_table[i].object) == 0)
			return true;
	return false;
}
