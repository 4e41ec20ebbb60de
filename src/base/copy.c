/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/copy.h"

#if defined(__x86_64__)
#include <cpuid.h>

/* Enhanced REP MOVSB and STOSB: leaf 7, in EBX. */
#define ERMS (1u << 9)
#endif

bool copy_fast_strings;

/* Before main(): no thread has to look for it later. */
static void __attribute__((constructor)) look_at_processor(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;

	copy_fast_strings = __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & ERMS;
#endif
}
