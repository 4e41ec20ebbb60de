/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How the interface of an open TAP is set, and how that is taken back.
 *
 *   host_tap_change(old -> wanted)   0: `wanted` holds; each setting was tried by itself
 *                                    -errno: nothing has changed
 *   host_tap_undo()                  the interface is what it was before that change
 *
 * What differs between `old` and `wanted` was asked for now and must be had. What does not differ,
 * but is not so at the interface, somebody else has changed: it is put right, or, where the
 * interface's namespace does not allow that, told as a problem, which is no failure.
 *
 * An MTU or MAC address that is asked for no more is given back: the interface gets what it had
 * before it was given one. What it is told in vain is what it had then.
 *
 * One thread.
 */
#ifndef VSW_HOST_TAP_CHANGE_H
#define VSW_HOST_TAP_CHANGE_H

#include "host/tap.h"

/* Addresses of an interface that host_tap_undo() gives back where the kernel has taken them, as it
 * takes those of IPv6 with an MTU below IPv6's. */
#define TAP_ADDRESSES_KEPT 32

/* What a change has done. */
struct tap_change {
	enum tap_setting failed; /* where it failed: what could not be had */
	struct error problem;    /* the first of what could not be put right; "": none */
	struct error mended;     /* what was put right: "MTU 1400 -> 1500, up"; "": nothing */

	/* For host_tap_undo(). */
	struct link link; /* as it was */
	struct tap_given given;
	bool touched, mtu, mac, up, persist; /* something, and which */
	unsigned kept_count, added_count;
	struct link_address kept[TAP_ADDRESSES_KEPT];
	struct link_address added[HOST_TAP_ADDRESSES_MAX];
};

/* In the namespace of `wanted`, which differs from `old` in what is set only. */
int host_tap_change(struct tap *tap, const struct host_tap *old, const struct host_tap *wanted,
	struct tap_change *change, struct error *error);

/* host_tap_open() (host/tap.h), and sets it as requested. 0, or -errno and what could not be had:
 * then nothing is open, and nothing has changed. */
int host_tap_make(const struct host_tap *request, struct tap *tap, struct error *error);

/* Takes back what the last change of this TAP, in the namespace of this request, has done, as far
 * as that goes; the second time nothing. 0, or -errno and the first thing that could not be put
 * back. */
int host_tap_undo(struct tap *tap, const struct host_tap *request, struct tap_change *change,
	struct error *error);

#endif
