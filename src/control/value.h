/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The values of the configuration that are more than a number or a text, and how they are written.
 * A list owns its array; schema.h copies and frees it with the object that the list is part of.
 *
 * Stateless; any thread.
 */
#ifndef VSW_CONTROL_VALUE_H
#define VSW_CONTROL_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "port/port.h"

/* Characters of a name or a path, each with its terminating zero. */
#define MODEL_NAME_SIZE PORT_NAME_SIZE
#define MODEL_PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

struct value_mac {
	bool set;
	uint8_t bytes[6];
};

/* An address or a prefix. Of an object's key that has no value, all is zero. */
struct value_address {
	bool ipv6;
	uint8_t bytes[16]; /* as on the wire; of IPv4 the first four, zero behind them */
	unsigned length;   /* bits: 32 or 128 for one address */
};

struct value_addresses {
	struct value_address *of; /* sorted, each once; owned */
	unsigned count;
};

/* Characters of an item of a list of texts, with the terminating zero. */
#define VALUE_TEXT_SIZE 128

struct value_texts {
	char (*of)[VALUE_TEXT_SIZE]; /* in the file's order; owned */
	unsigned count;
};

/* A port of the gateway that leads to a port of a VM. */
struct value_forward {
	bool udp; /* else TCP */
	unsigned port;
	char target[MODEL_NAME_SIZE]; /* a port of the switch, or an IP address */
	unsigned target_port;
};

struct value_forwards {
	struct value_forward *of; /* sorted, each port once; owned */
	unsigned count;
};

struct value_names {
	char (*of)[MODEL_NAME_SIZE]; /* sorted, each once; owned */
	unsigned count;
};

/* True where both are there, of one family, and `address` lies in the prefix. */
bool value_prefix_holds(const struct value_address *prefix, const struct value_address *address);
/* The prefix's first address behind the one that is its own, as one address. */
void value_prefix_first(const struct value_address *prefix, struct value_address *address);
/* True for the address that is the prefix's own, and for what IPv4 broadcasts in it. */
bool value_prefix_reserves(const struct value_address *prefix, const struct value_address *address);

/* Appends one, not in order: value_*_sort() when all are there. 0 or -ENOMEM. */
int value_names_add(struct value_names *names, const char *name);
int value_addresses_add(struct value_addresses *addresses, const struct value_address *address);
int value_texts_add(struct value_texts *texts, const char *text);

int value_forwards_add(struct value_forwards *forwards, const struct value_forward *forward);

void value_forwards_sort(struct value_forwards *forwards);
bool value_forwards_has(const struct value_forwards *forwards, const struct value_forward *forward);

/* "tcp/8080=vm1:80", "udp/53=[fd00::1]:53" and back. value_forward_parse() returns NULL, or what is
 * wrong with the text. */
#define VALUE_FORWARD_TEXT_SIZE 100
void value_forward_format(const struct value_forward *forward, char text[VALUE_FORWARD_TEXT_SIZE]);
const char *value_forward_parse(const char *text, struct value_forward *forward);

void value_names_sort(struct value_names *names);
void value_addresses_sort(struct value_addresses *addresses);

bool value_names_has(const struct value_names *names, const char *name);
bool value_addresses_has(
	const struct value_addresses *addresses, const struct value_address *address);

/* Digits only; what they say, cut off at UINT_MAX. False where the text is something else. */
bool value_number_parse(const char *text, unsigned *number);

/* "52:54:00:00:00:01" and back. value_mac_parse() returns false where the text is not that. */
#define VALUE_MAC_TEXT_SIZE 18
void value_mac_format(const uint8_t mac[6], char text[VALUE_MAC_TEXT_SIZE]);
bool value_mac_parse(const char *text, uint8_t mac[6]);

/* What may follow the bits of an address's prefix. */
enum value_host_bits {
	VALUE_PREFIX,    /* nothing: an address alone, or a whole network */
	VALUE_INTERFACE, /* an interface's, always with the length: 10.0.0.1/24 */
};

/* "10.0.0.1", "10.0.0.0/24", "fd00::1", "fd00::/64" and back. value_address_parse() returns NULL,
 * or what is wrong with the text. */
#define VALUE_ADDRESS_TEXT_SIZE 50
void value_address_format(const struct value_address *address, enum value_host_bits host_bits,
	char text[VALUE_ADDRESS_TEXT_SIZE]);
const char *value_address_parse(
	const char *text, enum value_host_bits host_bits, struct value_address *address);

#endif
