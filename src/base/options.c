/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/options.h"

#include <errno.h>
#include <getopt.h>

#include "base/number.h"

int option_number(const char *name, const char *text, uint64_t least, uint64_t most,
	uint64_t *number, struct error *error)
{
	if (!number_parse(text, number) || *number < least || *number > most)
		return error_set(error, -EINVAL, "--%s: '%s' is not a number from %llu to %llu",
			name, text, (unsigned long long)least, (unsigned long long)most);
	return 0;
}

int option_check_power_of_two(const char *name, uint64_t number, struct error *error)
{
	if (number & (number - 1))
		return error_set(error, -EINVAL, "--%s: %llu is not a power of two", name,
			(unsigned long long)number);
	return 0;
}

void option_explain(int key, const char *argument, struct error *error)
{
	if (key == ':')
		error_set(error, -EINVAL, "%s needs a value", argument);
	else if (optopt >= OPTION_KEY_FIRST)
		error_set(error, -EINVAL, "%s: the option takes no value", argument);
	else if (optopt)
		error_set(error, -EINVAL, "unknown option -%c", optopt);
	else
		error_set(error, -EINVAL, "unknown option %s", argument);
}
