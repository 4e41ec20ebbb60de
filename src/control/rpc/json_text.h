/* SPDX-License-Identifier: BSD-3-Clause */
/* Text in JSON. Stateless; any thread. */
#ifndef VSW_CONTROL_RPC_JSON_TEXT_H
#define VSW_CONTROL_RPC_JSON_TEXT_H

#include <jansson.h>

/* Text of anybody's as a JSON string: what is no UTF-8 in it is replaced. A new reference, or NULL
 * where memory is short. */
json_t *json_text(const char *text);

#endif
