/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions to the kernel where others send to the socket, or change what is listed. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "host/link.h"
#include "host/netlink.h"

/* What root of the namespace may send: that the question was refused. */
static void forge(const struct netlink *netlink)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr body;
	} answer = {
		.header = {.nlmsg_len = sizeof(answer),
			.nlmsg_type = NLMSG_ERROR,
			.nlmsg_seq = 1,
			.nlmsg_pid = mnl_socket_get_portid(netlink->socket)},
		.body = {.error = -EPERM},
	};
	struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = answer.header.nlmsg_pid};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, &answer, sizeof(answer), 0, (struct sockaddr *)&to, sizeof(to)),
		sizeof(answer));
	fd_close(&fd);
}

static void test_only_the_kernel_answers(void **state)
{
	struct ifinfomsg header = {.ifi_index = 1};
	struct nlmsghdr *question;
	struct netlink netlink;

	assert_int_equal(netlink_open(&netlink), 0);
	forge(&netlink);
	forge(&netlink);
	question = netlink_begin(&netlink, RTM_GETLINK, 0);
	memcpy(mnl_nlmsg_put_extra_header(question, sizeof(header)), &header, sizeof(header));
	assert_int_equal(netlink_ask(&netlink, question, NULL, NULL), 0);
	netlink_close(&netlink);
}

static void test_nobody_answers(void **state)
{
	uint64_t start = clock_now_ns();
	struct netlink netlink;
	char buffer[64];
	int fd;

	assert_int_equal(netlink_open(&netlink), 0);
	fd = mnl_socket_get_fd(netlink.socket);
	assert_int_equal(netlink_receive(fd, buffer, sizeof(buffer)), -ETIMEDOUT);
	assert_true(clock_now_ns() - start >= NS_PER_SECOND);
	netlink_close(&netlink);
}

/* Addresses come and go while they are listed. */
static void test_a_list_is_asked_for_again(void **state)
{
	unsigned index = if_nametoindex("lo");
	struct link_address address;
	pid_t child;

	assert_int_equal(system("for i in $(seq 250); do echo address add 198.51.100.$i/32 dev lo; "
				"done | ip -batch -"),
		0);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c",
			"while :; do for i in $(seq 500); do echo address add 203.0.113.1/32 dev "
			"lo; echo address del 203.0.113.1/32 dev lo; done | ip -batch -; done",
			NULL);
		_exit(1);
	}
	for (unsigned i = 0; i < 400; i++) {
		int count = link_addresses(index, &address, 1);

		if (count < 250 || count > 251)
			fail_msg("round %u: %d", i, count);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_kernel_answers),
		cmocka_unit_test(test_nobody_answers),
		cmocka_unit_test(test_a_list_is_asked_for_again),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: it takes root: %s\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
