/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration file: YAML text in, a consistent model out, or every fault of the file as a
 * line
 *
 *     FILE:LINE: ports.vm1.network: unknown network 'bleu'
 *
 * Strict: unknown and duplicate keys, wrong types and values out of range are faults, and so is
 * everything that two entries cannot share. A file with a fault yields no model.
 *
 * The keys are the rows of schema.h; virtswitch.yaml(5) describes them. One cause is one fault:
 * what follows from a misspelt key is not said as well. Any thread. Files are at most
 * CONFIG_SIZE_MAX bytes.
 */
#ifndef VSW_CONTROL_YAML_CONFIG_H
#define VSW_CONTROL_YAML_CONFIG_H

#include <stddef.h>

#include "control/model.h"
#include "control/yaml/errors.h"
#include "control/yaml/saved.h"

/* A port takes some 100 bytes: room for all that a switch can have, with comments. */
#define CONFIG_SIZE_MAX (1024 * 1024)

/* Parses `length` bytes; `file` is the name for messages. 0: *model is filled, the caller frees it
 * with model_fini(). -EINVAL or -ENOMEM: *errors has at least one line, *model is empty. *errors is
 * overwritten and freed by the caller in either case. */
int config_parse(const char *file, const char *text, size_t length, struct model *model,
	struct config_errors *errors);

/* The same for what is parsed already; file: NULL: errors name keys, and no line. */
struct yaml_tree;
int config_read_tree(const char *file, const struct yaml_tree *root, struct model *model,
	struct config_errors *errors);

/* The same for a file. -errno where it cannot be read. digest: of its text (saved.h), where it was
 * correct; may be NULL. */
int config_load(const char *path, struct model *model, char digest[SAVED_DIGEST_SIZE],
	struct config_errors *errors);

/* Reads a whole file of at most CONFIG_SIZE_MAX bytes into *text, to be freed. 0 or -errno with a
 * line in *errors, which the caller has set to zero. */
int config_read_file(const char *path, char **text, size_t *length, struct config_errors *errors);

enum config_wording {
	CONFIG_FULL,  /* each key that has a value */
	CONFIG_BRIEF, /* only what would be otherwise if the file did not say it */
};

/* Writes the model as a configuration file that config_parse() reads back to an equal model. The
 * text is to be freed; NULL where memory is short. */
char *config_format(const struct model *model, enum config_wording wording);

#endif
