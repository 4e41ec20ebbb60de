/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes of a running switch: what stays is not touched, and what fails changes nothing. */
#include "control/test_apply.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/port_kinds.h"
#include "control/vhost_user_keys.h"
#include "control/yaml/config.h"

#define NETWORKS "networks: { blue: { vlan: 10 }, green: { vlan: 20 } }\n"

static enum apply_how how = APPLY_FORCED;

/* 0 or the error of runtime_apply(). */
static int apply(const char *text, struct error *error)
{
	return MIN(test_apply(text, how, error), 0);
}

static void must_apply(const char *text)
{
	struct error error;

	if (apply(text, &error) < 0)
		fail_msg("%s", error.text);
}

static bool has_socket(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/s/%s.sock", test_folder, name);
	return access(path, F_OK) == 0;
}

static void test_what_stays_is_not_touched(void **state)
{
	struct runtime_port before;

	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: blue } }");
	before = *test_entry("a");
	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: blue }, "
			    "b: { type: vhost-user, network: green } }");
	assert_ptr_equal(test_entry("a")->port, before.port);
	assert_int_equal(test_entry("a")->index, before.index);
	assert_true(has_socket("a") && has_socket("b"));
	/* Networks and addresses change on the live port. */
	must_apply(NETWORKS "ports: { a: { type: vhost-user, trunk: [10, 20], mac: "
			    "52:54:00:00:00:01 } }");
	assert_ptr_equal(test_entry("a")->port, before.port);
	assert_int_equal(test_entry("a")->index, before.index);
	assert_null(test_entry("b"));
	assert_false(has_socket("b"));
	/* What needs another socket or ring set is opened anew. */
	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: blue, queues: 3 } }");
	assert_int_equal(model_vhost_user(&test_runtime->state.model.ports[0])->queues, 3);
	assert_true(test_entry("a")->port->queue_count >= 3);
	assert_true(has_socket("a"));
	must_apply("");
	assert_int_equal(test_runtime->state.model.port_count, 0);
	assert_false(has_socket("a"));
}

/* A socket that cannot be had, alone and together with one that waits for its predecessor. */
static void test_a_failure_changes_nothing(void **state)
{
	static const char *const changes[] = {
		"ports: { b: { type: vhost-user, network: green }, "
		"blocked: { type: vhost-user, network: blue } }",
		"ports: { a: { type: vhost-user, network: green, queues: 2 }, "
		"blocked: { type: vhost-user, network: blue } }",
		"ports: { blocked: { type: vhost-user, network: blue }, "
		"c: { type: vhost-user, network: blue, socket: %s/s/a.sock } }",
	};
	struct runtime_port before;
	struct error error;
	char path[128];
	char text[1024];

	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: blue, mac: "
			    "52:54:00:00:00:01 } }");
	before = *test_entry("a");
	snprintf(path, sizeof(path), "%s/s/blocked.sock", test_folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
		snprintf(text, sizeof(text), NETWORKS);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), changes[i], test_folder);
		assert_true(apply(text, &error) < 0);
		assert_non_null(strstr(error.text, "f.yaml:3: ports.blocked.socket: "));
		assert_ptr_equal(test_entry("a")->port, before.port);
		assert_int_equal(test_entry("a")->index, before.index);
		assert_int_equal(test_runtime->state.model.port_count, 1);
		assert_true(has_socket("a"));
		assert_false(has_socket("b"));
		assert_int_equal(fdb_count(test_runtime->fdb), 1);
	}
	unlink(path);
	must_apply(NETWORKS "ports: { blocked: { type: vhost-user, network: blue } }");
	assert_false(has_socket("a"));
	must_apply("");
}

/* The path of a port that goes, taken by another in the same change; and back. */
static void test_socket_changes_hands(void **state)
{
	char text[512];

	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: blue } }");
	snprintf(text, sizeof(text),
		NETWORKS "ports: { c: { type: vhost-user, network: blue, socket: %s/s/a.sock } }",
		test_folder);
	must_apply(text);
	assert_null(test_entry("a"));
	assert_non_null(test_entry("c"));
	assert_true(has_socket("a"));
	must_apply("");
	assert_false(has_socket("a"));
}

