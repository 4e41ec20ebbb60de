/* SPDX-License-Identifier: BSD-3-Clause */
/* Who leaves, who opens, and in what order: things that change hands in rings and chains, compared
 * with a dumb model, and ports for which there are no indices left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/resources.h"
#include "control/transition.h"
#include "control/yaml/config.h"
#include "forward/topology.h"

#define TEXT_SIZE (128 * 1024)

static void parse(const char *text, struct model *model)
{
	struct config_errors errors;

	if (config_parse("f.yaml", text, strlen(text), model, &errors) < 0)
		fail_msg("%s", errors.lines[0]);
	config_errors_fini(&errors);
}

/* "a=1 b=2": a port a whose socket is /1, and b with /2. The network "n+1" is another one. */
static void make(const char *words, struct model *model)
{
	char *text = malloc(TEXT_SIZE);
	char *at = text;
	char name[64], socket[64], network[64] = "n";
	int used;

	at += sprintf(at, "networks: { n: {}, m: {} }\nports:\n");
	while (sscanf(words, " %63[^=]=%63[^ /]%n", name, socket, &used) == 2) {
		words += used;
		strcpy(network, *words == '/' ? "m" : "n");
		words += *words == '/';
		at += sprintf(at, "  %s: { type: vhost-user, network: %s, socket: /%s }\n", name,
			network, socket);
	}
	parse(text, model);
	free(text);
}

/* The marked ports' names. */
static void names(const struct model *model, const bool *marks, char *text)
{
	*text = '\0';
	for (unsigned i = 0; i < model->port_count; i++)
		if (marks[i])
			sprintf(text + strlen(text), "%s%s", *text ? " " : "",
				model->ports[i].name);
}

