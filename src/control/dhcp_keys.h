/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The texts of a network's DHCP keys: what they may be, and what they mean. Pure; any thread.
 */
#ifndef VSW_CONTROL_DHCP_KEYS_H
#define VSW_CONTROL_DHCP_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "control/model.h"

/* Half a day: a guest that is shut down over night gives its address back, and one that runs asks
 * four times a day. */
#define DHCP_LEASE_TIME_DEFAULT 43200

/* Addresses of a range: a table of leases that all are in use takes 600 bytes for each. */
#define DHCP_RANGE_MAX (1u << 20)

/* The longest value of one of `options`. */
#define DHCP_OPTION_VALUE_MAX 255u

/* As schema_key.check: NULL, or what is wrong. */
const char *dhcp_check_address(const char *text);
const char *dhcp_check_route(const char *text);
const char *dhcp_check_option(const char *text);
const char *dhcp_check_file(const char *text);

/* Readers of what the checks accept; addresses in host order. */
uint32_t dhcp_read_address(const char *text);
/* Writes the route as classless static routes have it (RFC 3442); its bytes, up to 9. */
unsigned dhcp_read_route(const char *text, uint8_t route[9]);
/* The number, and the value's bytes. */
uint8_t dhcp_read_option(const char *text, uint8_t value[DHCP_OPTION_VALUE_MAX], unsigned *length);

/* What the network's server is called by its clients; host order. Only where it has a subnet. */
uint32_t dhcp_server_address(const struct model_network *network);
/* Whether nobody else can be expected to answer for that address. */
bool dhcp_server_is_alone(const struct model_network *network);

/* An IPv4 address of the model in host order. */
uint32_t dhcp_ipv4(const struct value_address *address);

/* The first and the last address of the range; false where there is none. Only where the network
 * has a subnet. */
bool dhcp_range(const struct model_network *network, uint32_t *from, uint32_t *to);

#endif
