/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the command lines of the programs have in common. Nothing is printed or opened.
 * Names of options are without their dashes; errors have them.
 */
#ifndef VSW_BASE_OPTIONS_H
#define VSW_BASE_OPTIONS_H

#include <stdint.h>

#include "base/error.h"

/* Keys of long options begin here: beyond any character that getopt may return. */
#define OPTION_KEY_FIRST 256

/* Decimal digits and nothing else. 0, or -EINVAL and the reason. */
int option_number(const char *name, const char *text, uint64_t least, uint64_t most,
	uint64_t *number, struct error *error);

/* 0, or -EINVAL and the reason. */
int option_check_power_of_two(const char *name, uint64_t number, struct error *error);

/* What getopt_long() found fault with when it returned `key`, ':' or '?'; argument: the last one
 * that it read. */
void option_explain(int key, const char *argument, struct error *error);

#endif
