/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every row of every table: another value than the initial one is read from a file, written into
 * one, read back, found by the difference with the row's effect, copied and shown as JSON. So there
 * is no key that is accepted and then forgotten somewhere. A new row is tested here without being
 * named, but for a text that only its own check knows: samples[].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/diff.h"
#include "control/rpc/show_value.h"
#include "control/yaml/config.h"

/* Of a row that takes any text, one that it takes. */
static const struct {
	const char *key, *value;
} samples[] = {
	{"ifname", "lab0"},
	{"netns", "lab"},
	{"domain", "lab.example"},
	{"dhcp.range", "[10.5.0.7, 10.5.0.9]"},
	{"dhcp.dns", "[10.5.0.7, 10.5.0.3]"},
	{"dhcp.domain", "lab.example"},
	{"dhcp.search", "[lab.example, b.example]"},
	{"dhcp.ntp", "10.5.0.7"},
	{"dhcp.routes", "{ 10.6.0.0/16: 10.5.0.7, 10.7.0.0/16: 10.5.0.8 }"},
	{"dhcp.boot-file", "pxelinux.0"},
	{"dhcp.boot-file-efi", "ipxe.efi"},
	{"dhcp.boot-file-ipxe", "\"http://10.5.0.7/boot.ipxe\""},
	{"ra.dns", "\"fd05::53\""},
	{"ra.search", "[lab.example, b.example]"},
	{"ra.routes", "[\"fd06::/32\", \"fd07:1::/64\"]"},
	{"dhcp.options", "{ 150: 10.5.0.7, 43: \"0x0102\" }"},
};

/* What must stand beside a key that cannot stand alone. */
static const struct {
	const char *key, *companion;
} companions[] = {
	{"mode", "socket: /run/its.sock, "},
	{"forward", "uplink: nat, "},
	{"gateway", "subnet: 10.5.0.0/16, "},
	{"gateway6", "subnet6: \"fd05::/64\", "},
};

static const char *companion_of(const struct schema_key *key)
{
	for (unsigned i = 0; i < ARRAY_SIZE(companions); i++)
		if (strcmp(companions[i].key, key->name) == 0)
			return companions[i].companion;
	/* A map that is there is enabled. */
	if (key->map && strcmp(key->map, "dhcp") == 0)
		return "subnet: 10.5.0.0/16, ";
	if (key->map && strcmp(key->map, "ra") == 0)
		return "subnet6: \"fd05::/64\", ";
	return "";
}

static void parse(const char *text, struct model *model)
{
	struct config_errors errors;

	if (config_parse("f.yaml", text, strlen(text), model, &errors) < 0)
		fail_msg("%s\n%s", errors.lines[0], text);
	config_errors_fini(&errors);
}

/* A value that the row takes and that is not the initial one. */
static void make_value(const struct schema_key *key, char text[SCHEMA_TEXT_SIZE])
{
	static const char *const values[] = {
		[SCHEMA_MODE] = "\"0640\"",
		[SCHEMA_PATH] = "/run/another.place",
		[SCHEMA_USER] = "nobody",
		[SCHEMA_GROUP] = "daemon",
		[SCHEMA_NETWORK] = "green",
		[SCHEMA_NETWORKS] = "[green, yellow]",
		[SCHEMA_MAC] = "\"52:54:00:00:00:77\"",
		[SCHEMA_ADDRESSES] = "[10.0.0.9, \"fd00::/64\"]",
		[SCHEMA_HOST_ADDRESSES] = "[10.0.0.9/24, \"fd00::1/64\"]",
		[SCHEMA_SUBNET] = "10.5.6.0/23",
		[SCHEMA_ADDRESS] = "10.5.6.7",
		[SCHEMA_FORWARDS] = "{ tcp/8080: \"10.1.0.9:80\", udp/53: \"10.1.0.8:5353\" }",
	};
	const char *value = key->kind < ARRAY_SIZE(values) ? values[key->kind] : NULL;
	bool is_text = key->kind == SCHEMA_TEXT || key->kind == SCHEMA_TEXTS;

	if (key->ipv6)
		value = key->kind == SCHEMA_SUBNET ? "\"fd05:6::/48\"" : "\"fd05::6:7\"";

	if (key->kind == SCHEMA_NUMBER)
		snprintf(text, SCHEMA_TEXT_SIZE, "%u",
			key->maximum != key->initial ? key->maximum : key->minimum);
	else if (schema_word(key, 0))
		snprintf(text, SCHEMA_TEXT_SIZE, "%s", schema_word(key, !key->initial));
	for (unsigned i = 0; is_text && i < ARRAY_SIZE(samples); i++)
		if (strcmp(samples[i].key, key->name) == 0)
			value = samples[i].value;
	if (is_text && !value)
		fail_msg("what may %s be? samples[] should say", key->name);
	if (value)
		snprintf(text, SCHEMA_TEXT_SIZE, "%s", value);
}

