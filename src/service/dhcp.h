/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DHCP server of a network (RFC 2131): a frame in, at most one frame out. Which address a
 * client gets says its port where that has addresses of its own, which takes no state at all; else
 * it is one of the pool, and the leases (leases.h) say whose. The server is the only one of its
 * network, so a client that asks for what it cannot have is told so (DHCPNAK).
 *
 * Replies go to the station that the request came from, never to all, whatever it asks for: other
 * guests need not know; and from an address of the server's that is the gateway's, mostly. What a
 * relay agent of the same network hands on is answered to that agent.
 *
 * A reply that binds an address says what must be kept first: answer->changed. Pure but for the
 * leases; one thread.
 */
#ifndef VSW_SERVICE_DHCP_H
#define VSW_SERVICE_DHCP_H

#include "service/dhcp_message.h"
#include "service/leases.h"

/* Seconds for which an offer is kept, and for which an address is not given out that a client has
 * found in use. */
#define DHCP_OFFER_SECONDS   30
#define DHCP_DECLINE_SECONDS 600

#define DHCP_FRAME_MAX 1514u

/* An option as it stands in a message; longer than 255 bytes it is split there. */
struct dhcp_data {
	uint8_t code;
	uint16_t length;
	uint8_t *bytes;
};

/* What a network hands out. Addresses in host order; 0: none. */
struct dhcp_settings {
	uint8_t mac[MAC_SIZE]; /* of the server */
	uint32_t server;       /* its address, which is the server identifier */
	uint32_t subnet, mask;
	uint32_t lease_seconds; /* UINT32_MAX: for ever */
	struct lease_pool pool;
	uint32_t next_server;
	/* "": none. For clients that boot by EFI, and for iPXE, there may be others. */
	char boot_file[DHCP_FILE_SIZE], boot_file_efi[DHCP_FILE_SIZE],
		boot_file_ipxe[DHCP_FILE_SIZE];
	/* In the order in which they are sent, the subnet mask first (RFC 2132, 3.3); to who asks
	 * for them, or for none in particular. */
	struct dhcp_data *options;
	unsigned option_count;
};

/* Where a request came in. */
struct dhcp_port {
	const char *name;
	const char *host; /* the name that its client is told; NULL: none */
	/* Its own addresses in the subnet; where it has any it gets nothing else, and where it may
	 * have none of the pool (`bound`) nothing. */
	const uint32_t *addresses;
	unsigned address_count;
	bool bound;
	bool unlimited; /* any number of leases */
};

enum dhcp_outcome {
	DHCP_IGNORED, /* no request, or not for us */
	DHCP_ANSWERED,
	DHCP_REFUSED,    /* a DHCPNAK */
	DHCP_NONE_LEFT,  /* the pool is used up */
	DHCP_PORT_LIMIT, /* the port has as many leases as it may */
	DHCP_NO_MEMORY,
};

struct dhcp_answer {
	enum dhcp_outcome outcome;
	enum dhcp_type type; /* of the request */
	size_t length;       /* of the frame; 0: there is none */
	uint8_t frame[DHCP_FRAME_MAX];
	/* A lease that is to be kept before the frame leaves; NULL: none. */
	const struct lease *changed;
};

void dhcp_serve(const struct dhcp_settings *settings, const struct dhcp_port *port,
	struct leases *leases, const uint8_t *frame, size_t length, uint64_t now,
	struct dhcp_answer *answer);

#endif
