/* SPDX-License-Identifier: BSD-3-Clause */
/* The packet port against the kernel: what becomes of its interface. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"
#include "port/packet/test_wire.h"

/* The kernel tells of a carrier a moment later. */
static void expect_state(enum packet_port_state state, const char *words)
{
	struct packet_port_status status;

	for (unsigned tries = 0;; tries++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		packet_port_status(port, &status);
		if (status.state == state || tries == 5000)
			break;
		usleep(1000);
	}
	assert_int_equal(status.state, state);
	assert_string_equal(status.problem ? status.problem : "", words);
}

static void test_away_and_back(void **state)
{
	uint64_t before;

	wire_open_usual();
	expect_state(PACKET_PORT_RUNNING, "");
	wire_settle();
	wire_shell("ip link set " NAME " down && ip link set " NAME " name " OTHER);
	expect_state(PACKET_PORT_AWAY, "interface " NAME " was renamed to " OTHER);
	assert_int_equal(wire_receive(), 0);
	before = wire_dropped(DROP_RECEIVER_NOT_READY);
	wire_clear_batch();
	wire_stage(0, (uint8_t *)(uintptr_t)ethernet, sizeof(ethernet), 100);
	port->class->send(port, batch, 1);
	assert_int_equal(wire_dropped(DROP_RECEIVER_NOT_READY), before + 1);
	batch->flooded = 1;
	port->class->send(port, batch, 1);
	batch->flooded = 0;
	assert_int_equal(wire_dropped(DROP_RECEIVER_NOT_READY), before + 1);
	assert_int_equal(wire_dropped(DROP_FLOODED_NOT_READY), 1);
	wire_shell("ip link set " OTHER " name " NAME);
	expect_state(PACKET_PORT_RUNNING, "");
	wire_settle();
	wire_shell("ip link set " PEER " down");
	expect_state(PACKET_PORT_NO_CARRIER, "interface " NAME " has no carrier");
	wire_shell("ip link set " PEER " up");
	expect_state(PACKET_PORT_RUNNING, "");
	wire_settle();
	wire_shell("ip link set " NAME " down");
	expect_state(PACKET_PORT_DOWN, "interface " NAME " is not up");
	wire_shell("ip link set " NAME " up");
	expect_state(PACKET_PORT_RUNNING, "");
	wire_settle();
	wire_shell("ip link del " NAME);
	expect_state(PACKET_PORT_AWAY,
		"interface " NAME " was deleted, or moved to another network namespace");
	wire_shell("ip link add " NAME " type veth peer name " PEER " && ip link set " PEER " up");
	expect_state(PACKET_PORT_RUNNING, "");
	wire_settle();
}

/* For want of descriptors nobody knows: that is no reason to give the interface back. */
static void test_want_of_descriptors(void **state)
{
	struct packet_port_status status;
	struct rlimit limit, none;

	wire_open_usual();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	wire_shell("ip link set " NAME " mtu 1400");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	packet_port_status(port, &status);
	assert_int_equal(status.state, PACKET_PORT_RUNNING);
	assert_true(status.guarded);
	assert_int_equal(status.mtu, 1500);
	/* No other news come; it is looked at again. */
	for (unsigned tries = 0; status.mtu != 1400 && tries < 5000; tries++) {
		usleep(1000);
		event_base_loop(base, EVLOOP_NONBLOCK);
		packet_port_status(port, &status);
	}
	assert_int_equal(status.mtu, 1400);
	assert_int_equal(status.returns, 0);
	wire_settle();
}

/* A change that failed gives back what it had closed, the interface or not. */
static void test_restored(void **state)
{
	struct host_packet wanted = {.name = OTHER, .up = true};
	struct error error = {""};

	port = packet_port_new(base, NULL, "p", 0, &wanted, true, &error);
	if (!port)
		fail_msg("%s", error.text);
	expect_state(PACKET_PORT_AWAY, "there is no interface " OTHER);
	wire_shell("ip link set " NAME " name " OTHER);
	expect_state(PACKET_PORT_RUNNING, "");
	port->class->destroy(port);
	strcpy(wanted.netns, "/no/such");
	port = packet_port_new(base, NULL, "p", 0, &wanted, true, &error);
	assert_non_null(port);
	expect_state(PACKET_PORT_AWAY,
		"cannot find network namespace /no/such: No such file or directory");
	wire_shell("ip link set " OTHER " name " NAME);
}

