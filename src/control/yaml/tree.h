/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * YAML text as a tree whose every node knows its line. The subset that a configuration needs: one
 * document of maps with scalar keys, lists and scalars. Anchors, aliases, tags and nesting deeper
 * than YAML_TREE_DEPTH_MAX are refused, so that a tree is never larger than its text, nor cyclic.
 *
 * Duplicate keys stay in the tree (the reader reports them with their full name). Any thread; the
 * tree is a copy and owned by the caller.
 */
#ifndef VSW_CONTROL_YAML_TREE_H
#define VSW_CONTROL_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Twice what the deepest key needs; recursion is bounded by it. */
#define YAML_TREE_DEPTH_MAX 16

enum yaml_tree_kind { YAML_TREE_SCALAR, YAML_TREE_LIST, YAML_TREE_MAP };

struct yaml_tree {
	enum yaml_tree_kind kind;
	unsigned line; /* where it begins, from 1 */

	char *text; /* scalar: its characters */
	bool plain; /* scalar: written without quotes */

	char *key; /* child of a map: its key */
	unsigned key_line;

	struct yaml_tree *children; /* map, list */
	unsigned count;
};

/* Fills *root; an empty text is an empty map. On failure -EINVAL or -ENOMEM, *error says why and
 * *error_line where; nothing is left to free. */
int yaml_tree_parse(const char *text, size_t length, struct yaml_tree *root, unsigned *error_line,
	struct error *error);

/* Frees what the node holds, not the node. */
void yaml_tree_fini(struct yaml_tree *node);

/* The first child of a map with this key; NULL where there is none. */
const struct yaml_tree *yaml_tree_find(const struct yaml_tree *map, const char *key);

/* True for a value that was left out: "key:", "key: ~", "key: null". */
bool yaml_tree_is_null(const struct yaml_tree *node);

#endif
