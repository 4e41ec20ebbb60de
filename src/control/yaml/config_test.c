/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration: every fault with its exact line, the defaults, and the round trip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/diff.h"
#include "control/vhost_user_keys.h"
#include "control/yaml/config.h"

#define NETWORKS   "networks:\n  blue: { vlan: 10 }\n  green: { vlan: 20 }\n  plain: {}\n"
/* The line of the first port below NETWORKS is 6. */
#define PORT(keys) NETWORKS "ports:\n  vm1: { " keys " }\n"
#define PATH_RULE                                                                                  \
	" may not stand in a path here, only letters, digits and any of /._-+,:@%=: a VMM's "      \
	"command line takes nothing else unchanged"
#define LONG_NAME "n234567890123456789012345678901234567890123456789012345678901234"

static const struct {
	const char *text;
	const char *fault; /* the first one, without the file's name */
} bad[] = {
	{"prots: {}\n", "1: prots: unknown key: did you mean 'ports'?"},
	{"bridges: {}\n", "1: bridges: unknown key (known here: switch, networks, ports, routers)"},
	{"switch: {}\nports: {}\nswitch: {}\n", "3: switch: stands here twice: first in line 1"},
	{"[]", "1: must be a map of keys, not a list such as [a, b]"},
	{"hello", "1: must be a map of keys, not a single value"},
	{"switch: 5\n", "1: switch: must be a map of keys, not a single value"},
	{"switch:\n  worker: 1\n", "2: switch.worker: unknown key: did you mean 'workers'?"},
	{"switch:\n  colour: 1\n",
		"2: switch.colour: unknown key (known here: socket-dir, state-dir, "
		"control-group, control-ro, socket-group, socket-mode, workers, "
		"poll, idle-us, fdb, guest-memory, memory-limit-gib)"},
	{"switch: { fdb.size: 64 }",
		"1: switch.fdb.size: unknown key (known here: socket-dir, state-dir, "
		"control-group, control-ro, socket-group, socket-mode, "
		"workers, poll, idle-us, fdb, guest-memory, memory-limit-gib)"},
	{"switch: { control-ro: no.such.group }",
		"1: switch.control-ro: this machine has no group 'no.such.group'"},
	{"switch: { socket-group: no.such.group }",
		"1: switch.socket-group: this machine has no group 'no.such.group'"},
	{"switch: { socket-mode: 0660 }",
		"1: switch.socket-mode: '0660' is not a mode of a socket: four octal digits in "
		"quotes, such as \"0660\" (the owner may always read and write)"},
	{"switch: { socket-mode: '0777' }",
		"1: switch.socket-mode: '0777' is not a mode of a socket: four octal digits in "
		"quotes, such as \"0660\" (the owner may always read and write)"},
	{"switch: { socket-mode: '660' }",
		"1: switch.socket-mode: '660' is not a mode of a socket: four octal digits in "
		"quotes, such as \"0660\" (the owner may always read and write)"},
	{"switch: { guest-memory: disk }", "1: switch.guest-memory: 'disk' is not known here: must "
					   "be 'shmem' or 'any'"},
	{"switch: { memory-limit-gib: 0 }",
		"1: switch.memory-limit-gib: 0 is not between 1 and 131072"},
	{"switch: { workers: 0 }", "1: switch.workers: 0 is not between 1 and 64"},
	{"switch: { workers: 65 }", "1: switch.workers: 65 is not between 1 and 64"},
	{"switch: { workers: many }", "1: switch.workers: 'many' is not a number from 1 to 64"},
	{"switch: { workers: '2' }",
		"1: switch.workers: '2' is not a number from 1 to 64: in quotes it is a text"},
	{"switch: { workers: -1 }", "1: switch.workers: '-1' is not a number from 1 to 64"},
	{"switch: { workers: 4294967297 }",
		"1: switch.workers: 4294967297 is not between 1 and 64"},
	{"switch: { poll: often }",
		"1: switch.poll: 'often' is not known here: must be 'adaptive' or 'busy'"},
	{"switch: { idle-us: 1000001 }", "1: switch.idle-us: 1000001 is not between 0 and 1000000"},
	{"switch: { socket-dir: run }",
		"1: switch.socket-dir: 'run' must be a path that begins with '/'"},
	{"switch: { socket-dir: \"/run/\\x07\" }", "1: switch.socket-dir: '?'" PATH_RULE},
	{"switch: { socket-dir: /run/a b }", "1: switch.socket-dir: ' '" PATH_RULE},
	{PORT("type: vhost-user, network: blue, socket: \"/run/a;b\""),
		"6: ports.vm1.socket: ';'" PATH_RULE},
	{PORT("type: vhost-user, network: blue, socket: '/run/*'"),
		"6: ports.vm1.socket: '*'" PATH_RULE},
	{"switch: { socket-dir: [/run] }",
		"1: switch.socket-dir: must be a single value, not a list such as [a, b]"},
	{"switch: { socket-dir: }", "1: switch.socket-dir: must be a single value, not empty"},
	{PORT("type: vhost-user, network: blue, group: daemon") "switch: { control-group: daemon }",
		"6: ports.vm1.group: who may connect to a port must not be of the control group, "
		"which may change everything: 'daemon'"},
	{"switch: { control-group: no.such.group }",
		"1: switch.control-group: this machine has no group 'no.such.group'"},
	{"switch:\n  fdb:\n    size: 15\n", "3: switch.fdb.size: 15 is not between 16 and 1048576"},
	{"switch: { fdb: { age: 3 } }",
		"1: switch.fdb.age: unknown key (known here: size, ageing)"},

	{"networks: [blue]", "1: networks: must be a map of keys, not a list such as [a, b]"},
	{"networks: { blue: 10 }", "1: networks.blue: must be a map of keys, not a single value"},
	{"networks: { blue: { vlan: 0 } }", "1: networks.blue.vlan: 0 is not between 1 and 4094"},
	{"networks: { blue: { vlan: 4095 } }",
		"1: networks.blue.vlan: 4095 is not between 1 and 4094"},
	{"networks: { blue: { colour: 1 } }",
		"1: networks.blue.colour: unknown key (known here: vlan, subnet, gateway, subnet6, "
		"gateway6, mtu, domain, dhcp, ra, stp, lldp, lacp, 802.1x, loops)"},
	{"networks:\n  a: { vlan: 5 }\n  b: { vlan: 5 }\n",
		"3: networks.b.vlan: VLAN id is used already by network 'a'"},
	{"networks:\n  a: {}\n  a: {}\n", "3: networks.a: stands here twice: first in line 2"},
	{"networks: { '10': {} }", "1: networks.10: a network's name must not be a number: that is "
				   "how VLAN ids are written"},
	{"networks: { ../x: {} }", "1: networks.../x: '../x' is not a name: letters, digits, '_', "
				   "'.' and '-', not beginning with '.' or '-'"},
	{"networks: { '': {} }", "1: networks.: '' is not a name: letters, digits, '_', '.' and "
				 "'-', not beginning with '.' or '-'"},
	{"networks: { \"a\\nb\": {} }", "1: networks.a?b: 'a?b' is not a name: letters, digits, "
					"'_', '.' and '-', not beginning with '.' or '-'"},
	{"networks: { " LONG_NAME ": {} }",
		"1: networks." LONG_NAME ": name of 64 characters is too long: at most 63"},

	{PORT("network: blue"), "6: ports.vm1: needs 'type', for example 'type: vhost-user'"},
	{PORT("type: wire, network: blue"), "6: ports.vm1.type: 'wire' is not known here: must be "
					    "'vhost-user' or 'tap' or 'packet'"},
	{PORT("type: vhost-user"), "6: ports.vm1: needs 'network' (untagged frames of one network) "
				   "or 'trunk' (tagged ones)"},
	{PORT("type: vhost-user, network: bleu"),
		"6: ports.vm1.network: unknown network 'bleu': did you mean 'blue'?"},
	{PORT("type: vhost-user, network: red"), "6: ports.vm1.network: unknown network 'red'"},
	{PORT("type: vhost-user, network: 30"), "6: ports.vm1.network: no network has VLAN id 30"},
	{PORT("type: vhost-user, network: 99999999999999999999"),
		"6: ports.vm1.network: no network has VLAN id 99999999999999999999"},
	{PORT("type: vhost-user, network: ''"), "6: ports.vm1.network: unknown network ''"},
	{PORT("type: vhost-user, network: blue, trunk: [green]"),
		"6: ports.vm1.trunk: a port has either 'network' or 'trunk', not both"},
	{PORT("type: vhost-user, network: blue, native: green"),
		"6: ports.vm1.native: only a port with 'trunk' has a native network"},
	{PORT("type: vhost-user, trunk: blue"),
		"6: ports.vm1.trunk: must be a list such as [a, b], not a single value"},
	{PORT("type: vhost-user, trunk: []"),
		"6: ports.vm1.trunk: the list is empty: name at least one network"},
	{PORT("type: vhost-user, trunk: [[blue]]"),
		"6: ports.vm1.trunk: must be a single value, not a list such as [a, b]"},
	{PORT("type: vhost-user, trunk: [blue, 10]"),
		"6: ports.vm1.trunk: network 'blue' is listed twice"},
	{PORT("type: vhost-user, trunk: [plain]"),
		"6: ports.vm1.trunk: network 'plain' has no 'vlan', so a trunk cannot carry it"},
	{PORT("type: vhost-user, network: blue, mode: client"),
		"6: ports.vm1.mode: mode 'client' needs 'socket': the path where the VMM listens"},
	{PORT("type: vhost-user, network: blue, mode: both"),
		"6: ports.vm1.mode: 'both' is not known here: must be 'server' or 'client'"},
	{PORT("type: vhost-user, network: blue, queues: 129"),
		"6: ports.vm1.queues: 129 is not between 1 and 128"},
	{PORT("type: vhost-user, network: blue, mtu: 67"),
		"6: ports.vm1.mtu: 67 is not between 68 and 65535"},
	{PORT("type: vhost-user, network: blue, mac: 52:54:00:00:00"),
		"6: ports.vm1.mac: '52:54:00:00:00' is not a MAC address such as "
		"52:54:00:00:00:01"},
	{PORT("type: vhost-user, network: blue, mac: 52-54-00-00-00-01"),
		"6: ports.vm1.mac: '52-54-00-00-00-01' is not a MAC address such as "
		"52:54:00:00:00:01"},
	{PORT("type: vhost-user, network: blue, mac: 01:00:5e:00:00:01"),
		"6: ports.vm1.mac: '01:00:5e:00:00:01' is a multicast address"},
	{PORT("type: vhost-user, network: blue, mac: 00:00:00:00:00:00"),
		"6: ports.vm1.mac: the zero address cannot be a port's"},
	{PORT("type: vhost-user, network: blue, speed: 10"),
		"6: ports.vm1.speed: unknown key (known here: type, network, trunk, native, mac, "
		"ip, trusted, qinq, flood-limit, mode, socket, owner, group, socket-mode, queues, "
		"mtu, memory-limit-gib)"},
	{PORT("type: vhost-user, network: blue, ip: 10.0.0"),
		"6: ports.vm1.ip: '10.0.0' is not an IP address or prefix such as 10.0.0.1, "
		"10.1.0.0/16 or fd00::1"},
	{PORT("type: vhost-user, network: blue, ip: ['fd00::1/129']"),
		"6: ports.vm1.ip: 'fd00::1/129' needs a prefix length from 0 to 128 behind '/'"},
	{PORT("type: vhost-user, network: blue, ip: 10.0.0.0/08"),
		"6: ports.vm1.ip: '10.0.0.0/08' needs a prefix length from 0 to 32 behind '/'"},
	{PORT("type: vhost-user, network: blue, ip: 10.0.0.1/24"),
		"6: ports.vm1.ip: '10.0.0.1/24' has bits set behind its prefix: an address and its "
		"network are two things"},
	{PORT("type: vhost-user, network: blue, ip: [10.0.0.1, 10.0.0.1/32]"),
		"6: ports.vm1.ip: '10.0.0.1/32' is listed twice"},
	{PORT("type: vhost-user, network: blue, ip: 224.0.0.5"),
		"6: ports.vm1.ip: '224.0.0.5' is a multicast address"},
	{PORT("type: vhost-user, network: blue, ip: '::'"),
		"6: ports.vm1.ip: '::' is the unspecified address"},
	{PORT("type: tap, network: blue, address: 10.0.0.1"),
		"6: ports.vm1.address: '10.0.0.1' needs the length of its network, such as "
		"10.0.0.1/24 or fd00::1/64"},
	{PORT("type: tap, network: blue, address: 10.0.0.300/24"),
		"6: ports.vm1.address: '10.0.0.300/24' is not an IP address with the length of its "
		"network, such as 10.0.0.1/24 or fd00::1/64"},
	{PORT("type: tap, network: blue, address: 10.0.0.0/24"),
		"6: ports.vm1.address: '10.0.0.0/24' is the address of the network itself, not of "
		"an interface in it"},
	{PORT("type: vhost-user, network: blue, ip: []"),
		"6: ports.vm1.ip: the list is empty: name at least one address"},
	{PORT("type: vhost-user, network: blue, ip: {a: b}"),
		"6: ports.vm1.ip: must be a single value, not a map of keys"},
	{"networks: { blue: { stp: on } }",
		"1: networks.blue.stp: 'on' is not known here: must be 'drop' or 'pass'"},
	{PORT("type: vhost-user, network: blue, flood-limit: 0"),
		"6: ports.vm1.flood-limit: 0 is not between 1 and 1000000000"},
	{PORT("type: vhost-user, network: blue, qinq: yes"),
		"6: ports.vm1.qinq: 'yes' is not known here: must be 'false' or 'true'"},
	{PORT("type: vhost-user, network: blue }\n  vm2: { type: vhost-user, network: green, "
	      "socket: /run/virtswitch/vm1.sock"),
		"7: ports.vm2.socket: socket path is used already by port 'vm1'"},
	{PORT("type: vhost-user, network: blue, mac: 52:54:00:00:00:01 }\n  vm2: { type: "
	      "vhost-user, network: 10, mac: 52:54:00:00:00:01"),
		"7: ports.vm2.mac: MAC address is used already in the same network by port 'vm1'"},
	{"networks: { blue: { } }\nports:\n"
	 "  a: { type: tap, network: blue, address: 10.0.0.1/24 }\n"
	 "  b: { type: tap, network: blue, address: [10.0.0.2/24, 10.0.0.1/16] }\n",
		"4: ports.b.address: address is used already by port 'a'"},
	{PORT("type: vhost-user, network: blue }\n  vm1: { type: vhost-user, network: blue"),
		"7: ports.vm1: stands here twice: first in line 6"},

	{"ports: &a {}\n", "1: anchors are not supported"},
	{"ports: *a\n", "1: aliases are not supported"},
	{"ports: !!map {}\n", "1: tags are not supported"},
	{"? [a]\n: b\n", "1: a key must be a plain word"},
	{"a: \"x\\0y\"\n", "1: text holds a zero byte"},
	{"a: {}\n---\nb: {}\n", "2: a second document in the same file"},
	{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "1: nested too deeply"},
	{"ports:\n\ta: 1\n", "2: the line begins with a tab: YAML is indented with blanks"},
	{"ports:\n  a:\n  \tb: 1\n", "3: the line begins with a tab: YAML is indented with blanks"},
	{"a: {\n", "2: not valid YAML: did not find expected node content while parsing a flow "
		   "node"},
};

