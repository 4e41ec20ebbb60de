/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <string.h>

#include "base/options.h"
#include "bench/frame.h"
#include "driver/device.h"

/* Bytes of frames. The longest plain one is what a device of the largest MTU takes. */
#define FRAME_SIZE_DEFAULT   64
#define FRAME_SIZE_MAX       65535
#define SEGMENT_SIZE_DEFAULT 65000

/* 1024 buffers of 64 KiB would be 64 MiB a ring. */
#define SEGMENT_QUEUE_SIZE_DEFAULT 256

const char bench_options_help[] =
	"usage: vsw-bench --port PATH[,server][,mac=MAC] --port ... [OPTION...]\n"
	"\n"
	"A load generator for vhost-user switches. Attaches as one VM a port; ports 1 and 2, 3 and "
	"4,\n"
	"... send frames to each other, and what arrives is checked for order and content.\n"
	"\n"
	"  --port PATH          vhost-user socket; ',server': listen there; ',mac=': its address\n"
	"  --null               no sockets: what the generator itself can do\n"
	"  --null-copy          the same, but each frame is copied: what one core's memcpy can do\n"
	"what to do:\n"
	"  --ping               round trips of one frame at a time; default: throughput\n"
	"  --hold               stay connected and silent\n"
	"  --rate N             frames a second of all ports together; latency is measured\n"
	"  --interval US        time from ping to ping in microseconds; default 0\n"
	"  --duration SECONDS   default 5\n"
	"  --warmup SECONDS     before that, not counted; default 1\n"
	"  --connect SECONDS    how long to wait for all ports; default 10\n"
	"frames:\n"
	"  --size N|imix        bytes, 60 to 65535, or 64, 594 and 1514 in the ratio 7:4:1; "
	"default 64\n"
	"  --tso                TCP segments of --size bytes, 1515 to 65549, default 65000, to be "
	"cut\n"
	"                       by nobody\n"
	"  --flows N            UDP flows of each port; default: one a queue\n"
	"  --macs N             addresses of each sending port, each with flows of its own; "
	"default 1\n"
	"  --active N           only the first N ports send\n"
	"  --unidirectional     only the first of two ports sends\n"
	"  --window N           frames under way from each port; default: what a receive ring "
	"holds\n"
	"  --overload           no window: send whatever the switch takes\n"
	"  --verify             check every byte\n"
	"devices:\n"
	"  --queues N           queue pairs, 1 to 128; default 1\n"
	"  --queue-size N       descriptors, a power of two up to 32768; default 1024, with --tso "
	"256\n"
	"  --packed             packed rings\n"
	"  --in-order           buffers are used in order (VIRTIO_F_IN_ORDER)\n"
	"  --no-mergeable       do not use mergeable receive buffers\n"
	"  --no-event-index     do not use the event index\n"
	"this program:\n"
	"  --cpu N              run on this processor\n"
	"  --null-cpu N         run the null backend on this one\n"
	"  -j, --json           print the result as JSON\n"
	"  -V, --version        print the version\n"
	"  -h, --help           print this text\n";

enum option_key {
	OPTION_PORT = OPTION_KEY_FIRST,
	OPTION_SIZE,
	OPTION_PING,
	OPTION_HOLD,
	OPTION_VERSION,
	OPTION_HELP,
	OPTION_NUMBER = 512,  /* and the row of numbers[] */
	OPTION_SWITCH = 1024, /* and the row of switches[] */
};

static const struct {
	const char *name;
	size_t offset;
	uint64_t least, most;
} numbers[] = {
	{"active", offsetof(struct bench_options, active), 2, BENCH_PORTS_MAX},
	{"duration", offsetof(struct bench_options, duration), 1, 86400},
	{"warmup", offsetof(struct bench_options, warmup), 0, 3600},
	{"connect", offsetof(struct bench_options, connect), 1, 3600},
	{"rate", offsetof(struct bench_options, rate), 1, 1000000000},
	{"interval", offsetof(struct bench_options, interval), 1, 10000000},
	{"window", offsetof(struct bench_options, window), 1, 1000000},
	{"flows", offsetof(struct bench_options, flows), 1, BENCH_FLOWS_MAX},
	{"macs", offsetof(struct bench_options, macs), 1, BENCH_MACS_MAX},
	{"queues", offsetof(struct bench_options, queues), 1, DRIVER_QUEUES_MAX},
	{"queue-size", offsetof(struct bench_options, queue_size), DRIVER_QUEUE_SIZE_MIN,
		DRIVER_QUEUE_SIZE_MAX},
	{"cpu", offsetof(struct bench_options, cpu), 0, 1023},
	{"null-cpu", offsetof(struct bench_options, null_cpu), 0, 1023},
};

