/* SPDX-License-Identifier: BSD-3-Clause */
/* What the methods answer: every member, figures that add up, and names as they are spelled. */
#include "control/rpc/test_switch.h"

#include "control/rpc/aliases.h"

static int setup(void **state)
{
	return begin_switch();
}

static int teardown(void **state)
{
	return end_switch();
}

/* Every member of every object is snake_case, or an old spelling that aliases.h lists; the members
 * of `drops` and `ports` are names. */
static void assert_spelling(const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	json_array_foreach (value, i, member)
		assert_spelling(member);
	json_object_foreach ((json_t *)value, key, member) {
		bool plain = key[0] >= 'a' && key[0] <= 'z' &&
			     !key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_")];

		if (!plain && !show_is_alias(key))
			fail_msg("member '%s' is not snake_case", key);
		if (!json_is_object(member) ||
			(strcmp(key, "drops") != 0 && strcmp(key, "ports") != 0))
			assert_spelling(member);
	}
}

static void test_spelling(void **state)
{
	static const char *const showing[] = {"show", "port.show", "network.show", "fdb.show",
		"worker.show", "drops", "log.show", "config.show"};
	static const char *const renamed[][2] = {{"socket_dir", "socket-dir"},
		{"idle_us", "idle-us"}, {"log_lines_lost", "log-lines-lost"}};
	json_t *result;

	for (unsigned i = 0; i < ARRAY_SIZE(showing); i++) {
		result = ask(showing[i]);
		assert_non_null(result);
		assert_spelling(result);
		json_decref(result);
	}
	result = ask("show");
	for (unsigned i = 0; i < ARRAY_SIZE(renamed); i++) {
		assert_non_null(json_object_get(result, renamed[i][0]));
		assert_true(json_equal(json_object_get(result, renamed[i][0]),
			json_object_get(result, renamed[i][1])));
	}
	json_decref(result);
}

static void assert_members(const json_t *object, const char *const *keys)
{
	for (; *keys; keys++)
		if (!json_object_get(object, *keys))
			fail_msg("no member '%s'", *keys);
}

static void test_members(void **state)
{
	static const char *const port_keys[] = {"name", "type", "network", "connected", "mode",
		"features", "queues", "rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "drops",
		"running", "socket", "mac", "trunk", "native", "peer_pid", "mtu", "vlan",
		"per_queue", "worker_cycles", "owner", "group", "socket_mode", "memory_limit_gib",
		NULL};
	static const char *const queue_keys[] = {"queue", "worker", "rx_packets", "rx_bytes",
		"tx_packets", "tx_bytes", "worker_cycles", "drops", NULL};
	static const char *const worker_keys[] = {"id", "cpu", "busy_percent", "wakeups", "frames",
		"batches", "cycles_per_frame", "frames_per_batch", "queues", "measured_frames",
		"stages", NULL};
	static const char *const stage_keys[] = {
		"receive", "parse", "forward", "send", "release", "kick", NULL};
	static const char *const drop_keys[] = {
		"name", "meaning", "advice", "count", "ports", NULL};
	json_t *result = ask("port.show");
	const json_t *trunk = json_array_get(result, 1);

	assert_int_equal(json_array_size(result), 2);
	assert_members(json_array_get(result, 0), port_keys);
	assert_string_equal(json_string_value(json_object_get(trunk, "network")), "plain");
	assert_int_equal(json_array_size(json_object_get(trunk, "trunk")), 1);
	assert_int_equal(json_object_size(json_object_get(trunk, "drops")), DROP_REASON_COUNT);
	assert_int_equal(json_array_size(json_object_get(trunk, "per_queue")), 2);
	assert_members(json_array_get(json_object_get(trunk, "per_queue"), 1), queue_keys);
	json_decref(result);
	result = ask("worker.show");
	assert_int_equal(json_array_size(result), 1);
	assert_members(json_array_get(result, 0), worker_keys);
	assert_int_equal(json_array_size(json_object_get(json_array_get(result, 0), "queues")), 3);
	assert_members(json_object_get(json_array_get(result, 0), "stages"), stage_keys);
	json_decref(result);
	result = ask("drops");
	assert_int_equal(json_array_size(result), DROP_REASON_COUNT);
	assert_members(json_array_get(result, 0), drop_keys);
	json_decref(result);
	result = ask("config.show");
	assert_true(json_is_string(result));
	json_decref(result);
}

