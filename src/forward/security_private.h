/* SPDX-License-Identifier: BSD-3-Clause */
/* Between security.c and security_ipv6.c. */
#ifndef VSW_FORWARD_SECURITY_PRIVATE_H
#define VSW_FORWARD_SECURITY_PRIVATE_H

#include <stddef.h>

#include "forward/security.h"

/* `length` bytes of the head from the IPv6 header on; source: the frame's. */
enum drop_reason security_judge_ipv6(const struct security_rules *rules, const uint8_t *source,
	const uint8_t *ip, size_t length);

#endif