static void test_bad(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct config_errors errors;
		struct model model;
		char wanted[512];
		int rc = config_parse("f.yaml", bad[i].text, strlen(bad[i].text), &model, &errors);

		if (rc != -EINVAL || !errors.count)
			fail_msg("accepted: %s", bad[i].text);
		snprintf(wanted, sizeof(wanted), "f.yaml:%s", bad[i].fault);
		assert_string_equal(errors.lines[0], wanted);
		assert_int_equal(model.port_count, 0);
		config_errors_fini(&errors);
	}
}

/* A notation that readers of YAML take for different numbers is none here, whatever the key. */
static void test_ambiguous_numbers(void **state)
{
	static const char *const keys[] = {
		"switch: { workers: %s }",
		"switch: { idle-us: %s }",
		"switch: { fdb: { size: %s } }",
		"switch: { fdb: { ageing: %s } }",
		"networks: { a: { vlan: %s } }",
		PORT("type: vhost-user, network: blue, queues: %s"),
		PORT("type: vhost-user, network: blue, mtu: %s"),
		PORT("type: vhost-user, network: %s"),
		PORT("type: vhost-user, trunk: [%s]"),
		PORT("type: vhost-user, trunk: [green], native: %s"),
	};
	static const char *const decimal[] = {"010", "00", "0064", "08"};
	static const char *const others[] = {"0x40", "0X40", "0o100", "0b1000000", "0_64", "1_000",
		"1:4", "1e2", "1E+2", "+064"};

	for (unsigned k = 0; k < ARRAY_SIZE(keys); k++) {
		/* A network may be called 0x40, but 010 would be a VLAN id. */
		bool names_network = k >= 7;

		for (unsigned i = 0; i < ARRAY_SIZE(decimal) + ARRAY_SIZE(others); i++) {
			const char *number = i < ARRAY_SIZE(decimal)
						     ? decimal[i]
						     : others[i - ARRAY_SIZE(decimal)];
			struct config_errors errors;
			struct model model;
			char text[512], wanted[64];

			(void)!snprintf(text, sizeof(text), keys[k], number);
			assert_int_equal(
				config_parse("f", text, strlen(text), &model, &errors), -EINVAL);
			snprintf(wanted, sizeof(wanted), "'%s' is ambiguous", number);
			if (i < ARRAY_SIZE(decimal) || !names_network)
				assert_non_null(strstr(errors.lines[0], wanted));
			config_errors_fini(&errors);
		}
	}
}

