/* SPDX-License-Identifier: BSD-3-Clause */
#include "nic/options.h"

#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <string.h>

#include "base/options.h"

const char nic_options_help[] =
	"usage: vsw-nic --socket PATH [--server] --tap NAME [OPTION...]\n"
	"\n"
	"A virtio NIC in user space: joins a vhost-user socket and a TAP interface, so that the\n"
	"TAP's network namespace takes part as a virtual machine would.\n"
	"\n"
	"  --socket PATH        vhost-user socket of the switch\n"
	"  --server             listen at PATH, and let the switch connect; default: connect to "
	"it\n"
	"  --tap NAME           TAP interface to create\n"
	"  --mac MAC            its address, xx:xx:xx:xx:xx:xx; default: the kernel chooses\n"
	"  --mtu N              its MTU, 68 to 65521 bytes; default 1500\n"
	"  --queues N           queue pairs, 1 to 128; default 1\n"
	"  --queue-size N       descriptors of a queue, a power of two up to 32768; default 1024\n"
	"  --no-mergeable       do not use mergeable receive buffers\n"
	"  --no-event-index     do not use the event index\n"
	"  --offload on|off     leave checksums and segmentation to each other; default on\n"
	"  --log-level LEVEL    error, warning, info (default) or debug\n"
	"  -V, --version        print the version\n"
	"  -h, --help           print this text\n";

