/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What reading a configuration needs besides the tables of its keys: where we are ("ports.vm1.mac"),
 * the faults found so far, and the VLAN ids seen. Private to config.c and config_check.c.
 */
#ifndef VSW_CONTROL_YAML_READER_H
#define VSW_CONTROL_YAML_READER_H

#include "control/model.h"
#include "control/yaml/config.h"
#include "control/yaml/tree.h"
#include "forward/topology.h"

struct config_reader {
	const char *file;
	struct model *model;
	struct config_errors *errors;
	char path[256]; /* of the key that is being read; ends early where names are very long */
	/* By VLAN id: the name of its network, "" for none. */
	char vlan_names[TOPOLOGY_VLAN_COUNT][MODEL_NAME_SIZE];
	bool trunk_marks[TOPOLOGY_VLAN_COUNT]; /* VLAN ids in the trunk list that is being read */
};

struct config_reader *config_reader_new(
	const char *file, struct model *model, struct config_errors *errors);
void config_reader_free(struct config_reader *reader);

/* Steps into a key; config_leave() takes what config_enter() returned. */
size_t config_enter(struct config_reader *reader, const char *key);
void config_leave(struct config_reader *reader, size_t mark);

/* Adds "FILE:LINE: PATH: what is wrong" to the faults. */
void config_fault(struct config_reader *reader, unsigned line, const char *format, ...)
	PRINTF(3, 4);
void config_fault_memory(struct config_reader *reader);

/* One fault for each key of the map that stands there a second time. */
void config_fault_duplicates(struct config_reader *reader, const struct yaml_tree *map);

/* True for a number in a notation that YAML 1.1, YAML 1.2 and people read differently: 010, 0x10, 1_000,
 * 1:30, 1e3. */
bool config_number_ambiguous(const char *text);

/* The network that a scalar means, by its name or VLAN id; NULL after a fault. */
const struct model_network *config_resolve(
	struct config_reader *reader, const struct yaml_tree *node);

/* Notes that the trunk list has this network (with a VLAN id); false where it had it already. */
bool config_trunk_mark(struct config_reader *reader, const struct model_network *network);
void config_trunk_unmark(struct config_reader *reader, const struct model_port *port);

#endif
