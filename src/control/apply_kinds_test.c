/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * That a change of configuration knows no kind of port: with a second kind, which exists in this
 * test only, beside the real one. Its ports hold a *thing* each, which no two may hold, have a
 * level that changes while they are open, and fail when they are told to. They are memory ports
 * behind that.
 */
#include "control/test_apply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/port_kinds.h"
#include "control/resources.h"
#include "control/vhost_user_keys.h"
#include "port/memory.h"

#define NETWORKS  "networks: { n: {}, m: {} }\n"
#define HELD_MAX  16
/* A port cannot be opened with this thing, and not be told this level. */
#define BAD_THING "bad"
#define BAD_LEVEL 9

struct fake_settings {
	char thing[32];
	unsigned level;
};

/* What is open: a thing and who holds it. */
struct holding {
	const struct port *port; /* NULL: free */
	char thing[32];
	unsigned level;
	bool connected;
	char broken[256]; /* the promise that was */
};

static struct {
	struct holding holdings[HELD_MAX];
	char refused[32]; /* this thing cannot be had now, either */
	bool returns;     /* what was open before a failed change opens again in any case */
	unsigned opened, prepared, unprepared, configured;
	char undone[256]; /* "a/2 ": back to this level; "b ": it had been opened */
	char forgotten[64];
} fake;

static const struct fake_settings *settings_of(const struct model_port *port)
{
	return port->settings;
}

static struct holding *holding_of(const struct port *port)
{
	for (unsigned i = 0; i < HELD_MAX; i++)
		if (fake.holdings[i].port == port)
			return &fake.holdings[i];
	return NULL;
}

static const char *check_thing(const char *text)
{
	return strlen(text) < sizeof(((struct fake_settings *)0)->thing) ? NULL : "is too long";
}

static void claim_thing(const struct model_port *port, struct claims *claims)
{
	claims_add(claims, "thing", "thing", "%s", settings_of(port)->thing);
}

static void describe(const struct model_port *port, FILE *out)
{
	fputs(settings_of(port)->thing, out);
}

static const struct schema_key keys[] = {
	{"thing", SCHEMA_TEXT, SCHEMA_FIELD(fake_settings, thing), .check = check_thing,
		.effect = DIFF_REOPEN, .help = "what nobody else may have"},
	{"level", SCHEMA_NUMBER, SCHEMA_FIELD(fake_settings, level), 1, 9, .initial = 1,
		.effect = DIFF_LIVE, .help = "changes while it is open"},
};

static const struct model_kind fake_model_kind = {
	.name = "fake",
	.help = "of this test",
	.schema = {keys, ARRAY_SIZE(keys), sizeof(struct fake_settings)},
	.describe = describe,
	.claims = claim_thing,
};

static const struct port_class *memory_class;

static void destroy(struct port *port)
{
	struct holding *holding = holding_of(port);

	*holding = (struct holding){0};
	memory_class->destroy(port);
}

static struct port *open_port(
	const struct port_place *place, const struct model_port *model, struct port_fault *fault)
{
	static struct port_class class;
	const struct memory_port_options options = {.queues = 1, .depth = 4, .frame_size = 64};
	const struct fake_settings *settings = settings_of(model);
	struct holding *place_for_it = holding_of(NULL);
	struct port *port;

	for (unsigned i = 0; i < HELD_MAX; i++)
		if (fake.holdings[i].port && strcmp(fake.holdings[i].thing, settings->thing) == 0) {
			error_set(&fault->error, -EBUSY, "'%s' is held", settings->thing);
			return NULL;
		}
	if (place->restored && fake.returns)
		goto open;
	if (strcmp(settings->thing, BAD_THING) == 0 || strcmp(settings->thing, fake.refused) == 0) {
		error_set(&fault->error, -EINVAL, "'%s' cannot be had", settings->thing);
		return NULL;
	}
open:
	port = memory_port_new(place->notifier, model->name, place->index, &options, &fault->error);
	assert_non_null(port);
	memory_class = port->class;
	class = *port->class;
	class.destroy = destroy;
	port->class = &class;
	place_for_it->port = port;
	place_for_it->level = settings->level;
	snprintf(place_for_it->thing, sizeof(place_for_it->thing), "%s", settings->thing);
	fake.opened++;
	return port;
}

