/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/loops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define LOOK_SECONDS 1
#define HOLD_NS      (10 * NS_PER_SECOND)
#define HOLD_NS_MAX  (300 * NS_PER_SECOND)
/* A loop that is noticed within this many lengths of the last hold after its end is the same
 * one. */
#define MEMORY       3
/* Frames that were on their way round when a port was held still come out of the older end, and
 * teach: for so long what they taught is forgotten at each look. */
#define SETTLE_NS    (3 * NS_PER_SECOND)

static int position_of_port(const struct runtime_state *state, uint16_t index)
{
	for (unsigned i = 0; i < state->model.port_count; i++)
		if (state->ports[i].index == index && state->ports[i].port)
			return (int)i;
	return -1;
}

static int position_of_network(const struct runtime_state *state, uint16_t index)
{
	for (unsigned i = 0; i < state->model.network_count; i++)
		if (state->networks[i] == index)
			return (int)i;
	return -1;
}

/* The hold, present or past, of the port in the network; else a free entry; NULL where there is
 * none. */
static struct loop_hold *find_hold(struct loops *loops, uint64_t opened, uint16_t network)
{
	struct loop_hold *unused = NULL;

	for (unsigned i = 0; i < LOOPS_MAX; i++) {
		struct loop_hold *hold = &loops->of[i];

		if (hold->opened == opened && hold->network == network)
			return hold;
		if (!hold->opened && !unused)
			unused = hold;
	}
	return unused;
}

static void count_held(struct loops *loops)
{
	loops->held = 0;
	for (unsigned i = 0; i < LOOPS_MAX; i++)
		loops->held += loops->of[i].opened && loops->of[i].held;
}

static void publish(struct runtime *runtime)
{
	count_held(&runtime->loops);
	if (runtime_publish(runtime, &runtime->state, NULL) < 0)
		log_limited(LOG_LEVEL_ERROR, "out of memory: a loop cannot be held now");
}

/* Holds the younger of the two ports. True where that is new. */
static bool hold(struct runtime *runtime, const struct fdb_flap *flap, uint64_t now)
{
	const struct runtime_state *state = &runtime->state;
	int a = position_of_port(state, flap->ports[0]),
	    b = position_of_port(state, flap->ports[1]);
	int network = position_of_network(state, (uint16_t)flap->key);
	char done[PORT_NAME_SIZE + 64] = "nothing is held (loops: log)";
	const char *young, *old;
	struct loop_hold *entry;
	bool again, holds;
	uint8_t mac[6];

	/* One of them went meanwhile, and the loop with it. */
	if (a < 0 || b < 0 || network < 0)
		return false;
	if (state->ports[a].opened > state->ports[b].opened) {
		int swap = a;

		a = b;
		b = swap;
	}
	old = state->model.ports[a].name;
	young = state->model.ports[b].name;
	entry = find_hold(&runtime->loops, state->ports[b].opened, state->networks[network]);
	holds = state->model.networks[network].loops == MODEL_LOOPS_HOLD;
	/* It is known: held, or told where no more is wanted. */
	if (entry && entry->opened && now < entry->until && (entry->held || !holds))
		return false;
	mac_from_u64(flap->key >> 16, mac);
	runtime->loops.noticed++;
	if (!entry) {
		log_limited(LOG_LEVEL_WARNING,
			"network %s: a loop between ports %s and %s; too many are known to hold it",
			state->model.networks[network].name, old, young);
		return false;
	}
	again = entry->opened && now - entry->until < MEMORY * entry->length;
	*entry = (struct loop_hold){
		.opened = state->ports[b].opened,
		.port = state->ports[b].index,
		.older = state->ports[a].index,
		.network = state->networks[network],
		.length = again ? MIN(2 * entry->length, HOLD_NS_MAX) : HOLD_NS,
		.held = holds,
	};
	entry->until = now + entry->length;
	entry->settled = now + SETTLE_NS;
	snprintf(entry->other, sizeof(entry->other), "%s", old);
	value_mac_format(mac, entry->address);
	if (entry->held)
		snprintf(done, sizeof(done), "flooding at port %s is held for %u s", young,
			(unsigned)(entry->length / NS_PER_SECOND));
	log_limited(LOG_LEVEL_WARNING,
		"network %s: address %s moves back and forth between ports %s and %s: a loop, or "
		"two guests with one address; %s",
		state->model.networks[network].name, entry->address, old, young, done);
	return entry->held;
}

