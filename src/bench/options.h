/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of vsw-bench as passive data. Parsing has no effect but on the struct: it prints
 * nothing and opens nothing. The struct owns all that it holds.
 */
#ifndef VSW_BENCH_OPTIONS_H
#define VSW_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "packet/mac.h"

/* As many as one program may want to be; each takes some MiB of memory. */
#define BENCH_PORTS_MAX 1024

/* Room of a unix socket address. */
#define BENCH_PATH_SIZE 108

/* Addresses of one port: each is a flow of its own. */
#define BENCH_MACS_MAX (1u << 20)

enum bench_mode {
	BENCH_THROUGHPUT, /* as fast as possible, or at --rate */
	BENCH_PING,       /* one frame on its way at a time */
	BENCH_HOLD,       /* connected and silent */
};

struct bench_port_options {
	char path[BENCH_PATH_SIZE];
	bool server; /* we listen */
	bool mac_given;
	uint8_t mac[MAC_SIZE];
};

struct bench_options {
	enum bench_mode mode;
	bool null;      /* no sockets: a thread of our own stands for the switch */
	bool null_copy; /* and copies whole frames */
	unsigned port_count;
	struct bench_port_options ports[BENCH_PORTS_MAX];
	/* Numbers have one type, so that a table can say where each goes. */
	uint64_t active;     /* ports that send, an even number; 0: all */
	uint64_t size;       /* bytes of a frame; 0: the IMIX */
	uint64_t duration;   /* seconds */
	uint64_t warmup;     /* seconds */
	uint64_t rate;       /* frames a second of all ports together; 0: as fast as possible */
	uint64_t interval;   /* microseconds between the beginnings of pings; 0: none */
	uint64_t window;     /* frames under way from each port; 0: what a receive ring holds */
	uint64_t flows;      /* of each port, at least one for each address */
	uint64_t macs;       /* of each active port */
	uint64_t queues;     /* pairs of each port */
	uint64_t queue_size; /* descriptors, a power of two */
	uint64_t connect;    /* seconds to wait for all ports */
	int64_t cpu;         /* of the generator, -1: any */
	int64_t null_cpu;    /* of the null backend */
	bool unidirectional;
	bool overload; /* no window */
	bool tso;      /* frames are TCP segments that the receiver takes uncut */
	bool packed;
	bool in_order;
	bool mergeable;
	bool event_index;
	bool verify;
	bool json;
};

enum bench_options_verdict {
	BENCH_OPTIONS_RUN,
	BENCH_OPTIONS_HELP,
	BENCH_OPTIONS_VERSION,
	BENCH_OPTIONS_WRONG, /* the error says why */
};

/* The text of --help. */
extern const char bench_options_help[];

/* Reads the arguments (permuting argv as getopt does). One thread at a time. */
enum bench_options_verdict bench_options_parse(
	struct bench_options *options, int argc, char **argv, struct error *error);

#endif
