/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/json_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

json_t *json_text(const char *text)
{
	char *copy = strdup(text);
	json_t *value = NULL;

	if (copy) {
		text_mend(copy);
		value = json_string(copy);
	}
	free(copy);
	return value;
}
