/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/dhcp_message.h"

#include <ctype.h>
#include <net/if_arp.h>
#include <string.h>

#include "base/common.h"
#include "base/cursor.h"
#include "packet/headers.h"

/* RFC 2131, section 2: offsets of the fields. */
#define OP          0
#define HTYPE       1
#define HLEN        2
#define XID         4
#define SECS        8
#define FLAGS       10
#define CIADDR      12
#define YIADDR      16
#define SIADDR      20
#define GIADDR      24
#define CHADDR      28
#define SNAME       44
#define FILE_NAME   108
#define COOKIE      236
#define OPTIONS     240
#define CHADDR_SIZE 16
#define SNAME_SIZE  64

#define BOOT_REQUEST 1
#define BOOT_REPLY   2
#define MAGIC        0x63825363u

/* Each client takes a datagram of 576 bytes; what precedes the message: IP and UDP. */
#define DATAGRAM_MIN 576u
#define HEADERS      28u
/* RFC 1542, 2.1: the shortest BOOTP message. */
#define MESSAGE_MIN  300u
/* Of an option put together: what we keep of it. */
#define OPTION_MAX   255u

/* The value of an option so far: of all its parts. */
struct value {
	uint8_t code;
	size_t length;
	uint8_t bytes[OPTION_MAX];
};

/* The three places where options may lie, in their order (RFC 3396, section 5). */
struct places {
	struct cursor of[3];
	unsigned count;
};

/* Goes through the options of one place. Appends those with the value's code to it. False where
 * the framing is broken. */
static bool collect(struct cursor place, struct value *value)
{
	while (cursor_left(&place)) {
		uint8_t code = cursor_u8(&place), length;
		const uint8_t *bytes;

		if (code == DHCP_PAD)
			continue;
		if (code == DHCP_END)
			return true;
		length = cursor_u8(&place);
		bytes = cursor_take(&place, length);
		if (!bytes)
			return false;
		if (code != value->code)
			continue;
		length = (uint8_t)MIN((size_t)length, sizeof(value->bytes) - value->length);
		memcpy(value->bytes + value->length, bytes, length);
		value->length += length;
	}
	/* No end: RFC 2131 wants one, some clients have none. */
	return true;
}

/* Which options a place has at all; a second look is made for those only. */
static bool survey(struct cursor place, bool present[256])
{
	while (cursor_left(&place)) {
		uint8_t code = cursor_u8(&place);

		if (code == DHCP_PAD)
			continue;
		if (code == DHCP_END)
			return true;
		if (!cursor_take(&place, cursor_u8(&place)) && place.failed)
			return false;
		present[code] = true;
	}
	return true;
}

static void gather(const struct places *places, uint8_t code, struct value *value)
{
	*value = (struct value){.code = code};
	for (unsigned i = 0; i < places->count; i++)
		collect(places->of[i], value);
}

/* The option where it has exactly this length. */
static bool gather_exact(
	const struct places *places, uint8_t code, size_t length, struct value *value)
{
	gather(places, code, value);
	return value->length == length;
}

/* A host name of letters, digits and '-' up to the first dot, in lower case; else nothing. */
static void read_host(const struct value *value, char host[DHCP_HOST_MAX])
{
	size_t length = 0;

	for (size_t i = 0; i < value->length; i++) {
		uint8_t c = value->bytes[i];

		if (c == '.' || c == '\0')
			break;
		if (length == DHCP_HOST_MAX - 1 || c > 0x7f || !(isalnum(c) || c == '-')) {
			length = 0;
			break;
		}
		host[length++] = (char)tolower(c);
	}
	if (length && (host[0] == '-' || host[length - 1] == '-'))
		length = 0;
	host[length] = '\0';
}

static void read_numbers(
	const struct places *places, const bool present[256], struct dhcp_request *request)
{
	struct value value;

	if (present[DHCP_REQUESTED_ADDRESS] &&
		gather_exact(places, DHCP_REQUESTED_ADDRESS, 4, &value))
		request->requested = load_be32(value.bytes);
	if (present[DHCP_SERVER_ID] && gather_exact(places, DHCP_SERVER_ID, 4, &value))
		request->server = load_be32(value.bytes);
	if (present[DHCP_MAXIMUM_SIZE] && gather_exact(places, DHCP_MAXIMUM_SIZE, 2, &value))
		request->maximum = load_be16(value.bytes);
	if (present[DHCP_CLIENT_ARCHITECTURE]) {
		gather(places, DHCP_CLIENT_ARCHITECTURE, &value);
		if (value.length >= 2)
			request->architecture = load_be16(value.bytes);
	}
	request->rapid_commit = present[DHCP_RAPID_COMMIT];
}

static void read_texts(
	const struct places *places, const bool present[256], struct dhcp_request *request)
{
	struct value value;

	if (present[DHCP_PARAMETERS]) {
		gather(places, DHCP_PARAMETERS, &value);
		for (size_t i = 0; i < value.length; i++)
			request->wants[value.bytes[i]] = true;
		request->wants_some = value.length > 0;
	}
	if (present[DHCP_CLIENT_ID]) {
		gather(places, DHCP_CLIENT_ID, &value);
		/* RFC 2132, 9.14: two at least. A longer one than any DUID is no identity. */
		if (value.length >= 2 && value.length <= DHCP_CLIENT_ID_MAX) {
			memcpy(request->client_id, value.bytes, value.length);
			request->client_id_length = (uint8_t)value.length;
		}
	}
	if (present[DHCP_HOST_NAME]) {
		gather(places, DHCP_HOST_NAME, &value);
		read_host(&value, request->host);
	}
	if (present[DHCP_USER_CLASS]) {
		gather(places, DHCP_USER_CLASS, &value);
		request->is_ipxe = memmem(value.bytes, value.length, "iPXE", 4);
	}
}

