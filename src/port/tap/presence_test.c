/* SPDX-License-Identifier: BSD-3-Clause */
/* What becomes of a TAP port when its interface is renamed, moved, replaced or held by another
 * program, and which interfaces it refuses. */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "port/tap/test_tap.h"

static enum tap_port_state look(const char **words)
{
	static struct tap_port_status status;

	event_base_loop(base, EVLOOP_NONBLOCK);
	tap_port_status(port, &status);
	*words = status.problem ? status.problem : "";
	return status.state;
}

static void test_renamed(void **state)
{
	const char *words;

	open_port(1, false);
	assert_int_equal(look(&words), TAP_PORT_RUNNING);
	shell("ip link set " NAME " down && ip link set " NAME " name " OTHER);
	assert_int_equal(look(&words), TAP_PORT_AWAY);
	assert_string_equal(words, "interface " NAME " was renamed to " OTHER);
	assert_int_equal(receive(0), 0);
	clear_batch();
	stage(0, (uint8_t *)(uintptr_t)ethernet, sizeof(ethernet), 100);
	port->class->send(port, batch, 1);
	assert_int_equal(dropped(DROP_RECEIVER_NOT_READY), 1);
	shell("ip link set " OTHER " name " NAME " && ip link set " NAME " up");
	assert_int_equal(look(&words), TAP_PORT_RUNNING);
	assert_string_equal(words, "");
	settle();
}

static void test_replaced(void **state)
{
	const char *words;

	open_port(1, false);
	shell("ip link del " NAME);
	assert_int_equal(look(&words), TAP_PORT_AWAY);
	assert_string_equal(words, "interface " NAME " was deleted");
	shell("ip link add " NAME " type bridge");
	assert_int_equal(look(&words), TAP_PORT_AWAY);
	assert_string_equal(
		words, "interface " NAME " exists and is no TAP but of the kind bridge");
	shell("ip link del " NAME " && ip tuntap add " NAME " mode tap");
	assert_int_equal(look(&words), TAP_PORT_RUNNING);
	settle();
	shell("ip link del " NAME);
	assert_int_equal(look(&words), TAP_PORT_AWAY);
}

static void test_moved(void **state)
{
	const char *words;
	pid_t child;
	char command[256];

	open_port(1, false);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0)
			_exit(1);
		pause();
	}
	/* Until the child is in its namespace, the move leads nowhere. */
	snprintf(command, sizeof(command),
		"until [ $(readlink /proc/self/ns/net) != $(readlink /proc/%d/ns/net) ]; do "
		"sleep 0.01; done; ip link set %s netns %d",
		child, NAME, child);
	shell(command);
	assert_int_equal(look(&words), TAP_PORT_AWAY);
	assert_string_equal(words, "interface " NAME " was moved to another network namespace");
	snprintf(command, sizeof(command), "nsenter -t %d -n ip link set %s netns %d", child, NAME,
		getpid());
	shell(command);
	shell("ip link set " NAME " up");
	kill(child, SIGKILL);
	assert_int_equal(look(&words), TAP_PORT_RUNNING);
	settle();
}

static void refuse(const struct host_tap *wanted, const char *words)
{
	struct error error = {""};

	assert_null(tap_port_new(
		base, NULL, "p", 0, wanted, TAP_PORT_VHOST_AUTO, TAP_PORT_ALL, NULL, &error));
	assert_string_equal(error.text, words);
}

static void test_refused(void **state)
{
	struct host_tap wanted = settings(1);

	shell("ip link add " NAME " type bridge");
	refuse(&wanted, "interface " NAME " exists and is no TAP but of the kind bridge");
	shell("ip link del " NAME " && ip tuntap add " NAME " mode tun");
	refuse(&wanted, "interface " NAME " exists and is no TAP but of the kind tun");
	shell("ip link del " NAME " && ip tuntap add " NAME " mode tap");
	wanted.queues = 2;
	refuse(&wanted, "TAP " NAME " exists and was made for one queue, not 2: where it is "
			"deleted (ip link del " NAME ") it is made anew");
	shell("ip link del " NAME);
	strcpy(wanted.name, "a/b");
	refuse(&wanted, "'a/b' is not the name of an interface");
	strcpy(wanted.name, "tap%d");
	refuse(&wanted, "'tap%d' is not the name of an interface");
	strcpy(wanted.name, NAME);
	strcpy(wanted.netns, "no-such");
	refuse(&wanted, "cannot open network namespace /run/netns/no-such: No such file or "
			"directory");
	strcpy(wanted.netns, "/dev/null");
	refuse(&wanted, "/dev/null is no network namespace");
	*wanted.netns = '\0';
	wanted.queues = 2;
	port = tap_port_new(
		base, NULL, "p", 0, &wanted, TAP_PORT_VHOST_AUTO, TAP_PORT_ALL, NULL, NULL);
	assert_non_null(port);
	refuse(&wanted, "another program has TAP " NAME);
}

