/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Methods that change how the running switch counts and logs, and nothing of its configuration;
 * show.h has their signature. Control thread.
 *
 *   port.reset  {"names": [NAME, ...]} the ports' figures start at zero; the names. All of them or
 *               none.
 *   fdb.flush   {"port": NAME, "network": NAME}  addresses that were learned are forgotten: of this
 *               port, in this network, or, without either, all; {"addresses": how many}
 *   fdb.del     {"mac": MAC, "network": NAME}    this one is; {"addresses": 1}
 *   log.show    {}                      {"level": LEVEL}
 *   log.level   {"level": LEVEL}        lines above LEVEL are dropped from now on; {"level": LEVEL}
 */
#ifndef VSW_CONTROL_RPC_OPERATE_H
#define VSW_CONTROL_RPC_OPERATE_H

#include "control/rpc/failure.h"
#include "control/runtime.h"

json_t *operate_reset_ports(
	struct runtime *runtime, const json_t *params, struct show_failure *failure);
json_t *operate_flush_fdb(
	struct runtime *runtime, const json_t *params, struct show_failure *failure);
json_t *operate_delete_address(
	struct runtime *runtime, const json_t *params, struct show_failure *failure);
json_t *operate_show_log(
	struct runtime *runtime, const json_t *params, struct show_failure *failure);
json_t *operate_set_log_level(
	struct runtime *runtime, const json_t *params, struct show_failure *failure);

#endif