static int change(struct port *port, const struct model_port *old, const struct model_port *new,
	struct port_fault *fault)
{
	unsigned level = settings_of(new)->level;

	if (level == BAD_LEVEL && settings_of(old)->level != BAD_LEVEL) {
		fault->key = "level";
		fault->line = model_port_line(new, "level");
		return error_set(&fault->error, -EINVAL, "too loud");
	}
	holding_of(port)->level = level;
	return 0;
}

static void undo(struct port *port, const struct model_port *was)
{
	size_t used = strlen(fake.undone);

	snprintf(fake.undone + used, sizeof(fake.undone) - used, "%s%s ", port->name,
		was ? (char[]){'/', (char)('0' + settings_of(was)->level), '\0'} : "");
	if (was)
		holding_of(port)->level = settings_of(was)->level;
}

static int prepare(const struct model *model, struct port_fault *fault)
{
	fake.prepared++;
	return 1;
}

static void unprepare(const struct model *model)
{
	fake.unprepared++;
}

static void configure(const struct model_settings *settings)
{
	fake.configured += settings != NULL;
}

static int keeps_promise(const struct port *port, const struct model_port *old,
	const struct model_port *new, struct error *error)
{
	if (!holding_of(port)->connected)
		return 0;
	return error_set(error, -EBUSY, "was promised '%s' by %s", holding_of(port)->thing,
		new ? port_kind_of(new)->type : "nobody");
}

static void break_promise(struct port *port, const char *words)
{
	snprintf(holding_of(port)->broken, sizeof(holding_of(port)->broken), "%s", words);
}

static void forget(const struct model_settings *settings, const char *name)
{
	snprintf(fake.forgotten + strlen(fake.forgotten),
		sizeof(fake.forgotten) - strlen(fake.forgotten), "%s ", name);
}

static void read_status(const struct port *port, struct port_status *status)
{
	*status = (struct port_status){.state = "open"};
}

static void show(const struct port *port, const struct model_port *model, json_t *object)
{
}

static struct port_kind fake_kind = {
	.type = "fake",
	.key = "thing",
	.prepare = prepare,
	.unprepare = unprepare,
	.open = open_port,
	.change = change,
	.configure = configure,
	.keeps_promise = keeps_promise,
	.break_promise = break_promise,
	.forget = forget,
	.status = read_status,
	.show = show,
};

/* Both tables have one row more here. They take the place of those of model_kinds.c and
 * port_kinds.c, which the linker does not need then. */
const struct model_kind *const model_kinds[] = {&vhost_user_kind, &fake_model_kind, NULL};

const struct port_kind *port_kind_of(const struct model_port *model)
{
	return model->type == 0 ? &port_kind_vhost_user : &fake_kind;
}

const struct port_kind *port_kind_at(unsigned position)
{
	return position == 0 ? &port_kind_vhost_user : position == 1 ? &fake_kind : NULL;
}

/* "a=x b=y/3": fake ports a, with thing x, and b, with thing y and level 3; "c": a real one. */
static int apply_how(const char *words, enum apply_how how, struct error *error)
{
	char text[4096], name[32], thing[32];
	char *at = text + sprintf(text, "%sports:\n", NETWORKS);
	int used;

	while (sscanf(words, " %31[a-z0-9]%n", name, &used) == 1) {
		words += used;
		if (*words != '=') {
			at += sprintf(at, "  %s: { type: vhost-user, network: n }\n", name);
			continue;
		}
		sscanf(words, "=%31[a-z0-9]%n", thing, &used);
		words += used;
		at += sprintf(at, "  %s: { type: fake, network: n, thing: '%s', level: %c }\n",
			name, thing, *words == '/' ? words[1] : '1');
		words += *words == '/' ? 2 : 0;
	}
	return test_apply(text, how, error);
}

