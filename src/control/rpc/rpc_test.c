/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket: JSON-RPC's rules, what is refused and logged, and clients that misbehave. */
#include "control/rpc/test_switch.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char path[64];
static struct rpc *rpc;

static int setup(void **state)
{
	struct error error;

	if (begin_switch() < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", folder);
	rpc = rpc_new(base, runtime, RPC_FULL, path, "", &error);
	return rpc ? 0 : -1;
}

static int teardown(void **state)
{
	rpc_free(rpc);
	return end_switch();
}

#define PASSING                                                                                    \
	",\"subnet\":null,\"gateway\":null,\"subnet6\":null,\"gateway6\":null,\"mtu\":null,"       \
	"\"domain\":\"internal\",\"dhcp\":null,\"ra\":null,\"stp\":\"pass\",\"lldp\":\"drop\","    \
	"\"lacp\":"                                                                                \
	"\"drop\",\"dot1x\":"                                                                      \
	"\"drop\",\"loops\":"                                                                      \
	"\"hold\""
#define HELD ",\"held\":[],\"802.1x\":\"drop\""

static const struct {
	const char *request;
	const char *reply; /* whole; NULL: none */
} exchanges[] = {
	{"{", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":"
	      "\"string or '}' expected near end of file\"}}\n"},
	{"[]", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"
	       "\"not a JSON-RPC 2.0 request\"}}\n"},
	{"{\"method\":\"show\",\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":"
		"\"not a JSON-RPC 2.0 request\"}}\n"},
	{"{\"jsonrpc\":\"2.0\",\"method\":5,\"id\":\"x\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"error\":{\"code\":-32600,\"message\":"
		"\"not a JSON-RPC 2.0 request\"}}\n"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"no.such\",\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":"
		"\"no such method\"}}\n"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"show\",\"params\":[],\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":"
		"\"params must be an object\"}}\n"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"config.apply\",\"params\":{},\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"params "
		"must "
		"be {\\\"file\\\": NAME, \\\"text\\\": YAML}\"}}\n"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"port.show\",\"params\":{\"name\":\"x\"},\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":"
		"\"no port 'x'\"}}\n"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"config.diff\",\"params\":{\"file\":\"g\",\"text\":"
	 "\"x: 1\"},\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"g:1: x: "
		"unknown key (known here: switch, networks, ports, routers)\",\"data\":[\"g:1: x: "
		"unknown "
		"key (known here: switch, networks, ports, routers)\"]}}\n"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"worker.reset\",\"id\":null}",
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":true}\n"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"worker.reset\"}", NULL},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"network.show\",\"id\":7}",
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[{\"name\":\"blue\",\"vlan\":10" PASSING
		",\"ports\":[\"a\",\"t\"]" HELD "},{\"name\":\"plain\",\"vlan\":null" PASSING
		",\"ports\":[\"t\"]" HELD "}]}"
		"\n"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"fdb.show\",\"id\":7}",
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[{\"mac\":\"52:54:00:00:00:01\","
		"\"network\":\"blue\",\"port\":\"a\",\"age\":0,\"static\":true}]}\n"},
};

static void test_exchanges(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(exchanges); i++) {
		char *reply = rpc_answer(runtime, RPC_FULL, NULL, exchanges[i].request,
			strlen(exchanges[i].request));

		if (exchanges[i].reply)
			assert_string_equal(reply, exchanges[i].reply);
		else
			assert_null(reply);
		free(reply);
	}
}

static const char *const changing[] = {"worker.reset", "port.reset", "fdb.flush", "fdb.del",
	"log.level", "config.diff", "config.apply", NULL};

/* A read-only client is served everything else. */
static void test_read_only(void **state)
{
	static const char *const all[] = {"show", "port.show", "network.show", "fdb.show",
		"worker.show", "worker.reset", "port.reset", "fdb.flush", "fdb.del", "log.show",
		"log.level", "drops", "config.show", "config.diff", "config.apply", NULL};

	for (unsigned i = 0; all[i]; i++) {
		char request[256];
		bool changes = false;
		char *reply;

		for (unsigned k = 0; changing[k]; k++)
			changes |= strcmp(changing[k], all[i]) == 0;
		snprintf(request, sizeof(request),
			"{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"id\":1}", all[i]);
		reply = rpc_answer(runtime, RPC_READ_ONLY, NULL, request, strlen(request));
		assert_int_equal(strstr(reply, "this control socket only shows") != NULL, changes);
		assert_int_equal(strstr(reply, "\"result\"") == NULL, changes);
		free(reply);
	}
}

/* How many lines the log has of this many refusals. */
static unsigned lines_of_refusals(struct log_limit *limit, unsigned count)
{
	static const char request[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"config.edit\",\"params\":{"
		"\"object\":\"port\",\"verb\":\"del\",\"name\":\"x\"},\"id\":1}";
	static const char line[] = "control: refused: config.edit del port x: no port 'x'\n";
	char text[65536];
	unsigned lines = 0;
	FILE *log = tmpfile();
	size_t length;

	assert_non_null(log);
	log_set_output(fileno(log));
	log_set_level(LOG_LEVEL_INFO);
	for (unsigned i = 0; i < count; i++)
		free(rpc_answer(runtime, RPC_FULL, limit, request, strlen(request)));
	log_set_level(LOG_LEVEL_ERROR);
	log_set_output(STDERR_FILENO);
	rewind(log);
	length = fread(text, 1, sizeof(text) - 1, log);
	text[length] = '\0';
	for (const char *at = text; (at = strstr(at, line)); at++)
		lines++;
	fclose(log);
	return lines;
}

/* Each change that the administrator is refused is in the log; of somebody else's some. */
static void test_refusals_are_logged(void **state)
{
	struct log_limit limit = {0};

	assert_int_equal(lines_of_refusals(NULL, 100), 100);
	assert_true(lines_of_refusals(&limit, 100) >= LOG_LIMIT_BURST);
	assert_in_range(limit.held, 1, 100 - LOG_LIMIT_BURST);
}

/* Texts of up to a screen, cut at every byte of a character of three: each has an error to show. */
static void test_errors_are_valid(void **state)
{
	for (unsigned shift = 0; shift < 6; shift++) {
		json_t *request, *reply;
		char name[512] = "";
		char *line, *text;

		memset(name, 'x', shift);
		for (unsigned i = 0; i < 100; i++)
			strcat(name, "\xe2\x82\xac");
		for (unsigned method = 0; method < 2; method++) {
			char yaml[1024];

			snprintf(yaml, sizeof(yaml), "ports: { a: { mac: \"%s\" } }", name);
			request = method ? json_pack("{s:s, s:i, s:s, s:{s:s}}", "jsonrpc", "2.0",
						   "id", 1, "method", "port.show", "params", "name",
						   name)
					 : json_pack("{s:s, s:i, s:s, s:{s:s, s:s}}", "jsonrpc",
						   "2.0", "id", 1, "method", "config.diff",
						   "params", "file", name, "text", yaml);
			line = json_dumps(request, 0);
			text = rpc_answer(runtime, RPC_FULL, NULL, line, strlen(line));
			reply = json_loads(text, 0, NULL);
			assert_true(json_is_string(
				json_object_get(json_object_get(reply, "error"), "message")));
			assert_int_equal(json_array_size(json_object_get(
						 json_object_get(reply, "error"), "data")) > 0,
				!method);
			json_decref(reply);
			json_decref(request);
			free(text);
			free(line);
		}
	}
}

static int dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return fd;
}

/* Turns the event loop until the daemon has sent something or hung up; what recv() says. */
static ssize_t await(int fd, char *buffer, size_t size)
{
	for (unsigned i = 0; i < 1000; i++) {
		ssize_t n = recv(fd, buffer, size, 0);

		if (n >= 0 || errno != EAGAIN)
			return n;
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	fail_msg("nothing came");
	return -1;
}

static const char reset[] = "{\"jsonrpc\":\"2.0\",\"method\":\"worker.reset\",\"id\":1}\n";

static void test_socket(void **state)
{
	char buffer[4096];
	struct stat file;
	int fd = dial();

	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 07777, 0660);
	/* A request in two pieces, then two in one, then no more: the answers still come. */
	assert_int_equal(send(fd, reset, 10, 0), 10);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(send(fd, reset + 10, strlen(reset) - 10, 0), strlen(reset) - 10);
	assert_true(await(fd, buffer, sizeof(buffer)) > 0);
	assert_int_equal(send(fd, reset, strlen(reset), 0), strlen(reset));
	assert_int_equal(send(fd, reset, strlen(reset), 0), strlen(reset));
	shutdown(fd, SHUT_WR);
	for (unsigned lines = 0; lines < 2;) {
		ssize_t n = await(fd, buffer, sizeof(buffer));

		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			lines += buffer[i] == '\n';
	}
	assert_int_equal(await(fd, buffer, sizeof(buffer)), 0);
	close(fd);
}

static void test_too_many_clients(void **state)
{
	int clients[RPC_CLIENT_MAX + 1];
	char buffer[4096];

	for (unsigned i = 0; i <= RPC_CLIENT_MAX; i++)
		clients[i] = dial();
	assert_int_equal(await(clients[RPC_CLIENT_MAX], buffer, sizeof(buffer)), 0);
	/* One goes, and there is room for another. */
	close(clients[0]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	clients[0] = dial();
	assert_int_equal(send(clients[0], reset, strlen(reset), 0), strlen(reset));
	assert_true(await(clients[0], buffer, sizeof(buffer)) > 0);
	for (unsigned i = 0; i <= RPC_CLIENT_MAX; i++)
		close(clients[i]);
}

/* All places are taken and idle: the one that was idle longest makes room, but not at once. */
static void test_idle_clients_make_room(void **state)
{
	int clients[RPC_CLIENT_MAX];
	char buffer[4096];
	int late;

	for (unsigned i = 0; i < RPC_CLIENT_MAX; i++)
		clients[i] = dial();
	sleep(RPC_GRACE_SECONDS);
	usleep(100000);
	/* The first one is not idle: it has just been answered. */
	assert_int_equal(send(clients[0], reset, strlen(reset), 0), strlen(reset));
	assert_true(await(clients[0], buffer, sizeof(buffer)) > 0);
	late = dial();
	assert_int_equal(send(late, reset, strlen(reset), 0), strlen(reset));
	assert_true(await(late, buffer, sizeof(buffer)) > 0);
	assert_int_equal(await(clients[1], buffer, sizeof(buffer)), 0);
	assert_int_equal(recv(clients[0], buffer, sizeof(buffer), 0), -1);
	assert_int_equal(recv(clients[2], buffer, sizeof(buffer), 0), -1);
	close(late);
	for (unsigned i = 0; i < RPC_CLIENT_MAX; i++)
		close(clients[i]);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* A folder in which others could replace the socket, and what the folder's group would give. */
static void test_folders(void **state)
{
	char inside[128];
	struct error error;
	struct stat made;
	struct rpc *other;

	snprintf(inside, sizeof(inside), "%s/open/deeper/control.sock", folder);
	inside[strlen(folder) + strlen("/open")] = '\0';
	assert_int_equal(mkdir(inside, 0777), 0);
	assert_int_equal(chmod(inside, 02777), 0);
	inside[strlen(folder) + strlen("/open")] = '/';
	assert_null(rpc_new(base, runtime, RPC_FULL, inside, "", &error));
	assert_non_null(strstr(error.text, "may be written by everybody"));
	inside[strlen(folder) + strlen("/open")] = '\0';
	if (geteuid() == 0)
		assert_int_equal(chown(inside, 0, 65534), 0);
	assert_int_equal(chmod(inside, 02755), 0);
	inside[strlen(folder) + strlen("/open")] = '/';
	other = rpc_new(base, runtime, RPC_FULL, inside, "", &error);
	assert_non_null(other);
	assert_int_equal(stat(inside, &made), 0);
	assert_int_equal(made.st_gid, getegid());
	rpc_free(other);
	*strrchr(inside, '/') = '\0';
	assert_int_equal(stat(inside, &made), 0);
	assert_int_equal(made.st_gid, getegid());
	assert_int_equal(made.st_mode & 07777, 0755);
	assert_int_equal(rmdir(inside), 0);
	*strrchr(inside, '/') = '\0';
	assert_int_equal(rmdir(inside), 0);
}

static void test_endless_request(void **state)
{
	char buffer[65536];
	size_t sent = 0;
	int fd = dial();
	ssize_t n;

	memset(buffer, 'x', sizeof(buffer));
	for (unsigned i = 0; i < 100000; i++) {
		n = send(fd, buffer, sizeof(buffer), MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			break;
		sent += n > 0 ? (size_t)n : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(errno, EPIPE);
	assert_true(sent >= RPC_LINE_MAX && sent < 2 * RPC_LINE_MAX);
	close(fd);
}

static void test_second_daemon_is_refused(void **state)
{
	struct error error;

	assert_null(rpc_new(base, runtime, RPC_FULL, path, "", &error));
	assert_non_null(strstr(error.text, path));
	assert_int_equal(access(path, F_OK), 0);
	assert_null(rpc_new(base, runtime, RPC_FULL, "/tmp", "", &error));
	assert_null(rpc_new(base, runtime, RPC_FULL, "/nonexistent/above/it/x.sock", "", &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchanges),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_refusals_are_logged),
		cmocka_unit_test(test_errors_are_valid),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_too_many_clients),
		cmocka_unit_test(test_idle_clients_make_room),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_endless_request),
		cmocka_unit_test(test_second_daemon_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
