/* SPDX-License-Identifier: BSD-3-Clause */
/* Why a method (show.h) refused a request. Plain data; control thread. */
#ifndef VSW_CONTROL_RPC_FAILURE_H
#define VSW_CONTROL_RPC_FAILURE_H

#include <jansson.h>

#include "base/error.h"

#define SHOW_BAD_PARAMS (-32602)
#define SHOW_REFUSED    (-32000)

struct show_failure {
	int code; /* of JSON-RPC: SHOW_BAD_PARAMS or SHOW_REFUSED */
	struct error error;
	json_t *lines; /* more than one fault: an array of strings, or NULL; owned by the caller */
};

#endif