static const struct {
	const char *name;
	size_t offset;
	bool value;
} switches[] = {
	{"null", offsetof(struct bench_options, null), true},
	{"null-copy", offsetof(struct bench_options, null_copy), true},
	{"unidirectional", offsetof(struct bench_options, unidirectional), true},
	{"overload", offsetof(struct bench_options, overload), true},
	{"verify", offsetof(struct bench_options, verify), true},
	{"tso", offsetof(struct bench_options, tso), true},
	{"packed", offsetof(struct bench_options, packed), true},
	{"in-order", offsetof(struct bench_options, in_order), true},
	{"no-mergeable", offsetof(struct bench_options, mergeable), false},
	{"no-event-index", offsetof(struct bench_options, event_index), false},
	{"json", offsetof(struct bench_options, json), true},
};

static const struct option words[] = {
	{"port", required_argument, NULL, OPTION_PORT},
	{"size", required_argument, NULL, OPTION_SIZE},
	{"ping", no_argument, NULL, OPTION_PING},
	{"hold", no_argument, NULL, OPTION_HOLD},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
};

#define OPTION_COUNT (ARRAY_SIZE(words) + ARRAY_SIZE(numbers) + ARRAY_SIZE(switches))

/* All options in getopt's form; the last one stays zero. */
static void list_options(struct option list[OPTION_COUNT + 1])
{
	memset(list, 0, (OPTION_COUNT + 1) * sizeof(*list));
	memcpy(list, words, sizeof(words));
	list += ARRAY_SIZE(words);
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		*list++ = (struct option){
			numbers[i].name, required_argument, NULL, (int)(OPTION_NUMBER + i)};
	for (unsigned i = 0; i < ARRAY_SIZE(switches); i++)
		*list++ = (struct option){
			switches[i].name, no_argument, NULL, (int)(OPTION_SWITCH + i)};
}

/* text: NULL where the option was not given. After all other options: it depends on them. */
static int parse_size(struct bench_options *options, const char *text, struct error *error)
{
	if (!text) {
		options->size = options->tso ? SEGMENT_SIZE_DEFAULT : FRAME_SIZE_DEFAULT;
		return 0;
	}
	if (options->tso)
		return option_number("size with --tso", text, BENCH_SEGMENT_MIN, BENCH_FRAME_MAX,
			&options->size, error);
	if (strcmp(text, "imix") == 0) {
		options->size = 0;
		return 0;
	}
	return option_number("size", text, BENCH_FRAME_MIN, FRAME_SIZE_MAX, &options->size, error);
}

/* One word behind a port's path. */
static int parse_port_word(
	struct bench_port_options *port, const char *word, size_t length, struct error *error)
{
	char mac[MAC_TEXT_SIZE];

	if (length == 6 && memcmp(word, "server", 6) == 0) {
		port->server = true;
		return 0;
	}
	if (length == 4 + sizeof(mac) - 1 && memcmp(word, "mac=", 4) == 0) {
		memcpy(mac, word + 4, sizeof(mac) - 1);
		mac[sizeof(mac) - 1] = '\0';
		port->mac_given = mac_parse(mac, port->mac) && !mac_is_multicast(port->mac) &&
				  !mac_is_zero(port->mac);
		if (port->mac_given)
			return 0;
	}
	return error_set(error, -EINVAL, "--port: '%.*s' is not 'server' or 'mac=' and an address",
		(int)length, word);
}

static int parse_port(struct bench_options *options, const char *text, struct error *error)
{
	size_t length = strcspn(text, ",");
	struct bench_port_options *port = &options->ports[options->port_count];

	if (options->port_count == BENCH_PORTS_MAX)
		return error_set(error, -EINVAL, "--port: more than %u", BENCH_PORTS_MAX);
	if (!length || length >= sizeof(port->path))
		return error_set(error, -EINVAL, "--port: '%s' has no path of 1 to %zu bytes", text,
			sizeof(port->path) - 1);
	memcpy(port->path, text, length);
	for (text += length; *text; text += length) {
		text++;
		length = strcspn(text, ",");
		if (parse_port_word(port, text, length, error) < 0)
			return -EINVAL;
	}
	options->port_count++;
	return 0;
}

