/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What reading a configuration needs besides the rows of its keys: where we are ("ports.vm1.mac"),
 * the faults found so far, and the VLAN ids seen. Private to yaml/.
 */
#ifndef VSW_CONTROL_YAML_READER_H
#define VSW_CONTROL_YAML_READER_H

#include "control/model.h"
#include "control/yaml/errors.h"
#include "control/yaml/tree.h"
#include "forward/topology.h"

struct config_reader {
	const char *file; /* NULL: what is read has no lines either */
	struct model *model;
	struct config_errors *errors;
	char path[256]; /* of the key that is being read; ends early where names are very long */
	const struct yaml_tree
		*done; /* a key that was read before the others of its map, or NULL */
	/* One cause, one fault: where a key of this entry is not known, or its type, what seems to
	 * be missing may be what was meant; and where a network may be missing for such a reason, a
	 * port that names it is not at fault. */
	bool entry_unsure;
	bool networks_unsure;
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

/* False after a fault, where the node is of another kind or empty. */
bool config_require_kind(
	struct config_reader *reader, const struct yaml_tree *node, enum yaml_tree_kind kind);

/* True where the text may name a port or a network; else a fault. */
bool config_name_valid(struct config_reader *reader, unsigned line, const char *name);

/* True for a number in a notation that YAML 1.1, YAML 1.2 and people read differently: 010, 0x10,
 * 1_000, 1:30, 1e3. */
bool config_number_ambiguous(const char *text);

#endif