static bool read_options(const uint8_t *bytes, size_t length, struct dhcp_request *request)
{
	struct places places = {.of = {cursor_new(bytes + OPTIONS, length - OPTIONS)}, .count = 1};
	bool present[256] = {false};
	struct value value;

	if (!survey(places.of[0], present))
		return false;
	if (present[DHCP_OVERLOAD] && gather_exact(&places, DHCP_OVERLOAD, 1, &value)) {
		if (value.bytes[0] & 1)
			places.of[places.count++] = cursor_new(bytes + FILE_NAME, DHCP_FILE_SIZE);
		if (value.bytes[0] & 2)
			places.of[places.count++] = cursor_new(bytes + SNAME, SNAME_SIZE);
		for (unsigned i = 1; i < places.count; i++)
			if (!survey(places.of[i], present))
				return false;
	}
	if (present[DHCP_MESSAGE_TYPE] && gather_exact(&places, DHCP_MESSAGE_TYPE, 1, &value) &&
		value.bytes[0] < DHCP_TYPE_COUNT)
		request->type = (enum dhcp_type)value.bytes[0];
	read_numbers(&places, present, request);
	read_texts(&places, present, request);
	return true;
}

bool dhcp_request_read(const uint8_t *bytes, size_t length, struct dhcp_request *request)
{
	*request = (struct dhcp_request){.architecture = -1};
	if (length < OPTIONS || bytes[OP] != BOOT_REQUEST || bytes[HTYPE] != ARPHRD_ETHER ||
		bytes[HLEN] != MAC_SIZE || load_be32(bytes + COOKIE) != MAGIC)
		return false;
	request->transaction = load_be32(bytes + XID);
	request->seconds = load_be16(bytes + SECS);
	request->flags = load_be16(bytes + FLAGS);
	request->client_address = load_be32(bytes + CIADDR);
	request->relay = load_be32(bytes + GIADDR);
	memcpy(request->hardware, bytes + CHADDR, CHADDR_SIZE);
	return read_options(bytes, length, request);
}

void dhcp_reply_begin(
	struct dhcp_reply *reply, const struct dhcp_request *request, enum dhcp_type type)
{
	uint8_t *bytes = reply->bytes, code = (uint8_t)type;
	size_t datagram = MAX(request->maximum, DATAGRAM_MIN);

	memset(bytes, 0, OPTIONS);
	bytes[OP] = BOOT_REPLY;
	bytes[HTYPE] = ARPHRD_ETHER;
	bytes[HLEN] = MAC_SIZE;
	store_be32(bytes + XID, request->transaction);
	store_be16(bytes + FLAGS, request->flags);
	store_be32(bytes + GIADDR, request->relay);
	memcpy(bytes + CHADDR, request->hardware, CHADDR_SIZE);
	store_be32(bytes + COOKIE, MAGIC);
	reply->length = OPTIONS;
	/* One byte is kept for the end. */
	reply->maximum = MIN(datagram - HEADERS, (size_t)DHCP_REPLY_MAX) - 1;
	dhcp_reply_add(reply, DHCP_MESSAGE_TYPE, &code, 1);
}

void dhcp_reply_set_client(struct dhcp_reply *reply, uint32_t address)
{
	store_be32(reply->bytes + CIADDR, address);
}

void dhcp_reply_set_yours(struct dhcp_reply *reply, uint32_t address)
{
	store_be32(reply->bytes + YIADDR, address);
}

void dhcp_reply_set_boot(struct dhcp_reply *reply, uint32_t server, const char *file)
{
	store_be32(reply->bytes + SIADDR, server);
	memcpy(reply->bytes + FILE_NAME, file, MIN(strlen(file), (size_t)DHCP_FILE_SIZE - 1));
}

bool dhcp_reply_add(struct dhcp_reply *reply, uint8_t option, const void *bytes, size_t length)
{
	const uint8_t *from = bytes;
	size_t parts = length ? (length + OPTION_MAX - 1) / OPTION_MAX : 1;

	if (reply->length + length + 2 * parts > reply->maximum)
		return false;
	do {
		size_t part = MIN(length, (size_t)OPTION_MAX);
		uint8_t *to = reply->bytes + reply->length;

		to[0] = option;
		to[1] = (uint8_t)part;
		if (part) {
			memcpy(to + 2, from, part);
			from += part;
		}
		length -= part;
		reply->length += 2 + part;
	} while (length);
	return true;
}

bool dhcp_reply_add_u32(struct dhcp_reply *reply, uint8_t option, uint32_t value)
{
	uint8_t bytes[4];

	store_be32(bytes, value);
	return dhcp_reply_add(reply, option, bytes, sizeof(bytes));
}

void dhcp_reply_end(struct dhcp_reply *reply)
{
	reply->bytes[reply->length++] = DHCP_END;
	if (reply->length < MESSAGE_MIN) {
		memset(reply->bytes + reply->length, 0, MESSAGE_MIN - reply->length);
		reply->length = MESSAGE_MIN;
	}
}