static int apply(struct bench_options *options, int key, const char *value, struct error *error)
{
	uint64_t number;
	unsigned row;

	if (key >= OPTION_SWITCH) {
		row = (unsigned)key - OPTION_SWITCH;
		*(bool *)((char *)options + switches[row].offset) = switches[row].value;
		return 0;
	}
	if (key >= OPTION_NUMBER) {
		row = (unsigned)key - OPTION_NUMBER;
		if (option_number(numbers[row].name, value, numbers[row].least, numbers[row].most,
			    &number, error) < 0)
			return -EINVAL;
		memcpy((char *)options + numbers[row].offset, &number, sizeof(number));
		return 0;
	}
	switch (key) {
	case OPTION_PORT:
		return parse_port(options, value, error);
	case OPTION_PING:
	case OPTION_HOLD:
		if (options->mode != BENCH_THROUGHPUT)
			return error_set(error, -EINVAL, "--ping and --hold exclude each other");
		options->mode = key == OPTION_PING ? BENCH_PING : BENCH_HOLD;
		return 0;
	default:
		options->json = true; /* -j */
		return 0;
	}
}

/* What only the whole says. */
static int check(struct bench_options *options, struct error *error)
{
	bool timed = options->mode == BENCH_PING || options->rate;

	options->null = options->null || options->null_copy;
	if (options->null && options->port_count)
		return error_set(error, -EINVAL, "--null has ports of its own, without --port");
	if (options->null && options->queues > 1)
		return error_set(error, -EINVAL, "--queues: --null has one pair");
	if (!options->queue_size)
		options->queue_size = options->tso ? SEGMENT_QUEUE_SIZE_DEFAULT
						   : DRIVER_QUEUE_SIZE_DEFAULT;
	if (options->null) {
		/* Its frames cross in one piece. */
		options->mergeable = false;
		options->port_count = 2;
	}
	if (!options->port_count)
		return error_set(error, -EINVAL, "--port is missing");
	if (options->mode != BENCH_HOLD && options->port_count < 2)
		return error_set(
			error, -EINVAL, "two ports are needed to send from one to the other");
	if (option_check_power_of_two("queue-size", options->queue_size, error) < 0)
		return -EINVAL;
	if (options->active > options->port_count || options->active % 2)
		return error_set(
			error, -EINVAL, "--active: not an even number up to that of ports");
	if (options->interval && options->mode != BENCH_PING)
		return error_set(error, -EINVAL, "--interval is for --ping");
	if (options->mode != BENCH_THROUGHPUT && options->rate)
		return error_set(error, -EINVAL, "--rate excludes --ping and --hold");
	if (options->null && options->mode == BENCH_HOLD)
		return error_set(error, -EINVAL, "--hold excludes --null");
	if (options->window && options->overload)
		return error_set(error, -EINVAL, "--window and --overload exclude each other");
	if ((options->window || options->overload) && timed)
		return error_set(error, -EINVAL, "--window and --overload are for throughput");
	if (timed && (options->flows > 1 || options->macs > 1))
		return error_set(
			error, -EINVAL, "latency is measured with one flow and address a port");
	if (!options->flows)
		options->flows = timed ? 1 : options->queues;
	options->flows = MAX(options->flows, options->macs);
	if (!options->active)
		options->active = options->port_count & ~1u;
	return 0;
}

enum bench_options_verdict bench_options_parse(
	struct bench_options *options, int argc, char **argv, struct error *error)
{
	struct option list[OPTION_COUNT + 1];
	const char *size = NULL;
	int key;

	memset(options, 0, sizeof(*options));
	options->duration = 5;
	options->warmup = 1;
	options->macs = 1;
	options->queues = 1;
	options->connect = 10;
	options->cpu = options->null_cpu = -1;
	options->mergeable = options->event_index = true;
	list_options(list);
	/* Zero, unlike one, makes getopt forget what it read before. */
	optind = 0;
	opterr = 0;
	while ((key = getopt_long(argc, argv, ":jhV", list, NULL)) != -1) {
		if (key == OPTION_HELP || key == 'h')
			return BENCH_OPTIONS_HELP;
		if (key == OPTION_VERSION || key == 'V')
			return BENCH_OPTIONS_VERSION;
		if (key == ':' || key == '?') {
			option_explain(key, argv[optind - 1], error);
			return BENCH_OPTIONS_WRONG;
		}
		if (key == OPTION_SIZE)
			size = optarg;
		else if (apply(options, key, optarg, error) < 0)
			return BENCH_OPTIONS_WRONG;
	}
	if (optind < argc) {
		error_set(error, -EINVAL, "unexpected argument '%s'", argv[optind]);
		return BENCH_OPTIONS_WRONG;
	}
	return parse_size(options, size, error) < 0 || check(options, error) < 0
		       ? BENCH_OPTIONS_WRONG
		       : BENCH_OPTIONS_RUN;
}
