/* SPDX-License-Identifier: BSD-3-Clause */
/* Edits by hand: what they make of a model, and what they refuse in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/diff.h"
#include "control/yaml/config.h"
#include "control/yaml/edit.h"

static const char base[] = "switch: { socket-group: daemon }\n"
			   "networks: { blue: { vlan: 10 }, green: { vlan: 20 }, old: {} }\n"
			   "ports:\n"
			   "  a: { type: vhost-user, network: blue, mac: \"52:54:00:00:00:01\" }\n"
			   "  t: { type: vhost-user, trunk: [blue, green], native: green }\n";

#define ADD    CONFIG_ADD
#define SET    CONFIG_SET
#define DELETE CONFIG_DELETE

static const struct {
	enum config_verb verb;
	const char *object, *name, *words; /* "KEY=VALUE KEY=VALUE"; in a value _ is a blank */
	const char *lines;                 /* of the difference, or of what is wrong */
} cases[] = {
	{ADD, "port", "b", "type=vhost-user network=green",
		"+ port b: network green, server /run/virtswitch/b.sock\n"},
	{ADD, "port", "b", "network=20 type=vhost-user mode=client socket=/run/b",
		"+ port b: network green, client /run/b\n"},
	{SET, "port", "a", "network=green mtu=1500",
		"~ port a: network: blue -> green, mtu: none -> 1500 (reopened: its VM "
		"reconnects)\n"},
	{SET, "port", "a", "trunk=green,blue",
		"~ port a: network: blue -> none, trunk: none -> [blue, green]\n"},
	{SET, "port", "t", "network=old",
		"~ port t: network: none -> old, trunk: [blue, green] -> none, native: green -> "
		"none\n"},
	{SET, "port", "a", "mac= ip=10.0.0.1,fd00::/64",
		"~ port a: mac: 52:54:00:00:00:01 -> any, ip: any -> [10.0.0.1, fd00::/64]\n"},
	/* What follows from other keys follows anew. */
	{SET, "port", "a", "mode=client socket=/run/vm",
		"~ port a: mode: server -> client, socket: /run/virtswitch/a.sock -> /run/vm, "
		"group: "
		"daemon -> none, socket-mode: 0660 -> none (reopened: its VM reconnects)\n"},
	{ADD, "port", "i", "type=tap network=blue address=10.0.0.1/24,_fd00::1/64_",
		"+ port i: network blue, interface i\n"},
	{SET, "port", "a", "socket-mode=0600", "~ port a: socket-mode: 0660 -> 0600\n"},
	{SET, "port", "a", "mac=52:54:00:00:00:01", ""},
	{DELETE, "port", "a", "", "- port a: network blue, server /run/virtswitch/a.sock\n"},
	{ADD, "network", "red", "", "+ network red\n"},
	{ADD, "network", "red", "vlan=30 802.1x=pass", "+ network red: vlan 30\n"},
	{SET, "network", "blue", "vlan=11", "~ network blue: vlan: 10 -> 11\n"},
	{DELETE, "network", "old", "", "- network old\n"},
	{ADD, "router", "r", "networks=old",
		"routers.r: needs 'gateway: kernel': layer 3 inside the "
		"switch does not exist yet: say 'gateway: kernel'\n"
		"routers.r.networks: a router needs 'subnet' or "
		"'subnet6', as has not network 'old'\n"},

	{ADD, "port", "a", "network=blue", "port 'a' exists already: 'vsw port set' changes it\n"},
	{ADD, "port", "b", "network=blue",
		"ports.b: needs 'type', for example 'type: vhost-user'\n"},
	{ADD, "port", "-b", "type=vhost-user network=blue",
		"ports.-b: '-b' is not a name: letters, digits, '_', '.' and '-', not beginning "
		"with "
		"'.' or '-'\n"},
	{ADD, "port", "b", "type=vhost-user",
		"ports.b: needs 'network' (untagged frames of one "
		"network) or 'trunk' (tagged ones)\n"},
	{ADD, "port", "b", "type=vhost-user network=blue mac=52:54:00:00:00:01",
		"ports.b.mac: MAC address is used already in the same network by port 'a'\n"},
	{ADD, "port", "b", "type=vhost-user network=blue socket=/run/virtswitch/a.sock",
		"ports.b.socket: socket path is used already by port 'a'\n"},
	{SET, "port", "aa", "mtu=1500", "no port 'aa'\n"},
	{SET, "port", "a", "mut=1500", "ports.a.mut: unknown key: did you mean 'mtu'?\n"},
	{SET, "port", "a", "mtu=1e3",
		"ports.a.mtu: '1e3' is ambiguous, readers of YAML differ: write a number from 68 "
		"to "
		"65535 in decimal digits without leading zeros\n"},
	{SET, "port", "a", "trunk=blue,blue", "ports.a.trunk: network 'blue' is listed twice\n"},
	{SET, "port", "a", "network=bleu",
		"ports.a.network: unknown network 'bleu': did you mean 'blue'?\n"},
	{SET, "port", "a", "network={x:y}", "ports.a.network: unknown network '{x:y}'\n"},
	{DELETE, "network", "green", "", "network 'green' is in use: ports: 1, the first is 't'\n"},
	{SET, "network", "green", "vlan=",
		"ports.t.trunk: network 'green' has no 'vlan', so a trunk "
		"cannot carry it\n"},
	{DELETE, "network", "gren", "", "no network 'gren': did you mean 'green'?\n"},
	{ADD, "network", "x", "vlan=20",
		"networks.x.vlan: VLAN id is used already by network 'green'\n"},
};

