/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One object of a configuration added, changed or deleted by hand, as `vsw port add` and its like
 * ask for: the model is written as a file in brief, that file is edited, and read again with all
 * the checks that any file has to pass. So what is possible by hand is what a file may say, and
 * what follows from other keys follows from them anew. Pure; any thread.
 */
#ifndef VSW_CONTROL_YAML_EDIT_H
#define VSW_CONTROL_YAML_EDIT_H

#include "control/model.h"
#include "control/yaml/errors.h"

enum config_verb { CONFIG_ADD, CONFIG_SET, CONFIG_DELETE };

struct config_edit {
	enum config_verb verb;
	const char *object; /* "port", "network" or "router" */
	const char *name;
	/* KEY and VALUE: lists with commas between their items; "": what holds without the key. */
	const struct config_word {
		const char *key, *value;
	} * words;
	unsigned word_count;
};

/* Fills *new with the model as it is after the edit. 0, -EINVAL or -ENOMEM: *errors has at least
 * one line, that names the key but no file, and *new is empty. *errors is overwritten and freed by
 * the caller. */
int config_edit(const struct model *model, const struct config_edit *edit, struct model *new,
	struct config_errors *errors);

#endif
