/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking vswd: one request, one reply, over the control socket (control/rpc/rpc.h). What goes wrong
 * is said on stderr here, so a caller only has to end with status 1.
 */
#ifndef VSW_CLI_CLIENT_H
#define VSW_CLI_CLIENT_H

#include <jansson.h>

/* params: an object, taken over, or NULL. The result (a new reference), or NULL. */
json_t *client_call(const char *control, const char *method, json_t *params);

#endif