/* However often it changes, the log ends with what is. */
static void test_the_last_line(void **state)
{
	static const char up[] = "interface " NAME " is up\n";
	char text[65536];
	int pipes[2];
	ssize_t length = 0;
	bool last = false;

	wire_open_usual();
	assert_int_equal(pipe2(pipes, O_NONBLOCK | O_CLOEXEC), 0);
	log_set_output(pipes[1]);
	for (unsigned i = 0; i < 2 * LOG_LIMIT_BURST; i++) {
		wire_shell("ip link set " NAME " down");
		expect_state(PACKET_PORT_DOWN, "interface " NAME " is not up");
		wire_shell("ip link set " NAME " up");
		expect_state(PACKET_PORT_RUNNING, "");
	}
	for (unsigned tries = 0; tries < 3000 && !last; tries++) {
		ssize_t more = read(pipes[0], text + length, sizeof(text) - 1 - (size_t)length);

		length += more > 0 ? more : 0;
		text[length] = '\0';
		/* On a slow machine the state may be said several times after lines were held. */
		last = strstr(text, "held back") && length > (ssize_t)strlen(up) &&
		       strcmp(text + length - strlen(up), up) == 0;
		usleep(1000);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	log_set_output(STDERR_FILENO);
	fd_close(&pipes[0]);
	fd_close(&pipes[1]);
	if (!last)
		fail_msg("%s", text);
}

/* Interfaces and addresses of the namespace come and go while the port looks who uses its own. */
static void test_open_meanwhile(void **state)
{
	const struct host_packet settings = {.name = NAME, .up = true};
	struct error error;
	pid_t child;

	wire_shell("for i in $(seq 250); do echo address add 198.51.100.$i/32 dev " PEER
		   "; done | ip -batch -");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c",
			"while :; do ip address add 203.0.113.1/32 dev " PEER
			"; ip address del 203.0.113.1/32 dev " PEER "; done",
			NULL);
		_exit(1);
	}
	for (unsigned i = 0; i < 40; i++) {
		port = packet_port_new(base, NULL, "p", 0, &settings, false, &error);
		if (!port)
			fail_msg("%s", error.text);
		port->class->destroy(port);
		port = NULL;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void refuse(const struct host_packet *wanted, const char *words)
{
	struct error error = {""};

	assert_null(packet_port_new(base, NULL, "p", 0, wanted, false, &error));
	assert_string_equal(error.text, words);
}

static void test_refused(void **state)
{
	struct host_packet wanted = {.name = NAME, .up = true};

	strcpy(wanted.name, "no-such");
	refuse(&wanted, "there is no interface no-such");
	strcpy(wanted.name, "lo");
	refuse(&wanted, "interface lo is no Ethernet");
	strcpy(wanted.name, NAME);
	strcpy(wanted.netns, "/dev/null");
	refuse(&wanted, "/dev/null is no network namespace");
	*wanted.netns = '\0';
	wire_shell("ip address add 192.0.2.1/24 dev " NAME);
	refuse(&wanted, "interface " NAME " has the address 192.0.2.1/24");
	wire_shell("ip address del 192.0.2.1/24 dev " NAME " && ip link add br7 type bridge && "
		   "ip link set " NAME " master br7");
	refuse(&wanted, "interface " NAME " is a member of br7");
	wanted.shared = true;
	port = packet_port_new(base, NULL, "p", 0, &wanted, false, NULL);
	assert_non_null(port);
	port->class->destroy(port);
	port = NULL;
	wanted.shared = false;
	wire_shell("ip link del br7 && ip link add link " NAME " name up7 type macvlan");
	refuse(&wanted, "interface " NAME " carries up7");
	wire_shell("ip link del up7");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, wire_set_up, wire_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_away_and_back),
		CASE(test_want_of_descriptors),
		CASE(test_restored),
		CASE(test_the_last_line),
		CASE(test_open_meanwhile),
		CASE(test_refused),
	};

	if (!wire_namespace())
		return 77;
	return cmocka_run_group_tests_name("packet port: interface", tests, NULL, NULL);
}
