/* SPDX-License-Identifier: BSD-3-Clause */
/* What is done about addresses that move back and forth: who is held, for how long, and when that
 * is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/apply.h"
#include "control/loops.h"
#include "control/yaml/config.h"

#define SECOND NS_PER_SECOND

static const uint8_t wanderer[6] = {0x52, 0x54, 0, 0, 0, 0x77};

static char folder[32];
static struct event_base *base;
static struct runtime *runtime;

static void apply(const char *networks, const char *ports)
{
	struct config_errors errors;
	struct model model;
	struct error error;
	char text[1024];

	snprintf(text, sizeof(text),
		"switch: { socket-dir: %s, workers: 1 }\nnetworks: { %s }\nports: { %s }\n", folder,
		networks, ports);
	if (config_parse("f.yaml", text, strlen(text), &model, &errors) < 0)
		fail_msg("%s", errors.lines[0]);
	config_errors_fini(&errors);
	if (!runtime)
		runtime = runtime_new(base, &model.settings, &error);
	if (!runtime || runtime_apply(runtime, &model, "f.yaml", APPLY_FORCED, &error) < 0)
		fail_msg("%s", error.text);
}

#define OLD   "old: { type: vhost-user, network: blue }"
#define YOUNG "young: { type: vhost-user, network: blue }"

/* "old" is opened before "young". */
static int setup(void **state)
{
	log_set_level(LOG_LEVEL_ERROR);
	strcpy(folder, "/tmp/loops_test.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	base = event_base_new();
	apply("blue: { vlan: 10 }", OLD);
	apply("blue: { vlan: 10 }", OLD ", " YOUNG);
	return loops_start(runtime);
}

static int teardown(void **state)
{
	runtime_free(runtime);
	runtime = NULL;
	event_base_free(base);
	return rmdir(folder);
}

static const struct runtime_port *port(const char *name)
{
	return &runtime->state.ports[runtime_find_port(&runtime->state, name)];
}

/* The address moves so often, and the second is over. */
static void move(unsigned times)
{
	uint32_t now = runtime_now();

	for (unsigned i = 0; i <= times; i++)
		fdb_learn(runtime->fdb, runtime->state.networks[0], wanderer,
			port(i % 2 ? "young" : "old")->index, now);
	event_active(runtime->loops.timer, EV_TIMEOUT, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* The hold that there is, past or present. */
static struct loop_hold *entry(void)
{
	for (unsigned i = 0; i < LOOPS_MAX; i++)
		if (runtime->loops.of[i].opened)
			return &runtime->loops.of[i];
	return NULL;
}

static size_t held(const char *name)
{
	json_t *list = loops_show_port(runtime, (unsigned)runtime_find_port(&runtime->state, name));
	size_t count = json_array_size(list);

	json_decref(list);
	return count;
}

static void let_pass(uint64_t length)
{
	struct loop_hold *hold = entry();

	hold->until -= length;
}

static void test_the_younger_is_held(void **state)
{
	json_t *list;

	move(FDB_FLAP_MOVES / 2);
	assert_null(entry());
	move(4 * FDB_FLAP_MOVES);
	assert_int_equal(runtime->loops.noticed, 1);
	assert_int_equal(runtime->loops.held, 1);
	assert_int_equal(held("young"), 1);
	assert_int_equal(held("old"), 0);
	assert_int_equal(entry()->length, 10 * SECOND);
	assert_string_equal(entry()->other, "old");
	assert_string_equal(entry()->address, "52:54:00:00:00:77");
	/* What the loop taught is forgotten at both ends. */
	assert_int_equal(fdb_count(runtime->fdb), 0);
	list = loops_show_network(runtime, 0);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_array_get(list, 0)), "young");
	json_decref(list);
	/* Known: not noticed again while it is held. */
	move(4 * FDB_FLAP_MOVES);
	assert_int_equal(runtime->loops.noticed, 1);
}

/* What was on its way round when the hold began still comes out of the older end, and is forgotten,
 * at the latest when what the hold is about has gone. What is learned later is not. */
static void test_what_was_under_way(void **state)
{
	uint16_t network = runtime->state.networks[0];

	move(4 * FDB_FLAP_MOVES);
	fdb_learn(runtime->fdb, network, wanderer, port("old")->index, runtime_now());
	move(0);
	assert_int_equal(fdb_count(runtime->fdb), 0);
	entry()->settled -= 3 * SECOND;
	fdb_learn(runtime->fdb, network, wanderer, port("old")->index, runtime_now());
	event_active(runtime->loops.timer, EV_TIMEOUT, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(fdb_count(runtime->fdb), 1);
	apply("blue: { vlan: 10 }", OLD);
	assert_int_equal(fdb_count(runtime->fdb), 0);
}

/* Each time that it is still there the hold is twice as long, to five minutes; then it is
 * forgotten. */
static void test_longer_and_longer(void **state)
{
	uint64_t lengths[] = {10, 20, 40, 80, 160, 300, 300};

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		move(4 * FDB_FLAP_MOVES);
		assert_int_equal(held("young"), 1);
		assert_int_equal(entry()->length, lengths[i] * SECOND);
		let_pass(lengths[i] * SECOND);
		move(0);
		assert_int_equal(held("young"), 0);
		assert_non_null(entry());
	}
	let_pass(3 * 300 * SECOND);
	move(0);
	assert_null(entry());
	move(4 * FDB_FLAP_MOVES);
	assert_int_equal(entry()->length, 10 * SECOND);
}

/* Where only a line in the log is wanted nothing is held, and a hold ends with that wish, or with
 * its port. */
static void test_ends_with_what_it_is_about(void **state)
{
	apply("blue: { vlan: 10, loops: log }", OLD ", " YOUNG);
	move(4 * FDB_FLAP_MOVES);
	assert_int_equal(runtime->loops.noticed, 1);
	assert_int_equal(held("young"), 0);
	apply("blue: { vlan: 10 }", OLD ", " YOUNG);
	let_pass(10 * SECOND);
	move(4 * FDB_FLAP_MOVES);
	assert_int_equal(held("young"), 1);
	apply("blue: { vlan: 10, loops: log }", OLD ", " YOUNG);
	assert_int_equal(runtime->loops.held, 0);
	assert_null(entry());
	apply("blue: { vlan: 10 }", OLD ", " YOUNG);
	move(4 * FDB_FLAP_MOVES);
	assert_int_equal(held("young"), 1);
	apply("blue: { vlan: 10 }", OLD);
	assert_null(entry());
	assert_int_equal(runtime->loops.held, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_the_younger_is_held),
		TEST(test_what_was_under_way),
		TEST(test_longer_and_longer),
		TEST(test_ends_with_what_it_is_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
