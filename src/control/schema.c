/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const flag_words[] = {"false", "true", NULL};

static void *field_of(const struct schema_key *key, void *object)
{
	return (char *)object + key->offset;
}

static const void *read_field(const struct schema_key *key, const void *object)
{
	return (const char *)object + key->offset;
}

const char *schema_inner_name(const struct schema_key *key)
{
	return key->name + (key->map ? strlen(key->map) + strlen(".") : 0);
}

bool schema_is_list(const struct schema_key *key)
{
	return key->kind == SCHEMA_NETWORKS || key->kind == SCHEMA_ADDRESSES ||
	       key->kind == SCHEMA_HOST_ADDRESSES || key->kind == SCHEMA_TEXTS ||
	       key->kind == SCHEMA_FORWARDS;
}

const char *schema_word(const struct schema_key *key, unsigned i)
{
	if (key->kind == SCHEMA_FLAG)
		return flag_words[i];
	if (key->kind != SCHEMA_CHOICE)
		return NULL;
	return key->word ? key->word(i) : key->words[i];
}

static void init_field(const struct schema_key *key, void *object)
{
	void *field = field_of(key, object);

	memset(field, 0, key->size);
	switch (key->kind) {
	case SCHEMA_NUMBER:
	case SCHEMA_CHOICE:
	case SCHEMA_FLAG:
	case SCHEMA_MODE:
		*(unsigned *)field = key->initial;
		break;
	case SCHEMA_PATH:
	case SCHEMA_TEXT:
		if (key->initial_text)
			snprintf(field, key->size, "%s", key->initial_text);
		break;
	default:
		break;
	}
}

void schema_init(const struct schema *schema, void *object)
{
	for (unsigned i = 0; i < schema->count; i++)
		init_field(&schema->keys[i], object);
}

/* The array of a list. */
static void free_list(const struct schema_key *key, void *object)
{
	if (key->kind == SCHEMA_NETWORKS)
		free(((struct value_names *)field_of(key, object))->of);
	else if (key->kind == SCHEMA_TEXTS)
		free(((struct value_texts *)field_of(key, object))->of);
	else if (key->kind == SCHEMA_FORWARDS)
		free(((struct value_forwards *)field_of(key, object))->of);
	else if (schema_is_list(key))
		free(((struct value_addresses *)field_of(key, object))->of);
}

void schema_reset(const struct schema_key *key, void *object)
{
	free_list(key, object);
	init_field(key, object);
}

void schema_fini(const struct schema *schema, void *object)
{
	for (unsigned i = 0; i < schema->count; i++)
		schema_reset(&schema->keys[i], object);
}

static int copy_list(const struct schema_key *key, void *to, const void *from)
{
	if (key->kind == SCHEMA_NETWORKS) {
		const struct value_names *names = from;

		for (unsigned i = 0; i < names->count; i++)
			if (value_names_add(to, names->of[i]) < 0)
				return -ENOMEM;
	} else if (key->kind == SCHEMA_TEXTS) {
		const struct value_texts *texts = from;

		for (unsigned i = 0; i < texts->count; i++)
			if (value_texts_add(to, texts->of[i]) < 0)
				return -ENOMEM;
	} else if (key->kind == SCHEMA_FORWARDS) {
		const struct value_forwards *forwards = from;

		for (unsigned i = 0; i < forwards->count; i++)
			if (value_forwards_add(to, &forwards->of[i]) < 0)
				return -ENOMEM;
	} else {
		const struct value_addresses *addresses = from;

		for (unsigned i = 0; i < addresses->count; i++)
			if (value_addresses_add(to, &addresses->of[i]) < 0)
				return -ENOMEM;
	}
	return 0;
}

int schema_copy(const struct schema *schema, void *to, const void *from)
{
	schema_init(schema, to);
	for (unsigned i = 0; i < schema->count; i++) {
		const struct schema_key *key = &schema->keys[i];
		void *field = field_of(key, to);

		if (!schema_is_list(key)) {
			memcpy(field, read_field(key, from), key->size);
		} else if (copy_list(key, field, read_field(key, from)) < 0) {
			schema_fini(schema, to);
			return -ENOMEM;
		}
	}
	return 0;
}

const struct schema_key *schema_find(const struct schema *schema, const char *name)
{
	for (unsigned i = 0; i < schema->count; i++)
		if (strcmp(schema->keys[i].name, name) == 0)
			return &schema->keys[i];
	return NULL;
}

unsigned schema_count(const struct schema_key *key, const void *object)
{
	const void *field = read_field(key, object);

	switch (key->kind) {
	case SCHEMA_CHOICE:
	case SCHEMA_FLAG:
		return 1;
	case SCHEMA_NUMBER:
		return !key->nothing || *(const unsigned *)field;
	case SCHEMA_MODE:
		return *(const unsigned *)field != 0;
	case SCHEMA_MAC:
		return ((const struct value_mac *)field)->set;
	case SCHEMA_NETWORKS:
		return ((const struct value_names *)field)->count;
	case SCHEMA_FORWARDS:
		return ((const struct value_forwards *)field)->count;
	case SCHEMA_ADDRESSES:
	case SCHEMA_HOST_ADDRESSES:
		return ((const struct value_addresses *)field)->count;
	case SCHEMA_TEXTS:
		return ((const struct value_texts *)field)->count;
	case SCHEMA_SUBNET:
	case SCHEMA_ADDRESS:
		return ((const struct value_address *)field)->length != 0;
	default:
		return *(const char *)field != '\0';
	}
}

