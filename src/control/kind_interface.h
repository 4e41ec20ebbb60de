/* SPDX-License-Identifier: BSD-3-Clause */
/* What kinds of ports have in common that are an interface of the host: the acting half of
 * interface_keys.h. Control thread. */
#ifndef VSW_CONTROL_KIND_INTERFACE_H
#define VSW_CONTROL_KIND_INTERFACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/model.h"

/* The words for OFFLOAD_*, as a new array. */
json_t *interface_offloads(uint8_t offloads);

/* Where it is: "vsw0", or "lab/eth0" in a namespace. A new reference. */
json_t *interface_endpoint(const char *netns, const char *ifname);

/* Whether two models of a port ask for the same interface, set in the same way. */
bool interface_same_words(const struct model_port *old, const struct model_port *new);

#endif
