/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/number.h"

bool number_parse(const char *text, uint64_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			value = UINT64_MAX;
	}
	*number = value;
	return true;
}
