/* SPDX-License-Identifier: BSD-3-Clause */
/* What a value may be: from its text into the object. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/schema.h"
#include "host/names.h"

/* What passes through a shell and the option lists of every VMM as it is (commas aside, which
 * `vsw port args` doubles for QEMU). */
#define PATH_MARKS "/._-+,:@%="

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

int schema_check_name(const char *name, struct error *error)
{
	bool begins = *name && strchr(LETTERS DIGITS "_", *name);

	if (!begins || name[strspn(name, LETTERS DIGITS "_.-")] != '\0')
		return error_set(error, -EINVAL,
			"'%.64s' is not a name: letters, digits, '_', '.' and '-', "
			"not beginning with '.' or '-'",
			name);
	if (strlen(name) >= MODEL_NAME_SIZE)
		return error_set(error, -EINVAL, "name of %zu characters is too long: at most %u",
			strlen(name), MODEL_NAME_SIZE - 1);
	return 0;
}

static int set_number(
	const struct schema_key *key, unsigned *field, const char *text, struct error *error)
{
	unsigned number;

	if (key->nothing_written && strcmp(text, key->nothing) == 0)
		number = 0;
	else if (!value_number_parse(text, &number))
		return error_set(error, -EINVAL, "'%.64s' is not a number from %u to %u", text,
			key->minimum, key->maximum);
	else if (number < key->minimum || number > key->maximum)
		return error_set(error, -EINVAL, "%.64s is not between %u and %u", text,
			key->minimum, key->maximum);
	*field = number;
	return 0;
}

static int set_word(
	const struct schema_key *key, unsigned *field, const char *text, struct error *error)
{
	char known[256] = "";
	size_t used = 0;

	for (unsigned i = 0; schema_word(key, i); i++) {
		if (strcmp(text, schema_word(key, i)) == 0) {
			*field = i;
			return 0;
		}
		if (used < sizeof(known))
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s'%s'",
				i ? " or " : "", schema_word(key, i));
	}
	return error_set(error, -EINVAL, "'%.64s' is not known here: must be %s", text, known);
}

/* Owner and group may be given reading and writing; a socket that everybody may open is a choice,
 * too. */
static int set_mode(unsigned *field, const char *text, struct error *error)
{
	if (strlen(text) != 4 || text[0] != '0' || strspn(text + 1, "0246") != 3 || text[1] != '6')
		return error_set(error, -EINVAL, "'%.64s' " SCHEMA_MODE_RULE, text);
	*field = (unsigned)strtoul(text, NULL, 8);
	return 0;
}

static int set_path(
	const struct schema_key *key, char *field, const char *text, struct error *error)
{
	size_t sound = strspn(text, LETTERS DIGITS PATH_MARKS);

	if (text[0] != '/')
		return error_set(
			error, -EINVAL, "'%.64s' must be a path that begins with '/'", text);
	if (text[sound])
		return error_set(error, -EINVAL,
			"'%c' may not stand in a path here, only letters, digits and any of %s: a "
			"VMM's command line takes nothing else unchanged",
			text[sound], PATH_MARKS);
	if (strlen(text) >= key->size)
		return error_set(error, -EINVAL,
			"path of %zu characters is too long for a unix socket: at most %zu",
			strlen(text), key->size - 1);
	strcpy(field, text);
	return 0;
}

static int set_text(
	const struct schema_key *key, char *field, const char *text, struct error *error)
{
	const char *wrong = key->check ? key->check(text) : NULL;

	for (const char *c = text; *c && !wrong; c++)
		if (*c < ' ' || *c > '~')
			wrong = "holds what cannot be printed";
	if (!wrong && strlen(text) >= key->size)
		wrong = "is too long";
	if (wrong)
		return error_set(error, -EINVAL, "'%.64s' %s", text, wrong);
	strcpy(field, text);
	return 0;
}

static int add_text(const struct schema_key *key, struct value_texts *field, const char *text,
	struct error *error)
{
	struct schema_key one = *key;
	size_t name = key->pairs ? strcspn(text, "=") : strlen(text);
	char copy[VALUE_TEXT_SIZE];
	int rc;

	one.size = sizeof(copy);
	if (key->pairs && !text[name])
		return error_set(error, -EINVAL, "'%.64s' is not KEY=VALUE", text);
	rc = set_text(&one, copy, text, error);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < field->count && !key->repeats; i++)
		if (strncmp(field->of[i], text, key->pairs ? name + 1 : sizeof(copy)) == 0)
			return error_set(error, -EINVAL, "'%.*s' is listed twice", (int)name, text);
	if (field->count == key->maximum)
		return error_set(error, -EINVAL, "more than %u are too many", key->maximum);
	if (value_texts_add(field, text) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	return 0;
}

static int set_name(
	const struct schema_key *key, char *field, const char *text, struct error *error)
{
	int rc = schema_check_name(text, error);
	uint32_t id;

	if (rc < 0)
		return rc;
	if (key->kind == SCHEMA_GROUP && !host_group(text, &id))
		return error_set(error, -EINVAL, "this machine has no group '%s'", text);
	if (key->kind == SCHEMA_USER && !host_user(text, &id))
		return error_set(error, -EINVAL, "this machine has no user '%s'", text);
	strcpy(field, text);
	return 0;
}