static void parse(const char *text, struct model *model);

/* What a port does not say of its socket, the switch says; and what is printed says the same. */
static void test_who_may_connect(void **state)
{
	static const char text[] =
		"switch: { socket-group: root, socket-mode: \"0666\", control-ro: root }\n"
		"networks: { n: {} }\nports:\n"
		"  a: { type: vhost-user, network: n }\n"
		"  b: { type: vhost-user, network: n, owner: nobody, group: daemon, "
		"socket-mode: '0600' }\n"
		"  c: { type: vhost-user, network: n, mode: client, socket: /run/c }\n";
	struct model model, again;
	char *printed;

	parse(text, &model);
	for (unsigned round = 0; round < 2; round++) {
		const struct model *m = round ? &again : &model;

		assert_string_equal(m->settings.control_ro, "root");
		assert_string_equal(model_vhost_user(&m->ports[0])->owner, "");
		assert_string_equal(model_vhost_user(&m->ports[0])->group, "root");
		assert_int_equal(model_vhost_user(&m->ports[0])->socket_mode, 0666);
		assert_string_equal(model_vhost_user(&m->ports[1])->owner, "nobody");
		assert_string_equal(model_vhost_user(&m->ports[1])->group, "daemon");
		assert_int_equal(model_vhost_user(&m->ports[1])->socket_mode, 0600);
		assert_string_equal(model_vhost_user(&m->ports[2])->group, "");
		printed = config_format(&model, round ? CONFIG_BRIEF : CONFIG_FULL);
		if (!round)
			parse(printed, &again);
		free(printed);
	}
	model_fini(&model);
	model_fini(&again);
}