#define NETWORKS                                                                                   \
	"networks: { blue: { vlan: 5, subnet: 10.1.0.0/24 }, green: { vlan: 6, subnet: "           \
	"10.2.0.0/24 }, "                                                                          \
	"yellow: { vlan: 7, subnet: 10.3.0.0/24 }, n: {%s%s} }\n"

/* A file with the key, and one without. type: of the port; NULL where the key is no port's. */
static void make_files(const struct schema *schema, const struct schema_key *key, const char *type,
	const char *value, char with[1024], char without[1024])
{
	char line[256];

	if (key->map)
		snprintf(line, sizeof(line), "%s: { %s: %s }", key->map, schema_inner_name(key),
			value);
	else
		snprintf(line, sizeof(line), "%s: %s", key->name, value);
	if (schema == &model_switch_schema) {
		snprintf(with, 1024, "switch: { %s }\n", line);
		without[0] = '\0';
	} else if (schema == &model_network_schema) {
		const char *other = companion_of(key);

		snprintf(with, 1024, NETWORKS, other, line);
		snprintf(without, 1024, NETWORKS, other, "");
	} else if (schema == &model_router_schema) {
		bool replaces = strcmp(key->name, "networks") == 0;
		static const char entry[] = NETWORKS
			"routers: { r: { gateway: kernel, %s%s%s } }\n";

		snprintf(with, 1024, entry, "", "", companion_of(key),
			replaces ? "" : "networks: [blue], ", line);
		snprintf(without, 1024, entry, "", "", companion_of(key), "networks: [blue]", "");
	} else {
		bool trunk = key->kind == SCHEMA_NETWORKS || strcmp(key->name, "native") == 0;
		bool member = key->kind == SCHEMA_NETWORK || key->kind == SCHEMA_NETWORKS;
		const char *rest = trunk ? "trunk: [blue]" : "network: blue";
		bool replaces = member && strcmp(key->name, "native") != 0;
		char others[256];

		snprintf(others, sizeof(others), "%s%s", companion_of(key), rest);
		snprintf(with, 1024, NETWORKS "ports: { p: { type: %s, %s%s%s } }\n", "", "", type,
			line, replaces ? "" : ", ", replaces ? "" : others);
		snprintf(without, 1024, NETWORKS "ports: { p: { type: %s, %s } }\n", "", "", type,
			others);
	}
}

/* The object that has the row. */
static const void *object_of(const struct schema *schema, const struct model *model)
{
	if (schema == &model_switch_schema)
		return &model->settings;
	if (schema == &model_network_schema)
		return model_find_network(model, "n");
	if (schema == &model_router_schema)
		return model_find_router(model, "r");
	if (schema == &model_port_schema)
		return model_find_port(model, "p");
	return model_find_port(model, "p")->settings;
}

/* Both wordings name the key and are read back to the same model. */
static void check_written(
	const struct schema *schema, const struct schema_key *key, const struct model *model)
{
	for (unsigned wording = 0; wording < 2; wording++) {
		char *text = config_format(model, wording ? CONFIG_BRIEF : CONFIG_FULL);
		struct model again;
		char name[64];

		snprintf(name, sizeof(name), "%s: ", schema_inner_name(key));
		if (!strstr(text, name))
			fail_msg("%s is not in:\n%s", name, text);
		parse(text, &again);
		assert_true(schema_equal(key, object_of(schema, model), object_of(schema, &again)));
		model_fini(&again);
		free(text);
	}
}

/* The difference is this key, with its effect. A setting that ports follow changes them, too. */
static void check_difference(
	const struct schema_key *key, const struct model *without, const struct model *with)
{
	struct diff diff;
	bool found = false;
	char words[80];

	assert_int_equal(diff_new(&diff, without, with), 0);
	snprintf(words, sizeof(words), "%s: ", key->name);
	for (unsigned i = 0; i < diff.count; i++) {
		if (!diff_changes(&diff.actions[i], key->name) || found)
			continue;
		found = true;
		assert_int_equal(diff.actions[i].effect, key->effect);
		assert_non_null(strstr(diff.actions[i].text, words));
	}
	if (!found)
		fail_msg("the difference does not know of %s", key->name);
	diff_fini(&diff);
}

/* What is printed as JSON names the key, and is a file with the same model. */
static void check_json(
	const struct schema *schema, const struct schema_key *key, const struct model *model)
{
	json_t *object = show_model(model);
	char *text = json_dumps(object, 0);
	struct model again;

	parse(text, &again);
	assert_true(schema_equal(key, object_of(schema, model), object_of(schema, &again)));
	model_fini(&again);
	free(text);
	json_decref(object);
}

