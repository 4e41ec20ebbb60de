/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What two keys or two entries of a configuration may not be together. Each function adds its
 * faults to the reader's. Private to yaml/.
 */
#ifndef VSW_CONTROL_YAML_CHECK_H
#define VSW_CONTROL_YAML_CHECK_H

#include "control/yaml/reader.h"

/* The VLAN id of a network just read is its own; notes it. */
void config_check_vlan(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_network *network);

/* The addresses of a network just read fit together; fills in those that follow. */
void config_check_addresses(
	struct config_reader *reader, const struct yaml_tree *node, struct model_network *network);

/* The same for what the network hands out and announces (dhcp_check.c). */
void config_check_dhcp(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_network *network);

/* A fault of a key of this map, or of one within a map of it ("dhcp.range"), at its line, else at
 * that of the map's own. other: in quotes behind the text; NULL: nothing. */
void config_fault_at(struct config_reader *reader, const struct yaml_tree *node, const char *key,
	const char *text, const char *other);

/* One port's keys fit together; what the file does not say of it and follows is filled in. */
void config_check_port(
	struct config_reader *reader, const struct yaml_tree *node, struct model_port *port);

/* No two ports share a socket path, or a MAC address in one network. The model's ports are still in
 * the order of the section's children. */
void config_check_ports(struct config_reader *reader, const struct yaml_tree *section);

/* One router's keys fit together, and with what was read before. */
void config_check_router(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_router *router);

/* No two routers share a network or a subnet where they must not; the ports of all are added to the
 * model (gateways.h), and have nothing that another port has. The model's ports are sorted. */
void config_check_routers(struct config_reader *reader, const struct yaml_tree *section);

/* A fault of a key of the entry; the text ends with the other's name in quotes, unless that is
 * NULL. */
void config_fault_at(struct config_reader *reader, const struct yaml_tree *node, const char *key,
	const char *text, const char *other);

#endif
