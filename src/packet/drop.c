/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet/drop.h"

const struct drop_description drop_descriptions[DROP_REASON_COUNT] = {
#define DROP_DESCRIPTION(enumerator, name, meaning, advice)                                        \
	[DROP_##enumerator] = {name, meaning, advice},
	DROP_REASONS(DROP_DESCRIPTION)
#undef DROP_DESCRIPTION
};
