/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages of DHCPv4, read and made (RFC 2131, 2132). Reading: all that the server needs of a
 * client's message, out of untrusted bytes: options that are split (RFC 3396) are put together,
 * also over the fields `file` and `sname` where option 52 says so. What an option's length does not
 * allow counts as not there; a message whose framing is broken is none. Making: a reply as options
 * are appended, up to what its receiver takes. Pure; any thread.
 */
#ifndef VSW_SERVICE_DHCP_MESSAGE_H
#define VSW_SERVICE_DHCP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/mac.h"

/* Option 53. */
enum dhcp_type {
	DHCP_NO_TYPE, /* BOOTP */
	DHCP_DISCOVER,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM,
	DHCP_TYPE_COUNT
};

/* Options that the server itself reads or writes; the others are data of the configuration. */
enum dhcp_option {
	DHCP_PAD = 0,
	DHCP_SUBNET_MASK = 1,
	DHCP_ROUTER = 3,
	DHCP_DNS = 6,
	DHCP_HOST_NAME = 12,
	DHCP_DOMAIN = 15,
	DHCP_MTU = 26,
	DHCP_BROADCAST = 28,
	DHCP_NTP = 42,
	DHCP_REQUESTED_ADDRESS = 50,
	DHCP_LEASE_TIME = 51,
	DHCP_OVERLOAD = 52,
	DHCP_MESSAGE_TYPE = 53,
	DHCP_SERVER_ID = 54,
	DHCP_PARAMETERS = 55,
	DHCP_MESSAGE = 56,
	DHCP_MAXIMUM_SIZE = 57,
	DHCP_T1 = 58,
	DHCP_T2 = 59,
	DHCP_CLIENT_ID = 61,
	DHCP_TFTP_SERVER = 66,
	DHCP_BOOT_FILE = 67,
	DHCP_USER_CLASS = 77,
	DHCP_RAPID_COMMIT = 80,
	DHCP_CLIENT_ARCHITECTURE = 93,
	DHCP_SEARCH = 119,
	DHCP_ROUTES = 121,
	DHCP_MICROSOFT_ROUTES = 249,
	DHCP_END = 255,
};

#define DHCP_CLIENT_ID_MAX 132
#define DHCP_HOST_MAX      64 /* with the terminating zero */

/* A client's message. */
struct dhcp_request {
	enum dhcp_type type;
	uint32_t transaction;
	uint16_t seconds, flags;
	uint32_t client_address, relay; /* ciaddr, giaddr; host order */
	uint8_t hardware[16];           /* chaddr; the first six are the MAC address */
	uint32_t requested;             /* option 50; 0: none */
	uint32_t server;                /* option 54; 0: none */
	uint8_t client_id[DHCP_CLIENT_ID_MAX];
	uint8_t client_id_length; /* 0: none */
	bool wants[256];          /* option 55 */
	bool wants_some;          /* it has option 55 */
	bool rapid_commit;
	bool is_ipxe;             /* user class */
	uint16_t maximum;         /* option 57: bytes of an IP datagram; 0: none */
	int architecture;         /* option 93: the first; -1: none */
	char host[DHCP_HOST_MAX]; /* option 12 where it is a label of DNS, in lower case; "" */
};

/* The reserved flags are zero, this one asks for a broadcast. */
#define DHCP_FLAG_BROADCAST 0x8000u

/* False where the bytes are no message of a client on Ethernet. */
bool dhcp_request_read(const uint8_t *bytes, size_t length, struct dhcp_request *request);

/* A reply in the making. */
#define DHCP_REPLY_MAX 1472u /* of one UDP datagram on Ethernet */
#define DHCP_FILE_SIZE 128u

struct dhcp_reply {
	uint8_t bytes[DHCP_REPLY_MAX];
	size_t length, maximum;
};

/* Begins a reply with the fields that come from the request; those to be filled in: below. */
void dhcp_reply_begin(
	struct dhcp_reply *reply, const struct dhcp_request *request, enum dhcp_type type);
void dhcp_reply_set_client(struct dhcp_reply *reply, uint32_t address); /* ciaddr */
void dhcp_reply_set_yours(struct dhcp_reply *reply, uint32_t address);  /* yiaddr */
void dhcp_reply_set_boot(struct dhcp_reply *reply, uint32_t server, const char *file);

/* Appends an option, split where it is long (RFC 3396). False where it does not fit: then nothing
 * of it is there. */
bool dhcp_reply_add(struct dhcp_reply *reply, uint8_t option, const void *bytes, size_t length);
bool dhcp_reply_add_u32(struct dhcp_reply *reply, uint8_t option, uint32_t value);

/* Ends it, and pads it to what old clients and relays take for the least. */
void dhcp_reply_end(struct dhcp_reply *reply);

#endif