/* What is held, and by whom: "a=x/1 b=y/3", in the order of the model. */
static void check_holdings(const char *expected)
{
	const struct runtime_state *state = &test_runtime->state;
	char text[256] = "";
	unsigned count = 0, held = 0;

	for (unsigned i = 0; i < state->model.port_count; i++) {
		const struct holding *holding = holding_of(state->ports[i].port);

		if (!holding)
			continue;
		sprintf(text + strlen(text), "%s%s=%s/%u", *text ? " " : "",
			state->model.ports[i].name, holding->thing, holding->level);
		count++;
	}
	for (unsigned i = 0; i < HELD_MAX; i++)
		held += fake.holdings[i].port != NULL;
	assert_string_equal(text, expected);
	assert_int_equal(held, count);
}

static void must_apply(const char *words, const char *expected)
{
	struct error error;

	if (apply_how(words, APPLY_FORCED, &error) < 0)
		fail_msg("%s", error.text);
	check_holdings(expected);
}

static void must_fail(const char *words, const char *reason, const char *expected)
{
	struct error error;

	assert_true(apply_how(words, APPLY_FORCED, &error) < 0);
	assert_string_equal(error.text, reason);
	check_holdings(expected);
}

static const struct runtime_port *entry(const char *name)
{
	const struct runtime_port *found = test_entry(name);

	assert_non_null(found);
	return found;
}

static int setup(void **state)
{
	memset(&fake, 0, sizeof(fake));
	fake_kind.undo = NULL;
	return test_apply_setup(state);
}

static int teardown(void **state)
{
	int rc = test_apply_teardown(state);

	for (unsigned i = 0; i < HELD_MAX; i++)
		assert_null(fake.holdings[i].port);
	return rc;
}

static void test_life(void **state)
{
	struct runtime_port a, v;

	must_apply("a=x v", "a=x/1");
	a = *entry("a");
	v = *entry("v");
	assert_int_equal(fake.configured, 1);
	/* What takes no reopening is done to the open port, and nothing to the other one. */
	must_apply("a=x/4 v", "a=x/4");
	assert_ptr_equal(entry("a")->port, a.port);
	assert_int_equal(entry("a")->index, a.index);
	must_apply("a=y/4 v", "a=y/4");
	assert_int_equal(fake.opened, 2);
	assert_ptr_equal(entry("v")->port, v.port);
	assert_string_equal(fake.forgotten, "");
	must_apply("v", "");
	assert_string_equal(fake.forgotten, "a ");
	assert_int_equal(fake.unprepared, 0);
}

/* A port becomes one of another kind under its name, and back. */
static void test_kinds_change(void **state)
{
	must_apply("a=x", "a=x/1");
	must_apply("a", "");
	assert_string_equal(fake.forgotten, "a ");
	assert_string_equal(entry("a")->port->class->type, "vhost-user");
	must_apply("a=x", "a=x/1");
}

/* Nobody ever holds what another still has: open_port() would refuse. */
static void test_things_change_hands(void **state)
{
	must_apply("a=x b=y c=z", "a=x/1 b=y/1 c=z/1");
	must_apply("a=y b=x c=z", "a=y/1 b=x/1 c=z/1");
	assert_int_equal(fake.opened, 5);
	must_apply("a=x b=z c=y", "a=x/1 b=z/1 c=y/1");
	/* A chain, whose first goes elsewhere, and one that ends in nothing. */
	must_apply("a=w b=x c=z", "a=w/1 b=x/1 c=z/1");
	must_apply("b=w c=x", "b=w/1 c=x/1");
	/* To other names. */
	must_apply("d=w e=x v", "d=w/1 e=x/1");
}

