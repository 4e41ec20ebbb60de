/* SPDX-License-Identifier: BSD-3-Clause */
/* The kinds of ports that can be configured: each has a struct and rows in a file of its own. */
#include "control/packet_keys.h"
#include "control/tap_keys.h"
#include "control/vhost_user_keys.h"

const struct model_kind *const model_kinds[] = {
	&vhost_user_kind,
	&tap_kind,
	&packet_kind,
	NULL,
};