static void check_row(const struct schema *schema, const struct schema_key *key, const char *type)
{
	char value[SCHEMA_TEXT_SIZE], with[1024], without[1024];
	struct model a, b, copy;

	/* Of the only kind of port, or gateway, there is no other. */
	if (strcmp(key->name, "type") == 0 ||
		(schema == &model_router_schema && strcmp(key->name, "gateway") == 0))
		return;
	make_value(key, value);
	make_files(schema, key, type, value, with, without);
	parse(with, &a);
	parse(without, &b);
	assert_false(schema_equal(key, object_of(schema, &a), object_of(schema, &b)));
	check_written(schema, key, &a);
	check_difference(key, &b, &a);
	check_json(schema, key, &a);
	assert_int_equal(model_copy(&copy, &a), 0);
	assert_true(schema_equal(key, object_of(schema, &a), object_of(schema, &copy)));
	model_fini(&a);
	model_fini(&b);
	model_fini(&copy);
}

static void check_rows(const struct schema *schema, const char *type)
{
	for (unsigned i = 0; i < schema->count; i++)
		check_row(schema, &schema->keys[i], type);
}

static void test_every_row(void **state)
{
	check_rows(&model_switch_schema, NULL);
	check_rows(&model_network_schema, NULL);
	check_rows(&model_router_schema, NULL);
	for (unsigned type = 0; model_kinds[type]; type++) {
		check_rows(&model_port_schema, model_kind_name(type));
		check_rows(&model_kinds[type]->schema, model_kind_name(type));
	}
}

/* What the tables must be for the rest to be right. */
static void check_table(const struct schema *schema)
{
	for (unsigned i = 0; i < schema->count; i++) {
		const struct schema_key *key = &schema->keys[i];
		bool has_words = schema_word(key, 0) != NULL;

		assert_true(key->offset + key->size <= schema->size);
		assert_ptr_equal(schema_find(schema, key->name), key); /* each name once */
		assert_non_null(key->help);
		assert_int_equal(has_words, key->kind == SCHEMA_CHOICE || key->kind == SCHEMA_FLAG);
		if (key->kind == SCHEMA_NUMBER)
			assert_true(key->minimum <= key->maximum && key->maximum);
		/* 0 is a value, or a word. */
		if (key->kind == SCHEMA_NUMBER && key->nothing)
			assert_true(key->minimum > 0);
		if (key->map)
			assert_memory_equal(key->map, key->name, strlen(key->map));
		assert_true(!key->nothing_written || key->nothing);
		assert_true(key->effect != DIFF_CUT);
	}
}

static void test_tables(void **state)
{
	check_table(&model_switch_schema);
	check_table(&model_network_schema);
	check_table(&model_router_schema);
	assert_true(model_router_schema.count <= MODEL_ROUTER_KEY_MAX);
	check_table(&model_port_schema);
	/* What a port is stands first: the file says it in any case. */
	assert_string_equal(model_port_schema.keys[0].name, "type");
	for (unsigned type = 0; model_kinds[type]; type++) {
		const struct schema *own = &model_kinds[type]->schema;

		check_table(own);
		assert_true(model_port_schema.count + own->count <= MODEL_PORT_KEY_MAX);
		assert_non_null(model_kinds[type]->describe);
		for (unsigned i = 0; i < own->count; i++)
			assert_null(schema_find(&model_port_schema, own->keys[i].name));
	}
}

/* What a file need not say is left out of the brief form, also what follows from another key. */
static void test_brief(void **state)
{
	static const char brief[] = "switch:\n  socket-mode: \"0666\"\n  fdb: { ageing: 7 }\n"
				    "networks:\n  \"blue\": { vlan: 5 }\n  \"n\": {}\n"
				    "ports:\n"
				    "  \"a\":\n    type: vhost-user\n    network: \"blue\"\n"
				    "  \"b\":\n    type: vhost-user\n    network: \"n\"\n"
				    "    mode: client\n    socket: \"/run/virtswitch/b.sock\"\n"
				    "  \"c\":\n    type: vhost-user\n    trunk: [\"blue\"]\n"
				    "    native: \"n\"\n    socket-mode: \"0660\"\n    queues: 2\n";
	struct model model;
	char *text;

	parse(brief, &model);
	text = config_format(&model, CONFIG_BRIEF);
	assert_string_equal(text, brief);
	free(text);
	model_fini(&model);
	parse("", &model);
	text = config_format(&model, CONFIG_BRIEF);
	assert_string_equal(text, "switch: {}\nnetworks: {}\nports: {}\n");
	free(text);
	model_fini(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_brief),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