static void test_a_failure_restores(void **state)
{
	struct runtime_port d;

	must_apply("a=x b=y c=z d=w", "a=x/1 b=y/1 c=z/1 d=w/1");
	d = *entry("d");
	/* The first of a ring has been opened already when another port turns out not to be had. */
	strcpy(fake.refused, "x");
	must_fail("a=y b=z c=x d=v/1", "f.yaml:6: ports.c.thing: 'x' cannot be had",
		"b=y/1 c=z/1 d=w/1");
	/* x could not be had again: the running model is without a, until it is asked for. */
	strcpy(fake.refused, "");
	must_apply("a=x b=y c=z d=w", "a=x/1 b=y/1 c=z/1 d=w/1");
	must_fail("a=y b=x c=bad d=v", "f.yaml:6: ports.c.thing: 'bad' cannot be had",
		"a=x/1 b=y/1 c=z/1 d=w/1");
	/* Nobody wants what d has: it was never closed. */
	assert_ptr_equal(entry("d")->port, d.port);
	assert_int_equal(entry("d")->index, d.index);
	assert_int_equal(entry("d")->opened, d.opened);
	assert_int_equal(fake.unprepared, 2);
	assert_string_equal(fake.forgotten, "");
}

/* Levels that were changed already go back. */
static void test_a_level_that_is_refused(void **state)
{
	must_apply("a=x/2 b=y/3 v", "a=x/2 b=y/3");
	must_fail("a=x/5 b=y/9 v", "f.yaml:5: ports.b.level: too loud", "a=x/2 b=y/3");
	must_fail("a=x/5 b=y/3 c=bad v", "f.yaml:6: ports.c.thing: 'bad' cannot be had",
		"a=x/2 b=y/3");
	must_apply("a=x/5 b=y/3 v", "a=x/5 b=y/3");
}

/* Where a kind can undo, it is told which ports were changed or opened, and no other. */
static void test_undo(void **state)
{
	fake_kind.undo = undo;
	must_apply("a=x/2 b=y/3 c=z/4 v", "a=x/2 b=y/3 c=z/4");
	must_fail("a=x/5 b=y/9 c=z/4 v", "f.yaml:5: ports.b.level: too loud", "a=x/2 b=y/3 c=z/4");
	assert_string_equal(fake.undone, "a/2 b/3 ");
	fake.undone[0] = '\0';
	must_fail("a=x/5 d=w c=z/4 e=bad b=y/3 v", "f.yaml:7: ports.e.thing: 'bad' cannot be had",
		"a=x/2 b=y/3 c=z/4");
	assert_string_equal(fake.undone, "a/2 b/3 c/4 d ");
}

/* A port that can be without its far end is there after a failed change, whatever comes. */
static void test_a_port_that_stays(void **state)
{
	must_apply("a=x b=y", "a=x/1 b=y/1");
	strcpy(fake.refused, "x");
	fake.returns = true;
	must_fail("a=y b=x", "f.yaml:5: ports.b.thing: 'x' cannot be had", "a=x/1 b=y/1");
}

static void test_promises(void **state)
{
	struct error error;

	must_apply("a=x b=y", "a=x/1 b=y/1");
	holding_of(entry("a")->port)->connected = true;
	/* Under its own name, and under that of the port that takes over what it claims. */
	assert_int_equal(apply_how("a=z b=y", APPLY_SAFELY, &error), -EBUSY);
	assert_non_null(strstr(error.text, "port a: was promised 'x' by fake"));
	assert_int_equal(apply_how("c=x b=y", APPLY_SAFELY, &error), -EBUSY);
	assert_non_null(strstr(error.text, "port c: was promised 'x' by fake"));
	assert_int_equal(apply_how("a b=y", APPLY_SAFELY, &error), -EBUSY);
	assert_non_null(strstr(error.text, "port a: was promised 'x' by vhost-user"));
	check_holdings("a=x/1 b=y/1");
	assert_int_equal(apply_how("b=y", APPLY_SAFELY, &error), -EBUSY);
	assert_non_null(strstr(error.text, "port a: was promised 'x' by nobody"));
	check_holdings("a=x/1 b=y/1");
	/* Nobody is at the other one. */
	assert_int_equal(apply_how("a=x/2 c=w", APPLY_SAFELY, &error), 3);
	must_apply("c=w d=x", "c=w/1 d=x/1");
	assert_string_equal(holding_of(entry("d")->port)->broken, "was promised 'x' by fake");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kinds_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_things_change_hands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_failure_restores, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_level_that_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_undo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_port_that_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_promises, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
