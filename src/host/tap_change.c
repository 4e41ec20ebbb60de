/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/tap_change.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* A change under way. */
struct changing {
	struct tap *tap;
	const struct host_tap *old, *wanted;
	struct tap_change *change;
	struct error *error;
};

/* Something that nobody asked for now was put right. */
static PRINTF(2, 3) void tell(struct changing *c, const char *format, ...)
{
	struct error *mended = &c->change->mended;
	size_t used = strlen(mended->text);
	va_list arguments;

	if (used && used + 2 < sizeof(mended->text))
		used += (size_t)sprintf(mended->text + used, ", ");
	va_start(arguments, format);
	vsnprintf(mended->text + used, sizeof(mended->text) - used, format, arguments);
	va_end(arguments);
}

/* The outcome of one setting. */
static int judge(struct changing *c, enum tap_setting setting, bool asked, int status,
	const struct error *why)
{
	if (status >= 0)
		return 0;
	if (asked) {
		c->change->failed = setting;
		*c->error = *why;
		return status;
	}
	if (!*c->change->problem.text)
		c->change->problem = *why;
	return 0;
}

/* Before the first setting: the kernel may take addresses with it. */
static void touch(struct changing *c)
{
	int count;

	if (c->change->touched)
		return;
	c->change->touched = true;
	count = link_addresses(c->tap->link.index, c->change->kept, TAP_ADDRESSES_KEPT);
	c->change->kept_count = (unsigned)MIN(MAX(count, 0), TAP_ADDRESSES_KEPT);
}

static int set(struct changing *c, const struct link_settings *settings, struct error *why)
{
	touch(c);
	return link_set(c->tap->link.index, c->tap->name, settings, why);
}

static int change_mtu(struct changing *c)
{
	struct tap_given *given = &c->tap->given;
	unsigned now = c->change->link.mtu, asked = c->wanted->set.mtu;
	struct link_settings settings = {.mtu = asked ? asked : given->mtu};
	bool differs = asked != c->old->set.mtu;
	struct error why;
	int status;

	if (asked && !given->mtu)
		given->mtu = now;
	if (settings.mtu && settings.mtu != now) {
		status = set(c, &settings, &why);
		c->change->mtu = status == 0;
		if (status == 0 && !differs)
			tell(c, "MTU %u -> %u", now, settings.mtu);
		status = judge(c, TAP_SETTING_MTU, differs, status, &why);
		if (status < 0)
			return status;
	}
	if (!asked)
		given->mtu = 0;
	return 0;
}

static int change_mac(struct changing *c)
{
	const struct link_settings *was = &c->old->set, *asked = &c->wanted->set;
	struct tap_given *given = &c->tap->given;
	const uint8_t *now = c->change->link.mac;
	struct link_settings settings = {.has_mac = asked->has_mac || given->has_mac};
	bool differs = asked->has_mac != was->has_mac || !mac_equal(asked->mac, was->mac);
	struct error why;
	int status;

	memcpy(settings.mac, asked->has_mac ? asked->mac : given->mac, MAC_SIZE);
	if (asked->has_mac && !given->has_mac)
		memcpy(given->mac, now, MAC_SIZE);
	given->has_mac |= asked->has_mac;
	if (settings.has_mac && !mac_equal(settings.mac, now)) {
		status = set(c, &settings, &why);
		c->change->mac = status == 0;
		if (status == 0 && !differs)
			tell(c, "MAC address");
		status = judge(c, TAP_SETTING_MAC, differs, status, &why);
		if (status < 0)
			return status;
	}
	given->has_mac = asked->has_mac;
	return 0;
}

static int change_up(struct changing *c)
{
	bool differs = !c->old->set.up;
	struct error why;
	int status;

	if (!c->wanted->set.up || c->change->link.up)
		return 0;
	status = set(c, &(struct link_settings){.up = true}, &why);
	c->change->up = status == 0;
	if (status == 0 && !differs)
		tell(c, "up");
	return judge(c, TAP_SETTING_UP, differs, status, &why);
}

static int set_persist(struct tap *tap, bool persist, struct error *why)
{
	if (ioctl(tap->fds[0], TUNSETPERSIST, (unsigned long)persist) < 0)
		return error_set_errno(why, -errno, "cannot make TAP %s %s", tap->name,
			persist ? "persistent" : "go with its port");
	tap->given.persist = persist;
	return 0;
}

/* One that was there stays in any case: it is not ours to make go. */
static int change_persist(struct changing *c)
{
	bool persist = c->wanted->persist;
	struct error why;
	int status;

	if (c->tap->found || persist == c->tap->given.persist)
		return 0;
	status = set_persist(c->tap, persist, &why);
	c->change->persist = status == 0;
	return judge(c, TAP_SETTING_PERSIST, persist != c->old->persist, status, &why);
}

static bool is_among(
	const struct link_address *addresses, unsigned count, const struct link_address *address)
{
	for (unsigned i = 0; i < count; i++) {
		const struct link_address *other = &addresses[i];

		if (other->ipv6 == address->ipv6 && other->length == address->length &&
			memcmp(other->bytes, address->bytes, address->ipv6 ? 16 : 4) == 0)
			return true;
	}
	return false;
}

