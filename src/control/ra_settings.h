/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a network's keys to what its router advertisements say (service/ra.h). Pure.
 */
#ifndef VSW_CONTROL_RA_SETTINGS_H
#define VSW_CONTROL_RA_SETTINGS_H

#include "control/model.h"
#include "service/ra.h"

/*
 * Of a network with `ra.enabled`. The router is the TAP port that has the network's gateway6, and a
 * `mac`: what is announced comes from its link-local address. Without such a port nobody is
 * announced as a router, only the prefix and the rest.
 */
void ra_settings_make(
	const struct model *model, const struct model_network *network, struct ra_settings *made);

#endif