static void test_static_addresses_follow(void **state)
{
	const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 1};
	uint16_t blue;

	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: blue, mac: "
			    "52:54:00:00:00:01 }, b: { type: vhost-user, network: blue } }");
	blue = test_runtime->state.networks[runtime_find_network(&test_runtime->state, "blue")];
	assert_int_equal(fdb_lookup(test_runtime->fdb, blue, mac, 0), test_entry("a")->index);
	/* It moves to another port in one change, */
	must_apply(NETWORKS "ports: { b: { type: vhost-user, network: blue, mac: "
			    "52:54:00:00:00:01 }, a: { type: vhost-user, network: blue } }");
	assert_int_equal(fdb_lookup(test_runtime->fdb, blue, mac, 0), test_entry("b")->index);
	/* stays where its port is opened anew, */
	must_apply(NETWORKS "ports: { b: { type: vhost-user, network: blue, queues: 2, mac: "
			    "52:54:00:00:00:01 } }");
	assert_int_equal(fdb_lookup(test_runtime->fdb, blue, mac, 0), test_entry("b")->index);
	/* and goes with it. */
	must_apply(NETWORKS);
	assert_int_equal(fdb_lookup(test_runtime->fdb, blue, mac, 0), FDB_PORT_NONE);
	assert_int_equal(fdb_count(test_runtime->fdb), 0);
}

static void test_learned_addresses_go_with_their_port(void **state)
{
	const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 9};
	uint16_t blue;

	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: blue } }");
	blue = test_runtime->state.networks[runtime_find_network(&test_runtime->state, "blue")];
	fdb_learn(test_runtime->fdb, blue, mac, test_entry("a")->index, runtime_now());
	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: blue }, "
			    "b: { type: vhost-user, network: blue } }");
	assert_int_equal(fdb_count(test_runtime->fdb), 1);
	/* What changes nothing about where the port is leaves them alone. */
	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: blue, flood-limit: 9, "
			    "socket-mode: '0600', trusted: true, memory-limit-gib: 3 } }");
	assert_int_equal(fdb_count(test_runtime->fdb), 1);
	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: green } }");
	assert_int_equal(fdb_count(test_runtime->fdb), 0);
	fdb_learn(test_runtime->fdb, blue, mac, test_entry("a")->index, runtime_now());
	must_apply(NETWORKS);
	assert_int_equal(fdb_count(test_runtime->fdb), 0);
}

static void test_restart_is_refused(void **state)
{
	struct config_errors errors;
	struct model model;
	struct error error;
	char text[512];

	snprintf(text, sizeof(text), "switch: { socket-dir: %s/s, workers: 2 }", test_folder);
	assert_int_equal(config_parse("f.yaml", text, strlen(text), &model, &errors), 0);
	assert_int_equal(
		runtime_apply(test_runtime, &model, "f.yaml", APPLY_SAFELY, &error), -ENOTSUP);
	assert_string_equal(error.text, "f.yaml: switch.workers: 1 -> 2 (needs a restart of vswd)");
	model_fini(&model);
}

/* A file that was emptied by accident. */
static void test_no_ports_must_be_forced(void **state)
{
	struct error error;

	must_apply(NETWORKS "ports: { a: { type: vhost-user, network: blue } }");
	how = APPLY_SAFELY;
	assert_int_equal(apply(NETWORKS, &error), -EBUSY);
	assert_non_null(strstr(error.text, "f.yaml: it has no ports: all 1 ports"));
	assert_true(has_socket("a"));
	/* One of two may go. */
	must_apply(NETWORKS "ports: { b: { type: vhost-user, network: blue } }");
	how = APPLY_FORCED;
	must_apply("");
	assert_false(has_socket("b"));
}

static void test_folder_that_cannot_be_made(void **state)
{
	struct config_errors errors;
	struct model model;
	struct error error;
	char text[512];

	snprintf(text, sizeof(text),
		"switch: { socket-dir: %s/x/y, workers: 1 }\n" NETWORKS
		"ports: { a: { type: vhost-user, network: blue } }",
		test_folder);
	assert_int_equal(config_parse("f.yaml", text, strlen(text), &model, &errors), 0);
	assert_true(runtime_apply(test_runtime, &model, "f.yaml", APPLY_SAFELY, &error) < 0);
	assert_non_null(strstr(error.text, "f.yaml:1: switch.socket-dir: cannot create"));
	model_fini(&model);
}

/* Many more changes than there are indices: none may leak. */
static void test_indices_are_used_again(void **state)
{
	for (unsigned i = 0; i < 300; i++) {
		char text[512];

		snprintf(text, sizeof(text),
			"networks: { n%u: {} }\nports: { p%u: { type: vhost-user, network: n%u } }",
			i, i % 7, i);
		must_apply(text);
		assert_true(test_runtime->state.networks[0] < 2);
		assert_true(test_runtime->state.ports[0].index < 2);
	}
}

static void read_socket(const char *name, struct stat *found)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/s/%s.sock", test_folder, name);
	assert_int_equal(lstat(path, found), 0);
	assert_true(S_ISSOCK(found->st_mode));
}

static void remove_socket(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/s/%s.sock", test_folder, name);
	assert_int_equal(unlink(path), 0);
}

#define ONE(words) NETWORKS "ports: { a: { type: vhost-user, network: blue" words " } }"

