/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resources.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void claims_add(struct claims *claims, const char *kind, const char *key, const char *format, ...)
{
	struct claim claim = {.kind = kind, .key = key, .owner = claims->owner};
	struct claim *grown = claims->of;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vasprintf(&claim.text, format, arguments);
	va_end(arguments);
	if (n >= 0 && !(claims->count & (claims->count - 1)))
		grown = reallocarray(
			grown, claims->count ? 2 * (size_t)claims->count : 1, sizeof(*grown));
	if (n < 0 || !grown) {
		if (n >= 0)
			free(claim.text);
		claims->out_of_memory = true;
		return;
	}
	claims->of = grown;
	claims->of[claims->count++] = claim;
}

/* Whether, and in what order, two claims are to the same thing. */
static int compare_things(const struct claim *a, const struct claim *b)
{
	int order = strcmp(a->kind, b->kind);

	return order ? order : strcmp(a->text, b->text);
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = compare_things(x, y);

	return order ? order : (x->owner > y->owner) - (x->owner < y->owner);
}

static void claim_for_port(const struct model_port *port, struct claims *claims)
{
	if (port->settings && model_kinds[port->type]->claims)
		model_kinds[port->type]->claims(port, claims);
}

int claims_of(struct claims *claims, const struct model *model, const bool *which)
{
	*claims = (struct claims){0};
	for (unsigned i = 0; i < model->port_count; i++) {
		claims->owner = i;
		if (!which || which[i])
			claim_for_port(&model->ports[i], claims);
	}
	if (claims->out_of_memory) {
		claims_fini(claims);
		return -ENOMEM;
	}
	if (claims->count)
		qsort(claims->of, claims->count, sizeof(*claims->of), compare_claims);
	return 0;
}

void claims_fini(struct claims *claims)
{
	for (unsigned i = 0; i < claims->count; i++)
		free(claims->of[i].text);
	free(claims->of);
	*claims = (struct claims){0};
}

const struct claim *resources_next_clash(const struct claims *claims, unsigned *position)
{
	for (unsigned i = MAX(*position, 1); i < claims->count; i++) {
		const struct claim *claim = &claims->of[i];

		if (compare_things(claim - 1, claim) != 0 || claim[-1].owner == claim->owner)
			continue;
		*position = i + 1;
		return claim;
	}
	return NULL;
}

static const struct claim *find(const struct claims *claims, const struct claim *wanted)
{
	for (unsigned i = 0; i < claims->count; i++)
		if (compare_things(&claims->of[i], wanted) == 0)
			return &claims->of[i];
	return NULL;
}

int resources_holder(struct claims *claims, const struct model_port *port)
{
	struct claims wanted = {0};
	const struct claim *held = NULL;

	claim_for_port(port, &wanted);
	claims->out_of_memory |= wanted.out_of_memory;
	for (unsigned i = 0; i < wanted.count && !held; i++)
		held = find(claims, &wanted.of[i]);
	claims_fini(&wanted);
	return held ? (int)held->owner : -1;
}

/* Walks both sorted lists at once. */
static void match(const struct claims *held, const struct claims *wanted, bool *yields, bool *waits)
{
	unsigned h = 0, w = 0;

	while (h < held->count && w < wanted->count) {
		int order = compare_things(&held->of[h], &wanted->of[w]);

		if (order == 0) {
			yields[held->of[h].owner] = true;
			waits[wanted->of[w].owner] = true;
		}
		if (order <= 0)
			h++;
		else
			w++;
	}
}

int resources_handover(const struct model *old, const bool *leaves, const struct model *new,
	const bool *opens, bool *yields, bool *waits)
{
	struct claims held, wanted;

	if (claims_of(&held, old, leaves) < 0)
		return -ENOMEM;
	if (claims_of(&wanted, new, opens) < 0) {
		claims_fini(&held);
		return -ENOMEM;
	}
	match(&held, &wanted, yields, waits);
	claims_fini(&held);
	claims_fini(&wanted);
	return 0;
}
