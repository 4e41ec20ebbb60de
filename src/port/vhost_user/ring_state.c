/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/vhost_user/ring_state.h"

#include "base/common.h"

#define FROM(state) (1u << (state))

/* From which states an act may come, and to which it leads. */
static const struct {
	unsigned from;
	enum ring_state to;
} acts[RING_ACT_COUNT] = {
	[RING_LAY] = {FROM(RING_STOPPED), RING_READY},
	[RING_LOSE] = {FROM(RING_STOPPED), RING_LOST},
	[RING_PUBLISH] = {FROM(RING_READY), RING_RUNNING},
	[RING_WITHDRAW] = {FROM(RING_RUNNING), RING_READY},
	[RING_FAIL] = {FROM(RING_READY), RING_FAILED},
	[RING_CLEAR] = {FROM(RING_STOPPED) | FROM(RING_READY) | FROM(RING_FAILED) | FROM(RING_LOST),
		RING_STOPPED},
};

bool ring_state_act(enum ring_state *state, enum ring_act act)
{
	if (!(acts[act].from & FROM(*state)))
		return false;
	*state = acts[act].to;
	return true;
}

const char *ring_state_name(enum ring_state state)
{
	static const char *const names[RING_STATE_COUNT] = {
		[RING_STOPPED] = "stopped",
		[RING_READY] = "ready",
		[RING_RUNNING] = "running",
		[RING_FAILED] = "failed",
		[RING_LOST] = "lost",
	};

	return names[state];
}