static void parse(const char *text, struct model *model)
{
	struct config_errors errors;

	if (config_parse("f.yaml", text, strlen(text), model, &errors) < 0)
		fail_msg("%s", errors.lines[0]);
	config_errors_fini(&errors);
}

static void test_all_faults_are_reported(void **state)
{
	static const char text[] = "switch: { workers: 0, pol: busy }\n"
				   "networks: { blue: { vlan: 5000 } }\n"
				   "ports:\n  a: { type: vhost-user, network: red }\n";
	struct config_errors errors;
	struct model model;

	assert_int_equal(config_parse("f", text, strlen(text), &model, &errors), -EINVAL);
	assert_int_equal(errors.count, 4);
	config_errors_fini(&errors);
}

/* What follows from a slip is not said as well. */
static void test_one_fault_a_cause(void **state)
{
	static const char *const texts[] = {
		PORT("type: vhost-user, netwrok: blue"),
		PORT("typ: vhost-user, network: blue, socket: /run/x, queues: 3"),
		PORT("type: vhost_user, network: blue, socket: /run/x, queues: 3"),
		PORT("type: vhost-user, network: blue, mode: client, sockte: /run/x"),
		PORT("type: vhost-user, trnk: [blue], native: green"),
		"netwroks: { b: {} }\nports: { a: { type: vhost-user, network: b } }\n",
		"networks: { -blue: {} }\nports: { a: { type: vhost-user, network: -blue } }\n",
		"networks: [blue]\nports: { a: { type: vhost-user, network: blue } }\n",
		"networks: { b: { vlan: 5000 } }\nports: { a: { type: vhost-user, network: b } }\n",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		struct config_errors errors;
		struct model model;

		assert_int_equal(
			config_parse("f", texts[i], strlen(texts[i]), &model, &errors), -EINVAL);
		if (errors.count != 1)
			fail_msg("%u faults: %s: %s; %s", errors.count, texts[i], errors.lines[0],
				errors.lines[1]);
		config_errors_fini(&errors);
	}
}

