/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/port_kinds.h"

#include <string.h>

static const struct port_kind *const kinds[] = {
	&port_kind_vhost_user,
	&port_kind_tap,
	&port_kind_packet,
};

const struct port_kind *port_kind_of(const struct model_port *model)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i]->type, model_kind_name(model->type)) == 0)
			return kinds[i];
	return NULL;
}

const struct port_kind *port_kind_at(unsigned position)
{
	return position < ARRAY_SIZE(kinds) ? kinds[position] : NULL;
}
