/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/lease_record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "packet/headers.h"

#define FORGOTTEN "gone"
#define NOTHING   "-"
#define FIELDS    9

static const char *const states[] = {
	[LEASE_PAST] = "past",
	[LEASE_OFFERED] = "offered",
	[LEASE_BOUND] = "bound",
	[LEASE_DECLINED] = "declined",
};

/* FNV-1a: against accidents, not against people. */
static uint32_t check_of(const char *text, size_t length)
{
	uint32_t hash = 0x811c9dc5u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x01000193u;
	return hash;
}

void lease_record_address(const struct lease_record *record, char text[LEASE_ADDRESS_TEXT_SIZE])
{
	uint8_t bytes[16];

	if (record->ipv6) {
		memcpy(bytes, record->prefix, 8);
		store_be32(bytes + 8, (uint32_t)(record->lease.address >> 32));
		store_be32(bytes + 12, (uint32_t)record->lease.address);
	} else {
		store_be32(bytes, (uint32_t)record->lease.address);
	}
	inet_ntop(record->ipv6 ? AF_INET6 : AF_INET, bytes, text, LEASE_ADDRESS_TEXT_SIZE);
}

size_t lease_record_write(char line[LEASE_RECORD_MAX + 1], const struct lease_record *record)
{
	const struct lease *lease = &record->lease;
	char address[LEASE_ADDRESS_TEXT_SIZE], mac[MAC_TEXT_SIZE];
	char id[2 * LEASE_CLIENT_MAX + 1];
	int length;

	lease_record_address(record, address);
	mac_format(lease->mac, mac);
	for (unsigned i = 0; i < lease->client.length; i++)
		snprintf(id + 2 * (size_t)i, 3, "%02x", lease->client.id[i]);
	length = snprintf(line, LEASE_RECORD_MAX + 1, "%s %s %s %llu %s %s %s %s ",
		record->forgotten ? FORGOTTEN : states[lease->state], record->network, address,
		(unsigned long long)lease->until, lease->client.owner, mac,
		lease->client.length ? id : NOTHING, *lease->host ? lease->host : NOTHING);
	return (size_t)length + (size_t)snprintf(line + length,
					(size_t)(LEASE_RECORD_MAX + 1 - (unsigned)length), "%08x\n",
					check_of(line, (size_t)length));
}

static bool read_text(const char *field, char *text, size_t size)
{
	size_t length = strlen(field);

	if (!length || length >= size)
		return false;
	memcpy(text, field, length + 1);
	return true;
}

static bool read_address(const char *field, struct lease_record *record)
{
	uint8_t bytes[16];

	record->ipv6 = strchr(field, ':');
	if (inet_pton(record->ipv6 ? AF_INET6 : AF_INET, field, bytes) != 1)
		return false;
	if (!record->ipv6) {
		record->lease.address = load_be32(bytes);
		return true;
	}
	memcpy(record->prefix, bytes, 8);
	record->lease.address = load_be64(bytes + 8);
	return true;
}

static bool read_client(const char *field, struct lease_client *client)
{
	size_t length = strlen(field);

	if (strcmp(field, NOTHING) == 0)
		return true;
	if (length % 2 || length > (size_t)2 * LEASE_CLIENT_MAX ||
		field[strspn(field, "0123456789abcdef")])
		return false;
	for (size_t i = 0; i < length / 2; i++) {
		const char digits[3] = {field[2 * i], field[2 * i + 1], '\0'};

		client->id[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	client->length = (uint8_t)(length / 2);
	return true;
}

static bool read_state(const char *field, struct lease_record *record)
{
	record->forgotten = strcmp(field, FORGOTTEN) == 0;
	for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
		if (strcmp(field, states[i]) == 0) {
			record->lease.state = (enum lease_state)i;
			return true;
		}
	}
	return record->forgotten;
}

static bool read_until(const char *field, uint64_t *until)
{
	char *end;

	errno = 0;
	*until = strtoull(field, &end, 10);
	return *field >= '0' && *field <= '9' && !*end && !errno;
}

bool lease_record_read(const char *line, size_t length, struct lease_record *record)
{
	char copy[LEASE_RECORD_MAX + 1], *fields[FIELDS], *rest = copy, *end;
	struct lease *lease = &record->lease;
	unsigned count = 0;

	*record = (struct lease_record){0};
	if (length >= sizeof(copy) || memchr(line, '\0', length))
		return false;
	memcpy(copy, line, length);
	copy[length] = '\0';
	while (count < FIELDS && (fields[count] = strsep(&rest, " ")))
		count++;
	if (count < FIELDS || rest || strlen(fields[FIELDS - 1]) != 8 ||
		strtoul(fields[FIELDS - 1], &end, 16) != check_of(line, length - 8) || *end)
		return false;
	if (strcmp(fields[7], NOTHING) != 0 &&
		!read_text(fields[7], lease->host, sizeof(lease->host)))
		return false;
	return read_state(fields[0], record) &&
	       read_text(fields[1], record->network, sizeof(record->network)) &&
	       read_address(fields[2], record) && read_until(fields[3], &lease->until) &&
	       read_text(fields[4], lease->client.owner, sizeof(lease->client.owner)) &&
	       mac_parse(fields[5], lease->mac) && read_client(fields[6], &lease->client);
}
