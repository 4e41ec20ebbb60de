/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything about one port, for people. A kind of port that this program has no words for is shown
 * by the members that the daemon sends. */
#ifndef VSW_CLI_PORT_DETAILS_H
#define VSW_CLI_PORT_DETAILS_H

#include <jansson.h>

/* One port of the answer to port.show. */
void port_details_print(const json_t *port);

/* "receive-ring-full 12, hairpin 3"; to be freed. */
char *port_details_drops(const json_t *drops);

#endif