static void test_order(void **state)
{
	static const struct {
		const char *old, *new;
		const char *leaves, *yields, *outdated, *opens, *waits;
	} cases[] = {
		{"a=1", "a=1", "", "", "", "", ""},
		{"", "a=1", "", "", "", "a", ""},
		{"a=1", "", "a", "", "", "", ""},
		/* In another network, and nothing else. */
		{"a=1 b=2", "a=1/ b=2", "", "", "a", "", ""},
		/* Another socket, that nobody has. */
		{"a=1", "a=2", "a", "", "", "a", ""},
		/* Handed over to a port of another name; c has nothing to do with it. */
		{"a=1 c=3", "b=1 d=4", "a c", "a", "", "b d", "b"},
		/* A ring of two, and of three. */
		{"a=1 b=2", "a=2 b=1", "a b", "a b", "", "a b", "a b"},
		{"a=1 b=2 c=3", "a=2 b=3 c=1", "a b c", "a b c", "", "a b c", "a b c"},
		/* A chain: a takes from b, which takes from c, which goes elsewhere. */
		{"a=1 b=2 c=3", "a=2 b=3 c=4", "a b c", "b c", "", "a b c", "a b"},
		{"a=1 b=2 c=3", "a=2 b=3", "a b c", "b c", "", "a b", "a b"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct transition transition;
		struct model old, new;
		struct diff diff;
		char text[256];

		make(cases[i].old, &old);
		make(cases[i].new, &new);
		assert_int_equal(diff_new(&diff, &old, &new), 0);
		assert_int_equal(transition_new(&transition, &diff, &old, &new), 0);
		names(&old, transition.leaves, text);
		assert_string_equal(text, cases[i].leaves);
		names(&old, transition.yields, text);
		assert_string_equal(text, cases[i].yields);
		names(&old, transition.outdated, text);
		assert_string_equal(text, cases[i].outdated);
		names(&new, transition.opens, text);
		assert_string_equal(text, cases[i].opens);
		names(&new, transition.waits, text);
		assert_string_equal(text, cases[i].waits);
		assert_int_equal(transition_waits(&transition, &new), *cases[i].waits != '\0');
		transition_fini(&transition);
		diff_fini(&diff);
		model_fini(&old);
		model_fini(&new);
	}
}

/* Ports p0 to p7, each with one of eight sockets, none twice. */
static void random_words(char *words)
{
	unsigned sockets[8] = {0, 1, 2, 3, 4, 5, 6, 7};

	*words = '\0';
	for (unsigned i = 0; i < 8; i++) {
		unsigned other = i + (unsigned)rand() % (8 - i);
		unsigned socket = sockets[other];

		sockets[other] = sockets[i];
		if (rand() % 4)
			sprintf(words + strlen(words), "%sp%u=s%u", *words ? " " : "", i, socket);
	}
}

static bool same_claim(const struct model *a, unsigned i, const struct model *b, unsigned k)
{
	struct claims x, y;
	bool only[16] = {false}, same;

	only[i] = true;
	assert_int_equal(claims_of(&x, a, only), 0);
	only[i] = false;
	only[k] = true;
	assert_int_equal(claims_of(&y, b, only), 0);
	assert_int_equal(x.count, 1);
	assert_int_equal(y.count, 1);
	same = strcmp(x.of->text, y.of->text) == 0;
	claims_fini(&x);
	claims_fini(&y);
	return same;
}

static void test_handover_like_a_dumb_model(void **state)
{
	srand(1);
	for (unsigned round = 0; round < 500; round++) {
		bool leaves[8], opens[8], yields[8] = {false}, waits[8] = {false};
		bool dumb_yields[8] = {false}, dumb_waits[8] = {false};
		struct model old, new;
		char words[256];

		random_words(words);
		make(words, &old);
		random_words(words);
		make(words, &new);
		for (unsigned i = 0; i < 8; i++) {
			leaves[i] = i < old.port_count && rand() % 2;
			opens[i] = i < new.port_count &&rand() % 2;
		}
		for (unsigned i = 0; i < old.port_count; i++)
			for (unsigned k = 0; k < new.port_count; k++)
				if (leaves[i] && opens[k] && same_claim(&old, i, &new, k))
					dumb_yields[i] = dumb_waits[k] = true;
		assert_int_equal(resources_handover(&old, leaves, &new, opens, yields, waits), 0);
		assert_memory_equal(yields, dumb_yields, sizeof(yields));
		assert_memory_equal(waits, dumb_waits, sizeof(waits));
		model_fini(&old);
		model_fini(&new);
	}
}

static void test_holder(void **state)
{
	struct claims claims;
	struct model old, new;
	bool which[3] = {true, false, true};

	make("a=1 b=2 c=3", &old);
	make("d=3 e=2 f=9", &new);
	assert_int_equal(claims_of(&claims, &old, which), 0);
	assert_int_equal(resources_holder(&claims, &new.ports[0]), 2);
	assert_int_equal(resources_holder(&claims, &new.ports[1]), -1);
	assert_int_equal(resources_holder(&claims, &new.ports[2]), -1);
	assert_false(claims.out_of_memory);
	claims_fini(&claims);
	model_fini(&old);
	model_fini(&new);
}

static void test_clashes(void **state)
{
	struct claims claims = {0};
	const struct claim *clash;
	unsigned position = 0;

	/* Sorted, as claims_of() leaves them: path x of 0 and 1, path y of 2 twice, interface y of
	 * 0. */
	claims_add(&claims, "interface", "ifname", "%s/%s", "", "y");
	claims_add(&claims, "path", "socket", "x");
	claims.owner = 1;
	claims_add(&claims, "path", "socket", "x");
	claims.owner = 2;
	claims_add(&claims, "path", "socket", "y");
	claims_add(&claims, "path", "log", "y");
	clash = resources_next_clash(&claims, &position);
	assert_non_null(clash);
	assert_int_equal(clash->owner, 1);
	assert_int_equal(clash[-1].owner, 0);
	assert_string_equal(clash->text, "x");
	assert_null(resources_next_clash(&claims, &position));
	claims_fini(&claims);
}

/* As many ports as there are indices, all in use, and all replaced: nothing is claimed twice, and
 * yet the old ones leave first. */
static void test_no_room(void **state)
{
	char *words = malloc(TEXT_SIZE);
	char *at = words;
	struct transition transition;
	struct model old, new;
	struct diff diff;

	for (unsigned i = 0; i < TOPOLOGY_PORT_MAX; i++)
		at += sprintf(at, "a%u=a%u ", i, i);
	make(words, &old);
	at = words + sprintf(words, "b=b ");
	for (unsigned i = 1; i < TOPOLOGY_PORT_MAX; i++)
		at += sprintf(at, "a%u=a%u ", i, i);
	make(words, &new);
	assert_int_equal(diff_new(&diff, &old, &new), 0);
	assert_int_equal(transition_new(&transition, &diff, &old, &new), 0);
	names(&old, transition.yields, words);
	assert_string_equal(words, "a0");
	names(&new, transition.waits, words);
	assert_string_equal(words, "b");
	transition_fini(&transition);
	diff_fini(&diff);
	model_fini(&old);
	model_fini(&new);
	free(words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_handover_like_a_dumb_model),
		cmocka_unit_test(test_holder),
		cmocka_unit_test(test_clashes),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