static int set_mac(struct value_mac *field, const char *text, struct error *error)
{
	static const uint8_t zero[6];
	struct value_mac mac = {.set = true};

	if (!value_mac_parse(text, mac.bytes))
		return error_set(error, -EINVAL,
			"'%.64s' is not a MAC address such as 52:54:00:00:00:01", text);
	if (mac.bytes[0] & 1)
		return error_set(error, -EINVAL, "'%s' is a multicast address", text);
	if (memcmp(mac.bytes, zero, sizeof(zero)) == 0)
		return error_set(error, -EINVAL, "the zero address cannot be a port's");
	*field = mac;
	return 0;
}

static int add_network(struct value_names *field, const char *text, struct error *error)
{
	if (value_names_add(field, text) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	return 0;
}

static int add_address(const struct schema_key *key, struct value_addresses *field,
	const char *text, struct error *error)
{
	struct value_address address;
	const char *wrong = value_address_parse(
		text, key->kind == SCHEMA_ADDRESSES ? VALUE_PREFIX : VALUE_INTERFACE, &address);

	if (!wrong && value_addresses_has(field, &address))
		wrong = "is listed twice";
	if (wrong)
		return error_set(error, -EINVAL, "'%.64s' %s", text, wrong);
	if (field->count == key->maximum)
		return error_set(
			error, -EINVAL, "more than %u addresses are too many", key->maximum);
	if (value_addresses_add(field, &address) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	return 0;
}

static int add_forward(struct value_forwards *field, const char *text, struct error *error)
{
	struct value_forward forward;
	const char *wrong = value_forward_parse(text, &forward);

	if (!wrong && value_forwards_has(field, &forward))
		wrong = "forwards a port a second time";
	if (wrong)
		return error_set(error, -EINVAL, "'%.64s' %s", text, wrong);
	if (value_forwards_add(field, &forward) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	return 0;
}

/* What is wrong with it as a subnet in which hosts are. */
static const char *check_subnet(const struct value_address *address)
{
	const uint8_t *bytes = address->bytes;

	if (!address->ipv6)
		return bytes[0] == 0 || bytes[0] == 127 || bytes[0] >= 240
			       ? "is not for hosts in a network (RFC 6890)"
			       : NULL;
	return bytes[0] == 0 || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		       ? "is not for hosts in a network (RFC 6890)"
		       : NULL;
}

/* A subnet, or one address. */
static int set_address(const struct schema_key *key, struct value_address *field, const char *text,
	struct error *error)
{
	struct value_address address = {0};
	bool subnet = key->kind == SCHEMA_SUBNET;
	const char *wrong;

	if (key->nothing_written && strcmp(text, key->nothing) == 0) {
		*field = address;
		return 0;
	}
	wrong = value_address_parse(text, VALUE_PREFIX, &address);
	if (!wrong && address.ipv6 != key->ipv6)
		wrong = key->ipv6 ? "is not IPv6" : "is not IPv4";
	if (!wrong && !subnet && address.length != (key->ipv6 ? 128 : 32))
		wrong = "is a network, not one address";
	if (!wrong && subnet && (address.length < key->minimum || address.length > key->maximum))
		return error_set(error, -EINVAL, "'%.64s' needs a prefix length from %u to %u",
			text, key->minimum, key->maximum);
	if (!wrong && subnet)
		wrong = check_subnet(&address);
	if (wrong)
		return error_set(error, -EINVAL, "'%.64s' %s", text, wrong);
	*field = address;
	return 0;
}

int schema_set(const struct schema_key *key, void *object, const char *text, struct error *error)
{
	void *field = (char *)object + key->offset;

	switch (key->kind) {
	case SCHEMA_NUMBER:
		return set_number(key, field, text, error);
	case SCHEMA_CHOICE:
	case SCHEMA_FLAG:
		return set_word(key, field, text, error);
	case SCHEMA_MODE:
		return set_mode(field, text, error);
	case SCHEMA_PATH:
		return set_path(key, field, text, error);
	case SCHEMA_TEXT:
		return set_text(key, field, text, error);
	case SCHEMA_USER:
	case SCHEMA_GROUP:
	case SCHEMA_NETWORK:
		return set_name(key, field, text, error);
	case SCHEMA_NETWORKS:
		return add_network(field, text, error);
	case SCHEMA_MAC:
		return set_mac(field, text, error);
	case SCHEMA_ADDRESSES:
	case SCHEMA_HOST_ADDRESSES:
		return add_address(key, field, text, error);
	case SCHEMA_TEXTS:
		return add_text(key, field, text, error);
	case SCHEMA_FORWARDS:
		return add_forward(field, text, error);
	case SCHEMA_SUBNET:
	case SCHEMA_ADDRESS:
		return set_address(key, field, text, error);
	}
	return error_set(error, -EINVAL, "no such kind of value");
}

void schema_sort(const struct schema_key *key, void *object)
{
	void *field = (char *)object + key->offset;

	if (key->kind == SCHEMA_NETWORKS)
		value_names_sort(field);
	else if (key->kind == SCHEMA_FORWARDS)
		value_forwards_sort(field);
	else if (schema_is_list(key) && key->kind != SCHEMA_TEXTS)
		value_addresses_sort(field);
}
