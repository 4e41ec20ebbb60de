/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as people write them. Stateless; any thread. */
#ifndef VSW_BASE_NUMBER_H
#define VSW_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits and nothing else, no sign or space either. What is too large is UINT64_MAX. False,
 * *number untouched, otherwise. */
bool number_parse(const char *text, uint64_t *number);

#endif