static json_int_t number_at(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

/* Who may connect to a port and how much it may map; null where nothing was chosen. */
static void test_port_limits(void **state)
{
	json_t *result = ask("port.show");
	const json_t *plain = json_array_get(result, 0), *chosen = json_array_get(result, 1);

	assert_true(json_is_null(json_object_get(plain, "owner")));
	assert_true(json_is_null(json_object_get(plain, "group")));
	assert_string_equal(json_string_value(json_object_get(plain, "socket_mode")), "0660");
	assert_true(json_is_null(json_object_get(plain, "memory_limit_gib")));
	assert_string_equal(
		json_string_value(json_object_get(chosen, "owner")), getpwuid(geteuid())->pw_name);
	assert_string_equal(
		json_string_value(json_object_get(chosen, "group")), getgrgid(getegid())->gr_name);
	assert_string_equal(json_string_value(json_object_get(chosen, "socket_mode")), "0600");
	assert_int_equal(number_at(chosen, "memory_limit_gib"), 3);
	json_decref(result);
}

/* Each queue has figures of its own, and they add up to the port's. */
static void test_queue_figures(void **state)
{
	static const char *const keys[] = {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes"};
	struct port_queue_counters *counters = runtime->state.ports[1].port->counters;
	const json_t *port, *queues;
	json_t *result;

	for (unsigned i = 0; i < 2; i++) {
		counter_add(&counters[i].rx.packets, 1 + 1000 * i);
		counter_add(&counters[i].rx.bytes, 2 + 2000 * i);
		counter_add(&counters[i].tx.packets, 3 + 3000 * i);
		counter_add(&counters[i].tx.bytes, 4 + 4000 * i);
	}
	counter_add(&counters[1].rx.drops[DROP_HAIRPIN], 5);
	counter_add(&counters[1].tx.drops[DROP_HAIRPIN], 6);
	result = ask("port.show");
	port = json_array_get(result, 1);
	queues = json_object_get(port, "per_queue");
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		json_int_t first = i + 1;

		assert_int_equal(number_at(json_array_get(queues, 0), keys[i]), first);
		assert_int_equal(number_at(json_array_get(queues, 1), keys[i]), 1001 * first);
		assert_int_equal(number_at(port, keys[i]), 1002 * first);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(number_at(json_array_get(queues, i), "queue"), i);
	assert_int_equal(json_object_size(json_object_get(json_array_get(queues, 0), "drops")), 0);
	assert_int_equal(number_at(json_object_get(json_array_get(queues, 1), "drops"),
				 drop_descriptions[DROP_HAIRPIN].name),
		11);
	assert_int_equal(json_array_size(queues), 2);
	json_decref(result);
}

/* The figures of a port start again, its counters do not: they are the workers'. */
static void test_reset_of_ports(void **state)
{
	struct port_queue_counters *counters = runtime->state.ports[1].port->counters;
	uint64_t before = counters[0].rx.packets;
	const json_t *port, *queue;
	json_t *result;

	counter_add(&counters[0].rx.packets, 7);
	counter_add(&counters[1].tx.drops[DROP_HAIRPIN], 7);
	/* One of the names is none: nothing is reset. */
	assert_null(ask_with("port.reset", "{\"names\":[\"t\",\"x\"]}"));
	assert_null(ask_with("port.reset", "{\"names\":[]}"));
	assert_null(ask_with("port.reset", "{}"));
	result = ask("port.show");
	assert_true(number_at(json_array_get(result, 1), "rx_packets") >= 7);
	json_decref(result);
	result = ask_with("port.reset", "{\"names\":[\"t\"]}");
	assert_int_equal(json_array_size(result), 1);
	json_decref(result);
	assert_int_equal(counters[0].rx.packets, before + 7);
	counter_add(&counters[0].rx.packets, 3);
	counter_add(&counters[1].rx.drops[DROP_HAIRPIN], 2);
	result = ask("port.show");
	port = json_array_get(result, 1);
	assert_int_equal(number_at(port, "rx_packets"), 3);
	assert_int_equal(number_at(port, "tx_bytes"), 0);
	assert_int_equal(number_at(json_object_get(port, "drops"), "hairpin"), 2);
	queue = json_array_get(json_object_get(port, "per_queue"), 0);
	assert_int_equal(number_at(queue, "rx_packets"), 3);
	json_decref(result);
}

static void assert_level(const char *method, const char *params, const char *level)
{
	json_t *result = ask_with(method, params);

	assert_string_equal(json_string_value(json_object_get(result, "level")), level);
	json_decref(result);
}

static void assert_forgets(const char *method, const char *params, int addresses)
{
	json_t *result = ask_with(method, params);

	if (addresses < 0)
		assert_null(result);
	else
		assert_int_equal(number_at(result, "addresses"), addresses);
	json_decref(result);
}

/* What was learned goes, from where it was asked for; what the configuration binds stays. */
static void test_forgetting(void **state)
{
	static const uint8_t first[] = {2, 0, 0, 0, 0, 1}, second[] = {2, 0, 0, 0, 0, 2};
	const struct runtime_state *running = &runtime->state;
	uint16_t blue = running->networks[0], plain = running->networks[1];
	uint16_t trunk = running->ports[1].index;

	fdb_learn(runtime->fdb, blue, first, trunk, runtime_now());
	fdb_learn(runtime->fdb, plain, first, trunk, runtime_now());
	fdb_learn(runtime->fdb, plain, second, trunk, runtime_now());
	assert_forgets("fdb.flush", "{\"port\":\"a\"}", 0);
	assert_forgets("fdb.del", "{\"mac\":\"02:00:00:00:00:01\",\"network\":\"blue\"}", 1);
	assert_forgets("fdb.del", "{\"mac\":\"02:00:00:00:00:01\",\"network\":\"blue\"}", -1);
	assert_forgets("fdb.del", "{\"mac\":\"52:54:00:00:00:01\",\"network\":\"blue\"}", -1);
	assert_forgets("fdb.del", "{\"mac\":\"52:54\",\"network\":\"blue\"}", -1);
	assert_forgets("fdb.del", "{\"mac\":\"02:00:00:00:00:01\"}", -1);
	assert_forgets("fdb.flush", "{\"port\":\"x\"}", -1);
	assert_forgets("fdb.flush", "{\"network\":\"plain\",\"port\":\"t\"}", 2);
	fdb_learn(runtime->fdb, blue, second, trunk, runtime_now());
	assert_forgets("fdb.flush", "{}", 1);
	assert_int_equal(fdb_count(runtime->fdb), 1);
}

static void test_log_level(void **state)
{
	assert_level("log.show", "{}", "error");
	assert_level("log.level", "{\"level\":\"warning\"}", "warning");
	assert_true(log_enabled(LOG_LEVEL_WARNING));
	assert_null(ask_with("log.level", "{\"level\":\"loud\"}"));
	assert_null(ask_with("log.level", "{}"));
	assert_level("log.show", "{}", "warning");
	assert_level("log.level", "{\"level\":\"error\"}", "error");
	assert_false(log_enabled(LOG_LEVEL_WARNING));
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_spelling),
		cmocka_unit_test(test_port_limits),
		cmocka_unit_test(test_queue_figures),
		cmocka_unit_test(test_reset_of_ports),
		cmocka_unit_test(test_forgetting),
		cmocka_unit_test(test_log_level),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
