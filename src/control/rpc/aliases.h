/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Members of JSON answers that were spelled otherwise before they all became snake_case. The old
 * spelling is printed beside the new one for one release; vsw(8) lists both. Keys that are names
 * (of ports, of drop reasons) are spelled as the names are. Control thread.
 */
#ifndef VSW_CONTROL_RPC_ALIASES_H
#define VSW_CONTROL_RPC_ALIASES_H

#include <jansson.h>
#include <stdbool.h>

/* Adds the old spellings of the object's members to it, and returns it. NULL is allowed. */
json_t *show_with_aliases(json_t *object);

/* True where this is an old spelling. */
bool show_is_alias(const char *key);

#endif
