/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How fast counters rise, from two answers of the daemon: what --watch adds to the later one. Pure.
 */
#ifndef VSW_CLI_RATES_H
#define VSW_CLI_RATES_H

#include <jansson.h>

/*
 * Adds to each object of the list `now`, for each counter that is known (frames, packets, bytes,
 * ...), a member with its rate: "rx_packets_per_second", and bits instead of bytes; and for an
 * object of counters by name (drops, ports) one of rates, "drops_per_second". `before` is the same
 * list `seconds` earlier; where that has not the same object, or its counter was higher (it has
 * started again), the rate is null. NULL: nothing is known yet, all rates are null. What is no list
 * is left as it is.
 */
void rates_add(json_t *now, const json_t *before, double seconds);

#endif