static void test_more_faults_than_are_kept(void **state)
{
	struct config_errors errors;
	struct model model;
	char text[4096] = "{";

	for (unsigned i = 0; i < CONFIG_ERROR_MAX + 7; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "k%u: 1, ", i);
	strcat(text, "}");
	assert_int_equal(config_parse("f", text, strlen(text), &model, &errors), -EINVAL);
	assert_int_equal(errors.count, CONFIG_ERROR_MAX + 7);
	config_errors_fini(&errors);
}

static void test_defaults(void **state)
{
	static const char *const nothing[] = {"", "# only a comment\n", "---\n", "{}", "ports:\n",
		"switch: ~\nnetworks: null\nports: {}\n"};
	struct model model;

	for (unsigned i = 0; i < ARRAY_SIZE(nothing); i++) {
		parse(nothing[i], &model);
		assert_int_equal(model.port_count, 0);
		assert_int_equal(model.network_count, 0);
		assert_string_equal(model.settings.socket_dir, MODEL_SOCKET_DIR);
		assert_int_equal(model.settings.workers, MODEL_WORKERS_AUTO);
		assert_int_equal(model.settings.fdb_size, MODEL_FDB_SIZE_DEFAULT);
		assert_int_equal(model.settings.fdb_ageing, MODEL_FDB_AGEING_DEFAULT);
		model_fini(&model);
	}
}