/* Without a change of the model, too; the port itself stays. */
static void test_a_removed_socket_comes_back(void **state)
{
	const struct port *before;
	char path[128];
	struct error error;

	must_apply(ONE(""));
	before = test_entry("a")->port;
	remove_socket("a");
	must_apply(ONE(""));
	assert_true(has_socket("a"));
	assert_ptr_equal(test_entry("a")->port, before);
	/* Somebody else's file in its place is left alone, and keeps nothing else from being
	 * changed. */
	remove_socket("a");
	snprintf(path, sizeof(path), "%s/s/a.sock", test_folder);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	must_apply(ONE(", flood-limit: 7"));
	assert_ptr_equal(test_entry("a")->port, before);
	assert_true(apply(ONE(", socket-mode: '0600'"), &error) < 0);
	assert_non_null(strstr(error.text, "ports.a.socket: "));
	assert_non_null(strstr(error.text, "exists and is not a socket"));
	assert_int_equal(unlink(path), 0);
	must_apply(ONE(""));
	assert_true(has_socket("a"));
	/* The whole test_folder, too. */
	remove_socket("a");
	snprintf(path, sizeof(path), "%s/s", test_folder);
	assert_int_equal(rmdir(path), 0);
	must_apply(ONE(""));
	assert_true(has_socket("a"));
	assert_ptr_equal(test_entry("a")->port, before);
}

/* One whose path was taken from it before a change that would open it anew stays in the model, and
 * listens when it can. */
static void test_a_port_without_its_socket_stays(void **state)
{
	struct port_status status;
	const struct port *before;
	char path[128];
	struct error error;

	must_apply(ONE(", mac: '52:54:00:00:00:01'"));
	remove_socket("a");
	snprintf(path, sizeof(path), "%s/s/a.sock", test_folder);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_true(apply(ONE(", queues: 2"), &error) < 0);
	assert_non_null(strstr(error.text, "exists and is not a socket"));
	assert_int_equal(test_runtime->state.model.port_count, 1);
	assert_int_equal(fdb_count(test_runtime->fdb), 1);
	before = test_entry("a")->port;
	port_kind_vhost_user.status(before, &status);
	assert_string_equal(status.state, "down");
	assert_false(status.connected);
	assert_non_null(strstr(status.problem, "exists and is not a socket"));
	/* It holds up no other change, */
	must_apply(ONE(", flood-limit: 7"));
	assert_ptr_equal(test_entry("a")->port, before);
	/* and the next one tries again, without waiting for a timer. */
	assert_int_equal(unlink(path), 0);
	must_apply(ONE(""));
	assert_true(has_socket("a"));
	assert_ptr_equal(test_entry("a")->port, before);
	port_kind_vhost_user.status(before, &status);
	assert_null(status.problem);
}

/* Applied to the running port; a change that fails as a whole is taken back. */
static void test_access_changes_live(void **state)
{
	const struct port *before;
	struct stat found;
	struct error error;
	gid_t made;

	must_apply(ONE(""));
	before = test_entry("a")->port;
	read_socket("a", &found);
	made = found.st_gid;
	assert_int_equal(found.st_mode & 07777, 0660);
	must_apply(ONE(", socket-mode: '0606'"));
	read_socket("a", &found);
	assert_int_equal(found.st_mode & 07777, 0606);
	if (geteuid() == 0) {
		must_apply(ONE(", owner: nobody, group: daemon"));
		read_socket("a", &found);
		assert_int_equal(found.st_uid, getpwnam("nobody")->pw_uid);
		assert_int_equal(found.st_gid, getgrnam("daemon")->gr_gid);
		assert_int_equal(found.st_mode & 07777, 0660);
	}
	/* c's folder does not exist: nothing of it holds. */
	assert_true(apply(NETWORKS "ports: { a: { type: vhost-user, network: blue, "
				   "socket-mode: '0600' }, b: { type: vhost-user, network: blue, "
				   "socket: /nonexistent/b.sock } }",
			    &error) < 0);
	must_apply(ONE(""));
	read_socket("a", &found);
	assert_int_equal(found.st_mode & 07777, 0660);
	assert_int_equal(found.st_uid, geteuid());
	assert_int_equal(found.st_gid, made);
	assert_ptr_equal(test_entry("a")->port, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_what_stays_is_not_touched, test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(
			test_a_failure_changes_nothing, test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(
			test_socket_changes_hands, test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(
			test_static_addresses_follow, test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(test_learned_addresses_go_with_their_port,
			test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(
			test_restart_is_refused, test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(
			test_no_ports_must_be_forced, test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(
			test_folder_that_cannot_be_made, test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(
			test_a_removed_socket_comes_back, test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(test_a_port_without_its_socket_stays,
			test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(
			test_access_changes_live, test_apply_setup, test_apply_teardown),
		cmocka_unit_test_setup_teardown(
			test_indices_are_used_again, test_apply_setup, test_apply_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
