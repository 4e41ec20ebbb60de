/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads a map of the file into an object by the object's rows. Private to yaml/.
 */
#ifndef VSW_CONTROL_YAML_READ_KEYS_H
#define VSW_CONTROL_YAML_READ_KEYS_H

#include "control/yaml/reader.h"

/* One struct of an object, with its rows. */
struct config_part {
	const struct schema *schema;
	void *object;
	unsigned *lines; /* by row: where the file says it; may be NULL */
};

/* A key that none of the parts has: true where nothing more is to be said about it. */
typedef bool (*config_foreign)(struct config_reader *reader, const struct yaml_tree *node,
	const struct config_part *parts);

/* Reads the keys of a map into the parts that have them; any other key is a fault, unless `foreign`
 * (may be NULL) deals with it. */
void config_read_keys(struct config_reader *reader, const struct yaml_tree *map,
	const struct config_part *parts, unsigned count, config_foreign foreign);

/* Reads one value. False after a fault. */
bool config_read_value(struct config_reader *reader, const struct schema_key *key,
	const struct yaml_tree *node, void *object);

/* A fault: the key is not known here, but perhaps another one is meant. */
void config_fault_unknown(struct config_reader *reader, const struct yaml_tree *node,
	const char *const *known, unsigned count);

#endif