static const char full[] =
	"ports:\n" /* before the networks that they name */
	"  z: { type: vhost-user, trunk: [green, 10], native: plain }\n"
	"  a: { type: vhost-user, mode: client, socket: '/run/a,b@c.sock', network: 20, "
	"queues: 128, mac: 52:54:00:AB:cd:02, mtu: 65535, qinq: true, ip: ['fd00::1', 10.1.0.0/16, "
	"10.0.0.9], "
	"trusted: true, flood-limit: 77 }\n"
	"networks:\n  plain:\n  green: { vlan: 20, stp: drop, 802.1x: pass, loops: log }\n  blue: "
	"{ vlan: 10 "
	"}\n"
	"switch: { socket-dir: /tmp/s, workers: 64, poll: busy, idle-us: 0, "
	"fdb: { size: 16, ageing: 0 }, guest-memory: any, memory-limit-gib: 512 }\n";

static void test_values(void **state)
{
	const uint8_t mac[6] = {0x52, 0x54, 0, 0xab, 0xcd, 2};
	const struct model_port *port;
	struct model model;

	parse(full, &model);
	assert_int_equal(model.settings.workers, 64);
	assert_int_equal(model.settings.poll, MODEL_POLL_BUSY);
	assert_int_equal(model.settings.idle_us, 0);
	assert_int_equal(model.settings.fdb_size, 16);
	assert_int_equal(model.settings.fdb_ageing, 0);
	assert_int_equal(model.settings.guest_memory, MODEL_GUEST_MEMORY_ANY);
	assert_int_equal(model.settings.memory_limit_gib, 512);
	assert_int_equal(model_find_network(&model, "blue")->vlan, 10);
	assert_int_equal(model_find_network(&model, "plain")->vlan, 0);
	assert_null(model_find_network(&model, "red"));
	port = model_find_port(&model, "a");
	assert_string_equal(port->network, "green");
	assert_int_equal(model_vhost_user(port)->mode, MODEL_CLIENT);
	assert_string_equal(model_vhost_user(port)->socket, "/run/a,b@c.sock");
	assert_int_equal(model_vhost_user(port)->queues, 128);
	assert_int_equal(model_vhost_user(port)->mtu, 65535);
	assert_int_equal(port->qinq, 1);
	assert_int_equal(port->trusted, 1);
	assert_int_equal(port->flood_limit, 77);
	assert_int_equal(model_find_network(&model, "green")->stp, MODEL_DROP);
	assert_int_equal(model_find_network(&model, "green")->loops, MODEL_LOOPS_LOG);
	assert_int_equal(model_find_network(&model, "blue")->loops, MODEL_LOOPS_HOLD);
	assert_int_equal(model_find_network(&model, "green")->dot1x, MODEL_PASS);
	assert_int_equal(model_find_network(&model, "blue")->stp, MODEL_PASS);
	assert_int_equal(model_find_network(&model, "blue")->lldp, MODEL_DROP);
	assert_int_equal(port->ip.count, 3);
	assert_int_equal(port->ip.of[0].length, 32);
	assert_int_equal(port->ip.of[1].length, 16);
	assert_true(port->ip.of[2].ipv6);
	assert_int_equal(model_port_line(port, "socket"), 3);
	assert_int_equal(model_port_line(port, "owner"), 3);
	assert_true(port->mac.set);
	assert_memory_equal(port->mac.bytes, mac, 6);
	port = model_find_port(&model, "z");
	assert_string_equal(model_vhost_user(port)->socket, "/tmp/s/z.sock");
	assert_string_equal(port->native, "plain");
	assert_int_equal(port->trunk.count, 2);
	assert_string_equal(port->trunk.of[0], "blue");
	assert_string_equal(port->trunk.of[1], "green");
	assert_int_equal(model_vhost_user(port)->queues, 1);
	assert_false(port->mac.set);
	model_fini(&model);
}