/* Ends what is over, and forgets what is long over. True where a port is free again. */
static bool expire(struct loops *loops, uint64_t now)
{
	bool freed = false;

	for (unsigned i = 0; i < LOOPS_MAX; i++) {
		struct loop_hold *entry = &loops->of[i];

		if (!entry->opened || now < entry->until)
			continue;
		if (entry->held) {
			entry->held = false;
			freed = true;
		} else if (now - entry->until >= MEMORY * entry->length) {
			*entry = (struct loop_hold){0};
		}
	}
	return freed;
}

/*
 * Whether another one says more about the same network. Where a loop is, the addresses that go
 * round in it move between its two ports thousands of times a second, and between those and the
 * port of whoever speaks as often as that one speaks: that port is not to be held.
 */
static bool is_outdone(const struct fdb_flap *flaps, unsigned count, unsigned i)
{
	for (unsigned other = 0; other < count; other++)
		if ((uint16_t)flaps[other].key == (uint16_t)flaps[i].key &&
			(flaps[other].moves > flaps[i].moves ||
				(flaps[other].moves == flaps[i].moves && other < i)))
			return true;
	return false;
}

/* What the loop has taught about where addresses are, at its older end as well: a station that only
 * answers would be looked for there until it ages. */
static void forget_taught(struct runtime *runtime, const struct loop_hold *entry)
{
	fdb_flush(runtime->fdb, entry->port, entry->network);
	fdb_flush(runtime->fdb, entry->older, entry->network);
}

static void look(evutil_socket_t fd, short what, void *argument)
{
	struct fdb_flap flaps[FDB_FLAP_MAX];
	struct runtime *runtime = argument;
	uint64_t now = clock_now_ns();
	unsigned count = fdb_take_flaps(runtime->fdb, flaps, FDB_FLAP_MAX);
	bool changed = expire(&runtime->loops, now);

	for (unsigned i = 0; i < count; i++)
		if (!is_outdone(flaps, count, i))
			changed |= hold(runtime, &flaps[i], now);
	if (changed)
		publish(runtime);
	for (unsigned i = 0; i < LOOPS_MAX; i++)
		if (runtime->loops.of[i].held && now < runtime->loops.of[i].settled)
			forget_taught(runtime, &runtime->loops.of[i]);
}

int loops_start(struct runtime *runtime)
{
	struct timeval period = {.tv_sec = LOOK_SECONDS};

	runtime->loops.timer = event_new(runtime->base, -1, EV_PERSIST, look, runtime);
	if (!runtime->loops.timer)
		return -ENOMEM;
	event_add(runtime->loops.timer, &period);
	return 0;
}

void loops_prune(struct runtime *runtime)
{
	const struct runtime_state *state = &runtime->state;

	for (unsigned i = 0; i < LOOPS_MAX; i++) {
		struct loop_hold *entry = &runtime->loops.of[i];
		int port = entry->opened ? position_of_port(state, entry->port) : -1;
		int network = position_of_network(state, entry->network);

		if (port < 0 || state->ports[port].opened != entry->opened || network < 0 ||
			state->model.networks[network].loops != MODEL_LOOPS_HOLD) {
			if (entry->held)
				forget_taught(runtime, entry);
			*entry = (struct loop_hold){0};
		}
	}
	count_held(&runtime->loops);
}

json_t *loops_show_port(const struct runtime *runtime, unsigned position)
{
	const struct runtime_state *state = &runtime->state;
	uint64_t now = clock_now_ns();
	json_t *array = json_array();

	for (unsigned i = 0; i < LOOPS_MAX; i++) {
		const struct loop_hold *entry = &runtime->loops.of[i];

		if (!entry->held || entry->opened != state->ports[position].opened)
			continue;
		json_array_append_new(array,
			json_pack("{s:s, s:I, s:s, s:s}", "network",
				state->model.networks[position_of_network(state, entry->network)]
					.name,
				"seconds",
				(json_int_t)(entry->until > now
						     ? (entry->until - now) / NS_PER_SECOND
						     : 0),
				"other", entry->other, "mac", entry->address));
	}
	return array;
}

json_t *loops_show_network(const struct runtime *runtime, unsigned position)
{
	const struct runtime_state *state = &runtime->state;
	json_t *array = json_array();

	for (unsigned i = 0; i < LOOPS_MAX; i++) {
		const struct loop_hold *entry = &runtime->loops.of[i];
		int port;

		if (!entry->held || entry->network != state->networks[position])
			continue;
		port = position_of_port(state, entry->port);
		if (port >= 0)
			json_array_append_new(array, json_string(state->model.ports[port].name));
	}
	return array;
}
