/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket: JSON-RPC's rules, every method's answer, and clients that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "control/apply.h"
#include "control/rpc/aliases.h"
#include "control/rpc/rpc.h"
#include "control/yaml/config.h"

static char folder[] = "/tmp/rpc_test.XXXXXX";
static char path[64];
static struct event_base *base;
static struct runtime *runtime;
static struct rpc *rpc;

static int setup(void **state)
{
	struct config_errors errors;
	struct model model;
	struct error error;
	char text[512];

	log_set_level(LOG_LEVEL_ERROR);
	strcpy(folder, "/tmp/rpc_test.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", folder);
	snprintf(text, sizeof(text),
		"switch: { socket-dir: %s, workers: 1 }\n"
		"networks: { blue: { vlan: 10 }, plain: {} }\n"
		"ports:\n  a: { type: vhost-user, network: blue, mac: 52:54:00:00:00:01 }\n"
		"  t: { type: vhost-user, trunk: [blue], native: plain, queues: 2, "
		"owner: %s,\n       group: %s, socket-mode: '0600', memory-limit-gib: 3 }\n",
		folder, getpwuid(geteuid())->pw_name, getgrgid(getegid())->gr_name);
	if (config_parse("f.yaml", text, strlen(text), &model, &errors) < 0)
		return -1;
	base = event_base_new();
	runtime = runtime_new(base, &model.settings, &error);
	if (!runtime || runtime_apply(runtime, &model, "f.yaml", APPLY_SAFELY, &error) < 0)
		return -1;
	rpc = rpc_new(base, runtime, RPC_FULL, path, "", &error);
	return rpc ? 0 : -1;
}

static int teardown(void **state)
{
	rpc_free(rpc);
	runtime_free(runtime);
	event_base_free(base);
	return rmdir(folder); /* fails where a socket is left */
}

#define PASSING                                                                                    \
	",\"stp\":\"pass\",\"lldp\":\"drop\",\"lacp\":\"drop\",\"dot1x\":\"drop\",\"loops\":"      \
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
		"unknown key (known here: switch, networks, ports)\",\"data\":[\"g:1: x: unknown "
		"key (known here: switch, networks, ports)\"]}}\n"},
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
		char *reply = rpc_answer(
			runtime, RPC_FULL, exchanges[i].request, strlen(exchanges[i].request));

		if (exchanges[i].reply)
			assert_string_equal(reply, exchanges[i].reply);
		else
			assert_null(reply);
		free(reply);
	}
}

static const char *const changing[] = {
	"worker.reset", "port.reset", "log.level", "config.diff", "config.apply", NULL};

/* A read-only client is served everything else. */
static void test_read_only(void **state)
{
	static const char *const all[] = {"show", "port.show", "network.show", "fdb.show",
		"worker.show", "worker.reset", "port.reset", "log.show", "log.level", "drops",
		"config.show", "config.diff", "config.apply", NULL};

	for (unsigned i = 0; all[i]; i++) {
		char request[256];
		bool changes = false;
		char *reply;

		for (unsigned k = 0; changing[k]; k++)
			changes |= strcmp(changing[k], all[i]) == 0;
		snprintf(request, sizeof(request),
			"{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"id\":1}", all[i]);
		reply = rpc_answer(runtime, RPC_READ_ONLY, request, strlen(request));
		assert_int_equal(strstr(reply, "this control socket only shows") != NULL, changes);
		assert_int_equal(strstr(reply, "\"result\"") == NULL, changes);
		free(reply);
	}
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
			text = rpc_answer(runtime, RPC_FULL, line, strlen(line));
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

/* params: JSON. */
static json_t *ask_with(const char *method, const char *params)
{
	char request[256];
	json_t *reply, *result;
	char *text;

	snprintf(request, sizeof(request),
		"{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s,\"id\":1}", method, params);
	text = rpc_answer(runtime, RPC_FULL, request, strlen(request));
	reply = json_loads(text, 0, NULL);
	result = json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	free(text);
	return result;
}

static json_t *ask(const char *method)
{
	return ask_with(method, "{}");
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
		cmocka_unit_test(test_errors_are_valid),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_spelling),
		cmocka_unit_test(test_port_limits),
		cmocka_unit_test(test_queue_figures),
		cmocka_unit_test(test_reset_of_ports),
		cmocka_unit_test(test_log_level),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_too_many_clients),
		cmocka_unit_test(test_idle_clients_make_room),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_endless_request),
		cmocka_unit_test(test_second_daemon_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
