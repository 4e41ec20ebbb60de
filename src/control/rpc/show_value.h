/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of the configuration as JSON, by the rows of schema.h. Stateless; any thread.
 */
#ifndef VSW_CONTROL_RPC_SHOW_VALUE_H
#define VSW_CONTROL_RPC_SHOW_VALUE_H

#include <jansson.h>

#include "control/model.h"

/* A number, true or false, text, or an array; null where there is no value. A new reference. */
json_t *show_value(const struct schema_key *key, const void *object);

/* Adds each value under its name in snake_case ("socket_mode"; "fdb.size" is "fdb_size"). */
void show_add_values(json_t *to, const struct schema *schema, const void *object);

/* The whole model with the names of the file: what this prints can be read as a file again. A new
 * reference. */
json_t *show_model(const struct model *model);

#endif