static int remove_addresses(struct changing *c)
{
	const struct tap_given *given = &c->tap->given;

	for (unsigned i = 0; i < given->address_count; i++) {
		const struct link_address *address = &given->addresses[i];
		/* Or it was taken off while the interface was away. */
		bool differs = is_among(c->old->addresses, c->old->address_count, address);
		struct error why;
		int status;

		if (is_among(c->wanted->addresses, c->wanted->address_count, address))
			continue;
		touch(c);
		status = link_remove_address(c->tap->link.index, c->tap->name, address, &why);
		status = judge(c, TAP_SETTING_ADDRESS, differs, status, &why);
		if (status < 0)
			return status;
	}
	return 0;
}

static int add_addresses(struct changing *c)
{
	struct tap_change *change = c->change;

	for (unsigned i = 0; i < c->wanted->address_count; i++) {
		const struct link_address *address = &c->wanted->addresses[i];
		bool differs = !is_among(c->old->addresses, c->old->address_count, address);
		char text[INET6_ADDRSTRLEN];
		struct error why;
		int status = link_add_address(c->tap->link.index, c->tap->name, address, &why);

		if (status == 0)
			change->added[change->added_count++] = *address;
		if (status == 0 && !differs) {
			inet_ntop(address->ipv6 ? AF_INET6 : AF_INET, address->bytes, text,
				sizeof(text));
			tell(c, "address %s/%u", text, address->length);
		}
		status = judge(c, TAP_SETTING_ADDRESS, differs, status, &why);
		if (status < 0)
			return status;
	}
	return 0;
}

static int change_addresses(struct changing *c)
{
	struct tap_given *given = &c->tap->given;
	int status = remove_addresses(c);

	if (status == 0)
		status = add_addresses(c);
	if (status < 0)
		return status;
	given->address_count = c->wanted->address_count;
	memcpy(given->addresses, c->wanted->addresses, sizeof(given->addresses));
	return 0;
}

/* Goes on where something fails, and keeps the first reason. */
static void keep_first(int status, const struct error *why, int *first, struct error *error)
{
	if (status >= 0 || *first < 0)
		return;
	*first = status;
	*error = *why;
}

static int undo_here(struct tap *tap, struct tap_change *change, struct error *error)
{
	const struct link *was = &change->link;
	struct link_settings settings[] = {
		{.down = change->up},
		{.mtu = change->mtu ? was->mtu : 0},
		{.has_mac = change->mac},
	};
	struct error why;
	int first = 0;

	memcpy(settings[2].mac, was->mac, MAC_SIZE);
	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++)
		keep_first(link_set(tap->link.index, tap->name, &settings[i], &why), &why, &first,
			error);
	for (unsigned i = 0; i < change->added_count; i++)
		keep_first(link_remove_address(tap->link.index, tap->name, &change->added[i], &why),
			&why, &first, error);
	/* Those that are still there are left alone. */
	for (unsigned i = 0; i < change->kept_count; i++)
		keep_first(link_add_address(tap->link.index, tap->name, &change->kept[i], &why),
			&why, &first, error);
	if (change->persist)
		keep_first(set_persist(tap, change->given.persist, &why), &why, &first, error);
	tap->given = change->given;
	change->touched = change->mtu = change->mac = change->up = change->persist = false;
	change->added_count = change->kept_count = 0;
	return first;
}

static int change_here(struct tap *tap, const struct host_tap *old, const struct host_tap *wanted,
	struct tap_change *change, struct error *error)
{
	struct changing c = {tap, old, wanted, change, error};
	struct error ignored;
	int status;

	*change = (struct tap_change){.failed = TAP_SETTING_NAME, .given = tap->given};
	status = link_find(tap->name, &change->link);
	if (status < 0)
		return error_set_errno(error, status, "cannot find TAP %s", tap->name);
	status = change_mtu(&c);
	if (status == 0)
		status = change_mac(&c);
	if (status == 0)
		status = change_up(&c);
	if (status == 0)
		status = change_persist(&c);
	if (status == 0)
		status = change_addresses(&c);
	if (status < 0)
		undo_here(tap, change, &ignored);
	return status;
}

/* In the namespace of the request, where that is the TAP's still. */
static int enter(
	struct netns_visit *visit, const struct tap *tap, const char *netns, struct error *error)
{
	int status = netns_enter(visit, netns, error);

	if (status < 0 || tap->netns == netns_identity())
		return status;
	netns_leave(visit);
	return error_set(error, -ESTALE, "%s is another network namespace now", netns);
}

int host_tap_change(struct tap *tap, const struct host_tap *old, const struct host_tap *wanted,
	struct tap_change *change, struct error *error)
{
	struct netns_visit visit;
	int status = enter(&visit, tap, wanted->netns, error);

	if (status < 0) {
		*change = (struct tap_change){.failed = TAP_SETTING_NETNS, .given = tap->given};
		return status;
	}
	status = change_here(tap, old, wanted, change, error);
	netns_leave(&visit);
	return status;
}

int host_tap_make(const struct host_tap *request, struct tap *tap, struct error *error)
{
	static const struct host_tap nothing;
	struct tap_change change;
	int status = host_tap_open(request, tap, error);

	if (status < 0)
		return status;
	status = host_tap_change(tap, &nothing, request, &change, error);
	tap->failed = change.failed;
	if (status < 0)
		tap_close(tap);
	return status;
}

int host_tap_undo(struct tap *tap, const struct host_tap *request, struct tap_change *change,
	struct error *error)
{
	struct netns_visit visit;
	int status = enter(&visit, tap, request->netns, error);

	if (status < 0)
		return status;
	status = undo_here(tap, change, error);
	netns_leave(&visit);
	return status;
}