/* Until the port is in this state, with these words; the loop runs meanwhile. */
static void wait_for(enum tap_port_state state, const char *words)
{
	const char *now;

	for (unsigned i = 0; i < 1000; i++, usleep(10000))
		if (look(&now) == state && strcmp(now, words) == 0)
			return;
	fail_msg("'%s' instead of '%s'", now, words);
}

/* A process that has the interface until it is killed. */
static pid_t hold(void)
{
	struct ifreq request = {.ifr_name = NAME, .ifr_flags = IFF_TAP | IFF_NO_PI};
	int ready[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ioctl(fd, TUNSETIFF, &request) < 0 || write(ready[1], "!", 1) != 1)
			_exit(1);
		pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

/* It is tried for by a timer, however many news there are, and had when the other lets go. */
static void test_held_by_another(void **state)
{
	const char *words;
	pid_t child;

	open_port(1, false);
	shell("ip link del " NAME " && ip tuntap add " NAME " mode tap");
	child = hold();
	for (unsigned i = 0; i < 30; i++) {
		shell("ip link set " NAME " txqueuelen 100 && ip link set " NAME " txqueuelen 101");
		assert_int_equal(look(&words), TAP_PORT_AWAY);
	}
	/* Without the timer each of them would have been an attempt. */
	assert_in_range(tap_port(port)->retry_ms, 50, 1600);
	wait_for(TAP_PORT_AWAY,
		"cannot attach to TAP " NAME ": Device or resource busy (another program has it)");
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	wait_for(TAP_PORT_RUNNING, "");
	settle();
	shell("ip link del " NAME);
}

/* Nobody without the privilege joins the queues of one that has several. */
static void test_owned(void **state)
{
	struct ifreq request = {.ifr_name = NAME,
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
	int status;
	pid_t child;

	open_port(2, false);
	child = fork();
	if (child == 0) {
		int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

		if (fd < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		_exit(ioctl(fd, TUNSETIFF, &request) < 0 && errno == EPERM ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* There is another at once; where there cannot be, it is said, frames pass, and a timer tries. */
static void test_watch_fails(void **state)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct rlimit limit;
	const char *words;
	rlim_t before;

	open_port(1, false);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(look(&words), TAP_PORT_RUNNING);
		assert_true(dup2(nothing, tap_port(port)->interface.watch) >= 0);
		event_active(tap_port(port)->interface.changed, EV_READ, 0);
		limit.rlim_cur = i ? 3 : before; /* no descriptor more */
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		assert_int_equal(look(&words), TAP_PORT_RUNNING);
		assert_string_equal(
			words, i ? "its interface is not watched: cannot open a netlink "
				   "socket: Too many open files"
				 : "");
		limit.rlim_cur = before;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		settle();
		wait_for(TAP_PORT_RUNNING, "");
		shell("ip link set " NAME " name " OTHER);
		wait_for(TAP_PORT_AWAY, "interface " NAME " was renamed to " OTHER);
		shell("ip link set " OTHER " name " NAME);
		wait_for(TAP_PORT_RUNNING, "");
	}
	close(nothing);
}

/* A port that was there before a change that failed is there after it, whatever it finds. */
static void test_restored(void **state)
{
	struct host_tap wanted = settings(1);
	struct error error;

	shell("ip link add " NAME " type bridge");
	port = tap_port_new(
		base, NULL, "p", 0, &wanted, TAP_PORT_VHOST_AUTO, TAP_PORT_RESTORED, NULL, &error);
	assert_non_null(port);
	wait_for(TAP_PORT_AWAY, "interface " NAME " exists and is no TAP but of the kind bridge");
	assert_int_equal(receive(0), 0);
	shell("ip link del " NAME);
	wait_for(TAP_PORT_RUNNING, "");
	settle();
	port->class->destroy(port);
	strcpy(wanted.netns, "no-such");
	port = tap_port_new(
		base, NULL, "p", 0, &wanted, TAP_PORT_VHOST_AUTO, TAP_PORT_RESTORED, NULL, &error);
	wait_for(TAP_PORT_AWAY, "cannot find network namespace /run/netns/no-such: No such file or "
				"directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_renamed),
		CASE(test_replaced),
		CASE(test_moved),
		CASE(test_refused),
		CASE(test_held_by_another),
		CASE(test_owned),
		CASE(test_watch_fails),
		CASE(test_restored),
	};

	if (access("/dev/net/tun", R_OK | W_OK) < 0 || unshare(CLONE_NEWNET) < 0) {
		printf("skipped: it takes root and /dev/net/tun: %s\n", strerror(errno));
		return 77;
	}
	/* Nobody but the test sends. */
	shell("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
	return cmocka_run_group_tests_name("TAP port: interface", tests, NULL, NULL);
}
