/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/operate.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "control/rpc/names.h"
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
	json_array_foreach (names, i, name)
		if (names_find_port(runtime, json_string_value(name), failure) < 0)
			return false;
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
		log_info("log level: %s -> %s", log_level_name(old), log_level_name(level));
	log_set_level(level);
	return operate_show_log(runtime, NULL, failure);
}

json_t *operate_flush_fdb(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const char *port = json_string_value(json_object_get(params, "port"));
	const char *network = json_string_value(json_object_get(params, "network"));
	int p = port ? names_find_port(runtime, port, failure) : 0;
	int n = network && p >= 0 ? names_find_network(runtime, network, failure) : 0;
	unsigned before = fdb_count(runtime->fdb), after;

	if (p < 0 || n < 0)
		return NULL;
	fdb_flush(runtime->fdb, port ? runtime->state.ports[p].index : FDB_PORT_NONE,
		network ? runtime->state.networks[n] : NETWORK_NONE);
	/* Workers learn on meanwhile. */
	after = MIN(fdb_count(runtime->fdb), before);
	log_info("addresses forgotten%s%s%s%s: %u", port ? ", of port " : "", port ? port : "",
		network ? ", in network " : "", network ? network : "", before - after);
	return json_pack("{s:i}", "addresses", (int)(before - after));
}

json_t *operate_delete_address(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const char *network = json_string_value(json_object_get(params, "network"));
	const char *text = json_string_value(json_object_get(params, "mac"));
	uint8_t mac[MAC_SIZE];
	int n, rc;

	if (!text || !value_mac_parse(text, mac)) {
		failure->code = text ? SHOW_REFUSED : SHOW_BAD_PARAMS;
		error_set(&failure->error, -EINVAL,
			"'%.32s' is not a MAC address such as 52:54:00:00:00:01", text ? text : "");
		return NULL;
	}
	n = names_find_network(runtime, network, failure);
	if (n < 0)
		return NULL;
	rc = fdb_forget(runtime->fdb, runtime->state.networks[n], mac);
	if (rc == 0) {
		log_info("address forgotten: %s in network %s", text, network);
		return json_pack("{s:i}", "addresses", 1);
	}
	failure->code = SHOW_REFUSED;
	error_set(&failure->error, rc, "%s %s in network '%.64s'", text,
		rc == -EPERM ? "is bound to a port by its 'mac'" : "is not known", network);
	return NULL;
}
