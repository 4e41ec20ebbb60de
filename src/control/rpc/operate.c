/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/operate.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "port/port.h"

/* Each name is that of a port; otherwise false, with *failure filled. */
static bool names_known(
	const struct runtime *runtime, const json_t *names, struct show_failure *failure)
{
	const json_t *name;
	size_t i;

	failure->code = SHOW_BAD_PARAMS;
	if (!json_is_array(names) || !json_array_size(names)) {
		error_set(&failure->error, -EINVAL, "params must be {\"names\": [NAME, ...]}");
		return false;
	}
	json_array_foreach (names, i, name) {
		const char *text = json_string_value(name);

		if (text && runtime_find_port(&runtime->state, text) >= 0)
			continue;
		failure->code = SHOW_REFUSED;
		error_set(&failure->error, -ENOENT, "no port '%.64s'", text ? text : "");
		return false;
	}
	return true;
}

json_t *operate_reset_ports(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	json_t *names = json_object_get(params, "names");
	const json_t *name;
	size_t i;

	if (!names_known(runtime, names, failure))
		return NULL;
	json_array_foreach (names, i, name) {
		int position = runtime_find_port(&runtime->state, json_string_value(name));

		if (port_reset_totals(runtime->state.ports[position].port) < 0) {
			failure->code = SHOW_REFUSED;
			error_set(&failure->error, -ENOMEM, "out of memory");
			return NULL;
		}
	}
	return json_incref(names);
}

json_t *operate_show_log(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	return json_pack("{s:s}", "level", log_level_name(log_get_level()));
}

json_t *operate_set_log_level(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const char *text = json_string_value(json_object_get(params, "level"));
	enum log_level old = log_get_level();
	enum log_level level;

	if (!text || !log_level_parse(text, &level)) {
		failure->code = text ? SHOW_REFUSED : SHOW_BAD_PARAMS;
		error_set(&failure->error, -EINVAL, "'%.32s' is not a log level: " LOG_LEVEL_WORDS,
			text ? text : "");
		return NULL;
	}
	/* Said under whichever of the two lets more through. */
	log_set_level(MAX(level, old));
	if (level != old)
		log_limited(LOG_LEVEL_INFO, "log level: %s -> %s", log_level_name(old),
			log_level_name(level));
	log_set_level(level);
	return operate_show_log(runtime, NULL, failure);
}