/* Takes the text apart in place. */
static unsigned split(char *text, struct config_word *words)
{
	unsigned count = 0;

	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		char *sign = strchr(word, '=');

		for (char *blank = sign; (blank = strchr(blank, '_'));)
			*blank = ' ';
		*sign = '\0';
		words[count++] = (struct config_word){word, sign + 1};
	}
	return count;
}

static void run_case(unsigned i, const struct model *model)
{
	struct config_word words[8];
	struct config_edit edit = {.verb = cases[i].verb,
		.object = cases[i].object,
		.name = cases[i].name,
		.words = words};
	struct config_errors errors;
	char copy[256], lines[1024] = "";
	struct model new;
	struct diff diff;
	int rc;

	snprintf(copy, sizeof(copy), "%s", cases[i].words);
	edit.word_count = split(copy, words);
	rc = config_edit(model, &edit, &new, &errors);
	for (unsigned k = 0; k < errors.count; k++)
		snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "%s\n",
			errors.lines[k]);
	if (rc == 0) {
		assert_int_equal(diff_new(&diff, model, &new), 0);
		for (unsigned k = 0; k < diff.count; k++)
			snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "%s\n",
				diff.actions[k].text);
		diff_fini(&diff);
	}
	assert_string_equal(lines, cases[i].lines);
	model_fini(&new);
	config_errors_fini(&errors);
}

static void test_edits(void **state)
{
	struct config_errors errors;
	struct model model;

	assert_int_equal(config_parse("f", base, strlen(base), &model, &errors), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(i, &model);
	model_fini(&model);
	config_errors_fini(&errors);
}

/* Faults stand in the order of the file, however they were found, and the last ones go. */
static void test_order_of_faults(void **state)
{
	static const char text[] = "ports:\n"
				   "  a: { type: tap, network: blue, mtu: 1 }\n"
				   "  b: { type: tap, network: red }\n"
				   "networks:\n"
				   "  blue: { vlan: 0 }\n";
	static const unsigned order[] = {2, 3, 5};
	char total[CONFIG_TOTAL_SIZE], start[16];
	struct config_errors errors;
	struct model model;

	assert_int_equal(config_parse("f", text, strlen(text), &model, &errors), -EINVAL);
	assert_int_equal(errors.count, ARRAY_SIZE(order));
	for (unsigned i = 0; i < errors.count; i++) {
		snprintf(start, sizeof(start), "f:%u: ", order[i]);
		assert_memory_equal(errors.lines[i], start, strlen(start));
	}
	assert_true(config_errors_total(&errors, total));
	assert_string_equal(total, "errors: 3");
	config_errors_fini(&errors);
	assert_false(config_errors_total(&errors, total));
	for (unsigned line = 2 * CONFIG_ERROR_MAX; line; line--)
		config_errors_add_at(&errors, line, "%u", line);
	for (unsigned i = 0; i < CONFIG_ERROR_MAX; i++)
		assert_int_equal(atoi(errors.lines[i]), i + 1);
	assert_true(config_errors_total(&errors, total));
	assert_string_equal(total, "errors: 100, of which these are the first 50");
	config_errors_fini(&errors);
}

/* What was saved is told from what a person has touched, and reads as what it was made of. */
static void test_saved(void **state)
{
	struct config_errors errors;
	struct model model;
	char *text = saved_text(base);
	size_t length = strlen(text);

	assert_true(saved_untouched(text, length));
	assert_false(saved_untouched(base, strlen(base)));
	assert_false(saved_untouched("", 0));
	assert_int_equal(config_parse("f", text, length, &model, &errors), 0);
	assert_int_equal(model.port_count, 2);
	model_fini(&model);
	config_errors_fini(&errors);
	for (size_t i = 0; i < length; i++) {
		assert_false(saved_untouched(text, i));
		text[i] ^= 1;
		assert_false(saved_untouched(text, length));
		text[i] ^= 1;
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_order_of_faults),
		cmocka_unit_test(test_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