static void test_round_trip(void **state)
{
	struct model model, again, copy;
	struct diff diff;
	char *text;

	parse(full, &model);
	text = config_format(&model, CONFIG_FULL);
	parse(text, &again);
	free(text);
	assert_int_equal(model_copy(&copy, &again), 0);
	assert_int_equal(diff_new(&diff, &model, &copy), 0);
	assert_int_equal(diff.count, 0);
	diff_fini(&diff);
	model_fini(&model);
	model_fini(&again);
	model_fini(&copy);
}

/* A path that just fits a unix socket and one that does not, given and made from socket-dir. */
static void test_path_length(void **state)
{
	const unsigned most = MODEL_PATH_SIZE - 1;

	for (unsigned length = most - 1; length <= most + 1; length++) {
		struct config_errors errors;
		struct model model;
		char path[256], text[1024];

		memset(path, 'p', sizeof(path));
		path[0] = '/';
		path[length] = '\0';
		snprintf(text, sizeof(text), PORT("type: vhost-user, network: blue, socket: %s"),
			path);
		assert_int_equal(config_parse("f", text, strlen(text), &model, &errors),
			length <= most ? 0 : -EINVAL);
		config_errors_fini(&errors);
		model_fini(&model);

		path[length - strlen("/vm1.sock")] = '\0';
		snprintf(text, sizeof(text), "switch: { socket-dir: %s }\n%s", path,
			PORT("type: vhost-user, network: blue"));
		assert_int_equal(config_parse("f", text, strlen(text), &model, &errors),
			length <= most ? 0 : -EINVAL);
		config_errors_fini(&errors);
		model_fini(&model);
	}
}

static void test_too_many_ports(void **state)
{
	for (unsigned count = 1024; count <= 1025; count++) {
		char *text = malloc(128 * 1025 + 100);
		char *at = text + sprintf(text, "networks: { a: {} }\nports:\n");
		struct config_errors errors;
		struct model model;

		for (unsigned i = 0; i < count; i++)
			at += sprintf(at, "  p%u: { type: vhost-user, network: a }\n", i);
		assert_int_equal(config_parse("f", text, strlen(text), &model, &errors),
			count <= 1024 ? 0 : -EINVAL);
		config_errors_fini(&errors);
		model_fini(&model);
		free(text);
	}
}

static void test_files(void **state)
{
	char path[] = "/tmp/config_test.XXXXXX";
	int fd = mkstemp(path);
	struct config_errors errors;
	struct model model;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, full, strlen(full)), strlen(full));
	assert_int_equal(config_load(path, &model, NULL, &errors), 0);
	assert_int_equal(model.port_count, 2);
	model_fini(&model);
	assert_int_equal(ftruncate(fd, CONFIG_SIZE_MAX + 1), 0);
	assert_int_equal(config_load(path, &model, NULL, &errors), -EFBIG);
	assert_non_null(strstr(errors.lines[0], path));
	config_errors_fini(&errors);
	close(fd);
	unlink(path);
	assert_int_equal(config_load(path, &model, NULL, &errors), -ENOENT);
	assert_non_null(strstr(errors.lines[0], path));
	config_errors_fini(&errors);
	assert_int_equal(config_load("/tmp", &model, NULL, &errors), -EISDIR);
	config_errors_fini(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_ambiguous_numbers),
		cmocka_unit_test(test_all_faults_are_reported),
		cmocka_unit_test(test_one_fault_a_cause),
		cmocka_unit_test(test_more_faults_than_are_kept),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_who_may_connect),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_path_length),
		cmocka_unit_test(test_too_many_ports),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
