/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What kinds of ports have in common that are an interface of the host: its name and its namespace,
 * as keys `ifname` and `netns`, and that no two ports may have the same. Any thread.
 */
#ifndef VSW_CONTROL_INTERFACE_KEYS_H
#define VSW_CONTROL_INTERFACE_KEYS_H

#include <stdio.h>

#include "control/model.h"
#include "control/resources.h"

/* Characters of an interface's name, with the terminating zero. */
#define MODEL_IFNAME_SIZE 16

/* For rows: NULL, or what is wrong with the text. */
const char *interface_check_name(const char *text);
const char *interface_check_netns(const char *text);

/* An interface is called like its port where the file does not say it: fills ifname, of
 * MODEL_IFNAME_SIZE. */
void interface_complete(
	const struct model_port *port, char *ifname, const struct model_check *check);

void interface_describe(const char *ifname, const char *netns, FILE *out);

/* Claims the interface, whatever the kind of port. */
void interface_claim(struct claims *claims, const char *ifname, const char *netns);

#endif