bool schema_is_set(const struct schema_key *key, const void *object)
{
	return schema_count(key, object) > 0;
}

void schema_text(
	const struct schema_key *key, const void *object, unsigned i, char text[SCHEMA_TEXT_SIZE])
{
	const void *field = read_field(key, object);

	switch (key->kind) {
	case SCHEMA_CHOICE:
	case SCHEMA_FLAG:
		snprintf(text, SCHEMA_TEXT_SIZE, "%s", schema_word(key, *(const unsigned *)field));
		break;
	case SCHEMA_NUMBER:
		snprintf(text, SCHEMA_TEXT_SIZE, "%u", *(const unsigned *)field);
		break;
	case SCHEMA_MODE:
		snprintf(text, SCHEMA_TEXT_SIZE, "%04o", *(const unsigned *)field);
		break;
	case SCHEMA_MAC:
		value_mac_format(((const struct value_mac *)field)->bytes, text);
		break;
	case SCHEMA_NETWORKS:
		snprintf(text, SCHEMA_TEXT_SIZE, "%s", ((const struct value_names *)field)->of[i]);
		break;
	case SCHEMA_FORWARDS:
		value_forward_format(&((const struct value_forwards *)field)->of[i], text);
		break;
	case SCHEMA_ADDRESSES:
	case SCHEMA_HOST_ADDRESSES:
		value_address_format(&((const struct value_addresses *)field)->of[i],
			key->kind == SCHEMA_HOST_ADDRESSES ? VALUE_INTERFACE : VALUE_PREFIX, text);
		break;
	case SCHEMA_TEXTS:
		snprintf(text, SCHEMA_TEXT_SIZE, "%s", ((const struct value_texts *)field)->of[i]);
		break;
	case SCHEMA_SUBNET:
	case SCHEMA_ADDRESS:
		value_address_format(field, VALUE_PREFIX, text);
		break;
	default:
		snprintf(text, SCHEMA_TEXT_SIZE, "%s", (const char *)field);
	}
}

bool schema_is_initial(const struct schema_key *key, const void *object)
{
	const void *field = read_field(key, object);

	switch (key->kind) {
	case SCHEMA_NUMBER:
	case SCHEMA_CHOICE:
	case SCHEMA_FLAG:
	case SCHEMA_MODE:
		return *(const unsigned *)field == key->initial;
	case SCHEMA_PATH:
	case SCHEMA_TEXT:
		return strcmp(field, key->initial_text ? key->initial_text : "") == 0;
	default:
		return !schema_is_set(key, object);
	}
}

bool schema_equal(const struct schema_key *key, const void *a, const void *b)
{
	unsigned count = schema_count(key, a);
	char x[SCHEMA_TEXT_SIZE], y[SCHEMA_TEXT_SIZE];

	if (count != schema_count(key, b))
		return false;
	for (unsigned i = 0; i < count; i++) {
		schema_text(key, a, i, x);
		schema_text(key, b, i, y);
		if (strcmp(x, y) != 0)
			return false;
	}
	return true;
}

void schema_print(FILE *out, const struct schema_key *key, const void *object)
{
	unsigned count = schema_count(key, object);
	char text[SCHEMA_TEXT_SIZE];

	if (!count) {
		fputs(key->nothing ? key->nothing : "none", out);
		return;
	}
	fputs(schema_is_list(key) ? "[" : "", out);
	for (unsigned i = 0; i < count; i++) {
		schema_text(key, object, i, text);
		fprintf(out, "%s%s", i ? ", " : "", text);
	}
	fputs(schema_is_list(key) ? "]" : "", out);
}

void schema_print_range(FILE *out, const struct schema_key *key)
{
	static const char *const kinds[] = {
		[SCHEMA_MODE] = "MODE",
		[SCHEMA_PATH] = "PATH",
		[SCHEMA_TEXT] = "TEXT",
		[SCHEMA_USER] = "USER",
		[SCHEMA_GROUP] = "GROUP",
		[SCHEMA_NETWORK] = "NETWORK",
		[SCHEMA_NETWORKS] = "NETWORK,...",
		[SCHEMA_MAC] = "MAC",
		[SCHEMA_ADDRESSES] = "ADDRESS[/LENGTH],...",
		[SCHEMA_HOST_ADDRESSES] = "ADDRESS/LENGTH,...",
		[SCHEMA_TEXTS] = "TEXT,...",
		[SCHEMA_SUBNET] = "ADDRESS/LENGTH",
		[SCHEMA_ADDRESS] = "ADDRESS",
		[SCHEMA_FORWARDS] = "PROTOCOL/PORT=VM:PORT,...",
	};

	if (key->kind == SCHEMA_NUMBER)
		fprintf(out, "%s%s%u-%u", key->nothing_written ? key->nothing : "",
			key->nothing_written ? "|" : "", key->minimum, key->maximum);
	else if (key->kind < ARRAY_SIZE(kinds) && kinds[key->kind])
		fprintf(out, "%s%s%s", key->nothing_written ? key->nothing : "",
			key->nothing_written ? "|" : "",
			key->pairs ? "KEY=VALUE,..." : kinds[key->kind]);
	for (unsigned i = 0; schema_word(key, i); i++)
		fprintf(out, "%s%s", i ? "|" : "", schema_word(key, i));
}