enum option_key {
	OPTION_SOCKET = OPTION_KEY_FIRST,
	OPTION_SERVER,
	OPTION_TAP,
	OPTION_MAC,
	OPTION_MTU,
	OPTION_QUEUES,
	OPTION_QUEUE_SIZE,
	OPTION_NO_MERGEABLE,
	OPTION_NO_EVENT_INDEX,
	OPTION_OFFLOAD,
	OPTION_LOG_LEVEL,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"server", no_argument, NULL, OPTION_SERVER},
	{"tap", required_argument, NULL, OPTION_TAP},
	{"mac", required_argument, NULL, OPTION_MAC},
	{"mtu", required_argument, NULL, OPTION_MTU},
	{"queues", required_argument, NULL, OPTION_QUEUES},
	{"queue-size", required_argument, NULL, OPTION_QUEUE_SIZE},
	{"no-mergeable", no_argument, NULL, OPTION_NO_MERGEABLE},
	{"no-event-index", no_argument, NULL, OPTION_NO_EVENT_INDEX},
	{"offload", required_argument, NULL, OPTION_OFFLOAD},
	{"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static int parse_queues(struct nic_options *options, const char *text, struct error *error)
{
	uint64_t number;
	int status = option_number("queues", text, 1, DRIVER_QUEUES_MAX, &number, error);

	if (status == 0)
		options->queues = (unsigned)number;
	return status;
}

static int parse_queue_size(struct nic_options *options, const char *text, struct error *error)
{
	uint64_t number;
	int status = option_number(
		"queue-size", text, DRIVER_QUEUE_SIZE_MIN, DRIVER_QUEUE_SIZE_MAX, &number, error);

	if (status == 0)
		status = option_check_power_of_two("queue-size", number, error);
	if (status == 0)
		options->queue_size = (unsigned)number;
	return status;
}

static int parse_mtu(struct nic_options *options, const char *text, struct error *error)
{
	uint64_t number;
	int status = option_number("mtu", text, DRIVER_MTU_MIN, DRIVER_MTU_MAX, &number, error);

	if (status == 0)
		options->mtu = (uint16_t)number;
	return status;
}

static int parse_mac(struct nic_options *options, const char *text, struct error *error)
{
	if (!mac_parse(text, options->mac))
		return error_set(error, -EINVAL,
			"--mac: '%s' is not an address like 52:54:00:12:34:56", text);
	if (mac_is_multicast(options->mac) || mac_is_zero(options->mac))
		return error_set(
			error, -EINVAL, "--mac: %s cannot be the address of an interface", text);
	options->mac_given = true;
	return 0;
}

/* The kernel takes '%' for a pattern and makes up a name of its own: the user would have to
 * guess. */
static int parse_tap(struct nic_options *options, const char *text, struct error *error)
{
	size_t length = strlen(text);

	if (length == 0 || length >= IFNAMSIZ)
		return error_set(error, -EINVAL, "--tap: '%s' is not a name of 1 to %d characters",
			text, IFNAMSIZ - 1);
	if (strpbrk(text, "/:% \t\n\v\f\r") || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return error_set(
			error, -EINVAL, "--tap: '%s' cannot be the name of an interface", text);
	options->tap = text;
	return 0;
}

static int parse_offload(struct nic_options *options, const char *text, struct error *error)
{
	options->offload = strcmp(text, "on") == 0;
	if (!options->offload && strcmp(text, "off") != 0)
		return error_set(error, -EINVAL, "--offload: '%s' is not on or off", text);
	return 0;
}

static int parse_log_level(struct nic_options *options, const char *text, struct error *error)
{
	if (log_level_parse(text, &options->log_level))
		return 0;
	return error_set(error, -EINVAL, "--log-level: '%s' is not " LOG_LEVEL_WORDS, text);
}

static int apply(struct nic_options *options, int key, const char *value, struct error *error)
{
	switch (key) {
	case OPTION_SOCKET:
		options->socket = value;
		return *value ? 0 : error_set(error, -EINVAL, "--socket: the path is empty");
	case OPTION_TAP:
		return parse_tap(options, value, error);
	case OPTION_MAC:
		return parse_mac(options, value, error);
	case OPTION_MTU:
		return parse_mtu(options, value, error);
	case OPTION_QUEUES:
		return parse_queues(options, value, error);
	case OPTION_QUEUE_SIZE:
		return parse_queue_size(options, value, error);
	case OPTION_OFFLOAD:
		return parse_offload(options, value, error);
	case OPTION_LOG_LEVEL:
		return parse_log_level(options, value, error);
	case OPTION_SERVER:
		options->server = true;
		return 0;
	case OPTION_NO_MERGEABLE:
		options->mergeable = false;
		return 0;
	case OPTION_NO_EVENT_INDEX:
		options->event_index = false;
		return 0;
	default:
		return error_set(error, -EINVAL, "unhandled option");
	}
}

enum nic_options_verdict nic_options_parse(
	struct nic_options *options, int argc, char **argv, struct error *error)
{
	int key;

	*options = (struct nic_options){
		.queues = 1,
		.queue_size = DRIVER_QUEUE_SIZE_DEFAULT,
		.mtu = DRIVER_MTU_DEFAULT,
		.mergeable = true,
		.event_index = true,
		.offload = true,
		.log_level = LOG_LEVEL_INFO,
	};
	/* Zero, unlike one, makes getopt forget what it read before. */
	optind = 0;
	opterr = 0;
	while ((key = getopt_long(argc, argv, ":hV", long_options, NULL)) != -1) {
		if (key == OPTION_HELP || key == 'h')
			return NIC_OPTIONS_HELP;
		if (key == OPTION_VERSION || key == 'V')
			return NIC_OPTIONS_VERSION;
		if (key == ':' || key == '?') {
			option_explain(key, argv[optind - 1], error);
			return NIC_OPTIONS_WRONG;
		}
		if (apply(options, key, optarg, error) < 0)
			return NIC_OPTIONS_WRONG;
	}
	if (optind < argc)
		error_set(error, -EINVAL, "unexpected argument '%s'", argv[optind]);
	else if (!options->socket)
		error_set(error, -EINVAL, "--socket is missing");
	else if (!options->tap)
		error_set(error, -EINVAL, "--tap is missing");
	else
		return NIC_OPTIONS_RUN;
	return NIC_OPTIONS_WRONG;
}
