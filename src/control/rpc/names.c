/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/names.h"

#include <errno.h>

#include "base/spelling.h"

static int refuse(
	const char *what, const char *name, const char *meant, struct show_failure *failure)
{
	failure->code = SHOW_REFUSED;
	error_set(&failure->error, -ENOENT, "no %s '%.64s'%s%s%s", what, name,
		meant ? ": did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	return -1;
}

int names_find_port(const struct runtime *runtime, const char *name, struct show_failure *failure)
{
	const struct model *model = &runtime->state.model;
	const char *meant = NULL;
	int position;

	name = name ? name : "";
	position = runtime_find_port(&runtime->state, name);
	if (position >= 0)
		return position;
	for (unsigned i = 0; i < model->port_count; i++)
		spelling_consider(name, model->ports[i].name, &meant);
	return refuse("port", name, meant, failure);
}

int names_find_network(
	const struct runtime *runtime, const char *name, struct show_failure *failure)
{
	const struct model *model = &runtime->state.model;
	const char *meant = NULL;
	int position;

	name = name ? name : "";
	position = runtime_find_network(&runtime->state, name);
	if (position >= 0)
		return position;
	for (unsigned i = 0; i < model->network_count; i++)
		spelling_consider(name, model->networks[i].name, &meant);
	return refuse("network", name, meant, failure);
}
