/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of vsw-nic as passive data. Parsing has no effect but on the struct: it prints
 * nothing and opens nothing. Strings are borrowed from argv, which must outlive the struct.
 */
#ifndef VSW_NIC_OPTIONS_H
#define VSW_NIC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/device.h"
#include "packet/mac.h"

struct nic_options {
	const char *socket;
	bool server; /* we listen, the switch connects */
	const char *tap;
	bool mac_given;
	uint8_t mac[MAC_SIZE];
	unsigned queues;     /* pairs, 1..DRIVER_QUEUES_MAX */
	unsigned queue_size; /* a power of two */
	uint16_t mtu;        /* bytes, DRIVER_MTU_MIN..DRIVER_MTU_MAX */
	bool mergeable;
	bool event_index;
	bool offload; /* checksums and segments may be left undone, in both directions */
	enum log_level log_level;
};

enum nic_options_verdict {
	NIC_OPTIONS_RUN,
	NIC_OPTIONS_HELP,
	NIC_OPTIONS_VERSION,
	NIC_OPTIONS_WRONG, /* the error says why */
};

/* The text of --help. */
extern const char nic_options_help[];

/* Reads the arguments (permuting argv as getopt does). One thread at a time. */
enum nic_options_verdict nic_options_parse(
	struct nic_options *options, int argc, char **argv, struct error *error);

#endif
