/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a secured port may send, case by case: a table of frames, and of the verdict for a port that
 * is bound to a MAC address, to addresses, to both, and for one that is trusted besides.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "forward/security.h"
#include "packet/test_frames.h"
#include "packet/vlan.h"

#define MAC     UINT64_C(0x525400000001)
#define OTHER   UINT64_C(0x525400000002)
#define GROUP   UINT64_C(0x333300000001)
#define SNAP_IP "\xaa\xaa\x03\x00\x00\x00\x08\x00"

#define PASS       STAGE_NEXT
#define SOURCE     DROP_SPOOFED_SOURCE
#define ADDRESS    DROP_SPOOFED_ADDRESS
#define SERVER     DROP_UNTRUSTED_SERVER
#define UNREADABLE DROP_UNVERIFIABLE

static struct packet_batch batch;
static struct test_frame frame;
/* Bound to MAC; to addresses; to both; to both with a link-local one; trusted, to both. */
static struct security_rules mac_only, ip_only, both, local, trusted;

static void allow(struct security_rules *rules, const char *text, unsigned length)
{
	uint8_t address[16];

	if (inet_pton(AF_INET, text, address) == 1)
		assert_true(security_allow_ipv4(rules, address, length));
	else if (inet_pton(AF_INET6, text, address) == 1)
		assert_true(security_allow_ipv6(rules, address, length));
	else
		fail_msg("%s", text);
}

static int set_up(void **state)
{
	mac_only = (struct security_rules){.has_mac = true};
	mac_from_u64(MAC, mac_only.mac);
	ip_only = (struct security_rules){0};
	both = mac_only;
	for (unsigned i = 0; i < 2; i++) {
		struct security_rules *rules = i ? &both : &ip_only;

		allow(rules, "10.0.0.5", 32);
		allow(rules, "192.168.4.0", 23);
		allow(rules, "fd00::5", 128);
		allow(rules, "2001:db8:1:2::", 64);
	}
	local = both;
	allow(&local, "fe80::5", 128);
	trusted = both;
	trusted.trusted = true;
	return 0;
}

/* The total length of an IPv4 packet that says none: all that was built. */
static void complete_ipv4(void)
{
	size_t offset = ETHERNET_TYPE;
	uint8_t *total;

	while (vlan_type_is_tag(load_be16(frame.bytes + offset)))
		offset += VLAN_TAG;
	total = frame.bytes + offset + sizeof(uint16_t) + IPV4_TOTAL_LENGTH;
	if (load_be16(frame.bytes + offset) == ETH_P_IP && !load_be16(total))
		store_be16(total, (uint16_t)(frame.length - offset - sizeof(uint16_t)));
}

static enum drop_reason judge_length(const struct security_rules *rules, size_t length)
{
	uint8_t *copy = malloc(length);
	struct packet *packet;
	enum drop_reason reason;

	complete_ipv4();
	batch_begin(&batch, 0);
	packet = batch_add(&batch, memcpy(copy, frame.bytes, length), length);
	/* In memory of its own size, so that a sanitizer sees a read past it. */
	packet->head = memcpy(malloc(packet->head_length), copy, packet->head_length);
	reason = security_judge(rules, packet);
	free(packet->head);
	free(copy);
	return reason;
}

static enum drop_reason judge(const struct security_rules *rules)
{
	return judge_length(rules, frame.length);
}

/* The frame that was built, for each kind of port. */
static void expect(const char *what, enum drop_reason with_mac, enum drop_reason with_ip,
	enum drop_reason with_trust)
{
	if (judge(&mac_only) != with_mac)
		fail_msg("%s: mac: %d", what, judge(&mac_only));
	if (judge(&ip_only) != with_ip || judge(&both) != with_ip)
		fail_msg("%s: ip: %d, both: %d", what, judge(&ip_only), judge(&both));
	if (judge(&trusted) != with_trust)
		fail_msg("%s: trusted: %d", what, judge(&trusted));
}

static void begin(uint16_t type)
{
	frame_begin(&frame, OTHER, MAC);
	frame_type(&frame, type);
}

static void build_ipv4(const char *source, uint8_t protocol, uint16_t fragment, unsigned options)
{
	uint32_t address;

	inet_pton(AF_INET, source, &address);
	begin(ETH_P_IP);
	frame_ipv4(&frame, protocol, ntohl(address), 0x0a000001, fragment, options);
}

static void build_udp(const char *source, uint16_t from, uint16_t to)
{
	build_ipv4(source, IPPROTO_UDP, 0, 0);
	frame_ports(&frame, from, to, 20);
}

static void build_arp(uint16_t type, uint16_t operation, uint64_t mac, const char *sender)
{
	uint32_t address;

	inet_pton(AF_INET, sender, &address);
	begin(type);
	frame_arp(&frame, operation, mac, ntohl(address), 0x0a000001);
}

static void test_arp(void **state)
{
	static const struct {
		const char *what;
		uint16_t type, operation;
		uint64_t mac;
		const char *sender;
		enum drop_reason mac_only, ip, trusted;
	} rows[] = {
		{"request", ETH_P_ARP, 1, MAC, "10.0.0.5", PASS, PASS, PASS},
		{"reply", ETH_P_ARP, 2, MAC, "10.0.0.5", PASS, PASS, PASS},
		{"within a prefix", ETH_P_ARP, 2, MAC, "192.168.5.255", PASS, PASS, PASS},
		{"beside a prefix", ETH_P_ARP, 2, MAC, "192.168.6.0", PASS, ADDRESS, ADDRESS},
		{"probe", ETH_P_ARP, 1, MAC, "0.0.0.0", PASS, PASS, PASS},
		{"reply of nobody", ETH_P_ARP, 2, MAC, "0.0.0.0", PASS, ADDRESS, ADDRESS},
		{"gateway at mine", ETH_P_ARP, 2, MAC, "10.0.0.1", PASS, ADDRESS, ADDRESS},
		{"gateway asks", ETH_P_ARP, 1, MAC, "10.0.0.1", PASS, ADDRESS, ADDRESS},
		{"mine at another", ETH_P_ARP, 2, OTHER, "10.0.0.5", SOURCE, SOURCE, SOURCE},
		{"link-local", ETH_P_ARP, 1, MAC, "169.254.3.4", PASS, ADDRESS, ADDRESS},
		{"RARP", ETH_P_RARP, 3, MAC, "0.0.0.0", PASS, PASS, PASS},
		{"RARP of another", ETH_P_RARP, 3, OTHER, "0.0.0.0", SOURCE, SOURCE, SOURCE},
		{"RARP reply", ETH_P_RARP, 4, MAC, "10.0.0.5", SERVER, SERVER, PASS},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		build_arp(rows[i].type, rows[i].operation, rows[i].mac, rows[i].sender);
		expect(rows[i].what, rows[i].mac_only, rows[i].ip, rows[i].trusted);
	}
	build_arp(ETH_P_ARP, 1, MAC, "10.0.0.5");
	for (size_t length = ETHERNET_HEADER; length < frame.length; length++)
		assert_int_equal(judge_length(&both, length), UNREADABLE);
	frame.bytes[ETHERNET_HEADER + ARP_HARDWARE_SIZE] = 8;
	expect("hardware of 8 bytes", UNREADABLE, UNREADABLE, UNREADABLE);
	frame.bytes[ETHERNET_HEADER + ARP_HARDWARE_SIZE] = 6;
	frame.bytes[ETHERNET_HEADER + ARP_PROTOCOL_SIZE] = 16;
	expect("protocol of 16 bytes", UNREADABLE, UNREADABLE, UNREADABLE);
	frame.bytes[ETHERNET_HEADER + ARP_PROTOCOL_SIZE] = 4;
	store_be16(frame.bytes + ETHERNET_HEADER + ARP_PROTOCOL, 0x809b);
	expect("AppleTalk", UNREADABLE, UNREADABLE, UNREADABLE);
}

static void test_ethernet(void **state)
{
	build_udp("10.0.0.5", 1000, 2000);
	mac_from_u64(OTHER, frame.bytes + ETHERNET_SOURCE);
	assert_int_equal(judge(&mac_only), SOURCE);
	assert_int_equal(judge(&both), SOURCE);
	assert_int_equal(judge(&ip_only), PASS);

	begin(0x88b5);
	expect("another type, nothing behind", PASS, PASS, PASS);
	begin(40);
	expect("802.3, nothing behind", PASS, PASS, PASS);
	frame_append(&frame, "\x42\x42\x03", 3);
	expect("spanning tree", PASS, PASS, PASS);
	begin(40);
	frame_append(&frame, SNAP_IP, 8);
	expect("IP in SNAP", UNREADABLE, UNREADABLE, UNREADABLE);
	store_be16(frame.bytes + ETHERNET_HEADER + 6, ETH_P_ARP);
	expect("ARP in SNAP", UNREADABLE, UNREADABLE, UNREADABLE);
	store_be16(frame.bytes + ETHERNET_HEADER + 6, ETH_P_8021AD);
	expect("a tag in SNAP", UNREADABLE, UNREADABLE, UNREADABLE);
	store_be16(frame.bytes + ETHERNET_HEADER + 6, 0x2000);
	expect("CDP in SNAP", PASS, PASS, PASS);
	frame.bytes[ETHERNET_HEADER] = 0xab;
	store_be16(frame.bytes + ETHERNET_HEADER + 6, ETH_P_IPV6);
	expect("IPv6 in SNAP to a group", UNREADABLE, UNREADABLE, UNREADABLE);
	frame.length--;
	expect("SNAP cut off", UNREADABLE, UNREADABLE, UNREADABLE);
	frame.bytes[ETHERNET_HEADER] = 0x06;
	expect("IP's own SAP", UNREADABLE, UNREADABLE, UNREADABLE);
}

/* Behind tags, as they are left on a port with `qinq`. */
static void test_tags(void **state)
{
	for (unsigned tags = 0; tags < 80; tags++) {
		enum drop_reason expected = 12 + 4 * tags + 2 > PACKET_HEAD_SIZE ||
							    14 + 4 * tags + 28 > PACKET_HEAD_SIZE
						    ? UNREADABLE
						    : ADDRESS;

		frame_begin(&frame, OTHER, MAC);
		for (unsigned i = 0; i < tags; i++)
			frame_tag_of(&frame, i % 2 ? ETH_P_8021Q : ETH_P_8021AD, 7);
		frame_type(&frame, ETH_P_ARP);
		frame_arp(&frame, 2, MAC, 0x0a000001, 0x0a000002);
		assert_int_equal(judge(&both), expected);
	}
}

static void test_ipv4(void **state)
{
	build_udp("10.0.0.5", 1000, 2000);
	expect("mine", PASS, PASS, PASS);
	for (size_t length = ETHERNET_HEADER; length < ETHERNET_HEADER + IPV4_HEADER + 4; length++)
		assert_int_equal(judge_length(&mac_only, length), UNREADABLE);
	build_udp("10.0.0.6", 1000, 2000);
	expect("another's", PASS, ADDRESS, ADDRESS);
	build_udp("169.254.1.1", 1000, 2000);
	expect("link-local", PASS, ADDRESS, ADDRESS);
	build_udp("255.255.255.255", 68, 67);
	expect("broadcast as source", PASS, ADDRESS, ADDRESS);
	build_udp("0.0.0.0", 68, 67);
	expect("DHCP client", PASS, PASS, PASS);
	build_udp("0.0.0.0", 1068, 67);
	expect("not quite a DHCP client", PASS, ADDRESS, ADDRESS);
	build_udp("10.0.0.5", 67, 68);
	expect("DHCP server", SERVER, SERVER, PASS);
	build_udp("10.0.0.5", 1067, 68);
	expect("DHCP server at another port", SERVER, SERVER, PASS);
	build_udp("10.0.0.6", 67, 68);
	expect("DHCP server with another's address", SERVER, SERVER, ADDRESS);
	build_udp("10.0.0.5", 68, 67);
	expect("DHCP renewal", PASS, PASS, PASS);
	for (unsigned options = 0; options <= 10; options++) {
		build_ipv4("10.0.0.5", IPPROTO_UDP, 0, options);
		frame_ports(&frame, 67, 68, 8);
		expect("options", SERVER, SERVER, PASS);
	}
	build_ipv4("10.0.0.6", IPPROTO_UDP, IPV4_MORE_FRAGMENTS, 0);
	frame_ports(&frame, 1, 2, 8);
	expect("first fragment", PASS, ADDRESS, ADDRESS);
	build_ipv4("10.0.0.6", IPPROTO_UDP, 5, 0);
	expect("another fragment", PASS, ADDRESS, ADDRESS);
	build_ipv4("10.0.0.5", IPPROTO_UDP, 5, 0);
	expect("another fragment of mine", PASS, PASS, PASS);
	build_ipv4("0.0.0.0", IPPROTO_UDP, 5, 0);
	expect("another fragment of nobody's", PASS, ADDRESS, ADDRESS);
	build_ipv4("0.0.0.0", IPPROTO_IGMP, 0, 1);
	frame_append(&frame, "\x22", 1);
	expect("IGMP report", PASS, PASS, PASS);
	frame.bytes[frame.length - 1] = 0x11;
	expect("IGMP query of nobody", PASS, ADDRESS, ADDRESS);
	build_ipv4("10.0.0.5", IPPROTO_ICMP, 0, 0);
	frame_append(&frame, "\x05", 1);
	expect("ICMP redirect", SERVER, SERVER, PASS);
	frame.bytes[frame.length - 1] = 8;
	expect("ping", PASS, PASS, PASS);
	build_ipv4("10.0.0.5", IPPROTO_TCP, 0, 0);
	expect("TCP", PASS, PASS, PASS);
	frame.bytes[ETHERNET_HEADER] = 0x65;
	expect("version 6", UNREADABLE, UNREADABLE, UNREADABLE);
	frame.bytes[ETHERNET_HEADER] = 0x44;
	expect("header of 16 bytes", UNREADABLE, UNREADABLE, UNREADABLE);
	frame.bytes[ETHERNET_HEADER] = 0x46;
	expect("header beyond the frame", UNREADABLE, UNREADABLE, UNREADABLE);
}

/* An IPv6 header from `source`; what follows is appended, then finish_ipv6() sets the length. */
static void build_ipv6(const char *source, uint8_t next)
{
	begin(ETH_P_IPV6);
	frame_ipv6(&frame, next, 0, 1);
	inet_pton(AF_INET6, source, frame.bytes + ETHERNET_HEADER + IPV6_SOURCE);
}

static void finish_ipv6(void)
{
	store_be16(frame.bytes + ETHERNET_HEADER + IPV6_PAYLOAD_LENGTH,
		(uint16_t)(frame.length - ETHERNET_HEADER - IPV6_HEADER));
}

static void append_extension(uint8_t next, unsigned units)
{
	uint8_t *extension = frame_append(&frame, NULL, 8u * (units + 1));

	extension[0] = next;
	extension[1] = (uint8_t)units;
}

/* A message of neighbour discovery with one link-layer option; option: its type, 0 is none. */
static void append_discovery(uint8_t type, const char *target, uint8_t option, uint64_t mac)
{
	uint8_t *message = frame_append(&frame, NULL, target ? 24 : 8);

	message[0] = type;
	if (target)
		inet_pton(AF_INET6, target, message + 8);
	if (option) {
		uint8_t *at = frame_append(&frame, NULL, 8);

		at[0] = option;
		at[1] = 1;
		mac_from_u64(mac, at + 2);
	}
	finish_ipv6();
}

static void test_discovery(void **state)
{
	static const struct {
		const char *what, *source;
		uint8_t type;
		const char *target;
		uint8_t option;
		uint64_t mac;
		enum drop_reason mac_only, ip, trusted;
	} rows[] = {
		{"DAD", "::", 135, "fd00::5", 0, 0, PASS, PASS, PASS},
		{"DAD of a link-local", "::", 135, "fe80::77", 0, 0, PASS, PASS, PASS},
		{"DAD of SLAAC", "::", 135, "2001:db8:1:2::9", 0, 0, PASS, PASS, PASS},
		{"DAD of another's", "::", 135, "fd00::1", 0, 0, PASS, ADDRESS, ADDRESS},
		{"solicitation", "fd00::5", 135, "fd00::1", 1, MAC, PASS, PASS, PASS},
		{"from link-local", "fe80::1:2", 135, "fd00::1", 1, MAC, PASS, PASS, PASS},
		{"from another", "fd00::1", 135, "fd00::7", 1, MAC, PASS, ADDRESS, ADDRESS},
		{"for another's MAC", "fd00::5", 135, "fd00::1", 1, OTHER, SOURCE, SOURCE, SOURCE},
		{"advertisement", "fd00::5", 136, "fd00::5", 2, MAC, PASS, PASS, PASS},
		{"of link-local", "fe80::5", 136, "fe80::5", 2, MAC, PASS, PASS, PASS},
		{"without option", "fd00::5", 136, "fd00::5", 0, 0, PASS, PASS, PASS},
		{"gateway at mine", "fd00::5", 136, "fd00::1", 2, MAC, PASS, ADDRESS, ADDRESS},
		{"mine at another", "fd00::5", 136, "fd00::5", 2, OTHER, SOURCE, SOURCE, SOURCE},
		{"its other option", "fd00::5", 136, "fd00::5", 1, OTHER, SOURCE, SOURCE, SOURCE},
		{"from nobody", "::", 136, "fd00::5", 2, MAC, PASS, ADDRESS, ADDRESS},
		{"router wanted", "::", 133, NULL, 0, 0, PASS, PASS, PASS},
		{"router wanted", "fe80::9", 133, NULL, 1, MAC, PASS, PASS, PASS},
		{"router wanted", "fe80::9", 133, NULL, 1, OTHER, SOURCE, SOURCE, SOURCE},
		{"RA", "fe80::9", 134, NULL, 1, MAC, SERVER, SERVER, PASS},
		{"RA", "fd00::1", 134, NULL, 0, MAC, SERVER, SERVER, ADDRESS},
		{"redirect", "fe80::9", 137, "fd00::1", 2, OTHER, SERVER, SERVER, PASS},
		{"MLD", "::", 143, NULL, 0, 0, PASS, PASS, PASS},
		{"MLD query", "::", 130, NULL, 0, 0, PASS, ADDRESS, ADDRESS},
		{"echo", "fd00::5", 128, NULL, 0, 0, PASS, PASS, PASS},
		{"echo of another", "fd00::6", 128, NULL, 0, 0, PASS, ADDRESS, ADDRESS},
	};

	/* The same with extension headers before it, as MLD has one. */
	for (unsigned i = 0; i < 3 * ARRAY_SIZE(rows); i++) {
		unsigned row = i / 3, extensions = i % 3;

		build_ipv6(rows[row].source,
			extensions ? (uint8_t)(extensions > 1 ? IPPROTO_ROUTING : IPPROTO_HOPOPTS)
				   : IPPROTO_ICMPV6);
		if (extensions > 1)
			append_extension(IPPROTO_DSTOPTS, 2);
		if (extensions)
			append_extension(IPPROTO_ICMPV6, extensions);
		append_discovery(rows[row].type, rows[row].target, rows[row].option, rows[row].mac);
		expect(rows[row].what, rows[row].mac_only, rows[row].ip, rows[row].trusted);
	}
}

/* What a listed link-local address makes of the others. */
static void test_link_local(void **state)
{
	build_ipv6("fe80::5", IPPROTO_ICMPV6);
	append_discovery(136, "fe80::5", 2, MAC);
	assert_int_equal(judge(&local), PASS);
	build_ipv6("fe80::5", IPPROTO_ICMPV6);
	append_discovery(136, "fe80::1", 2, MAC);
	assert_int_equal(judge(&local), ADDRESS);
	build_ipv6("fe80::1", IPPROTO_ICMPV6);
	append_discovery(135, "fd00::1", 1, MAC);
	assert_int_equal(judge(&local), ADDRESS);
	build_ipv6("febf::1", IPPROTO_ICMPV6);
	append_discovery(135, "fd00::1", 1, MAC);
	assert_int_equal(judge(&both), PASS);
	build_ipv6("fec0::1", IPPROTO_ICMPV6);
	append_discovery(135, "fd00::1", 1, MAC);
	assert_int_equal(judge(&both), ADDRESS);
}

static void test_ipv6(void **state)
{
	static const struct {
		const char *source;
		uint16_t from, to;
		enum drop_reason mac_only, ip, trusted;
	} rows[] = {
		{"fd00::5", 5, 6, PASS, PASS, PASS},
		{"2001:db8:1:2:3:4:5:6", 5, 6, PASS, PASS, PASS},
		{"2001:db8:1:3:3:4:5:6", 5, 6, PASS, ADDRESS, ADDRESS},
		{"fd00::6", 5, 6, PASS, ADDRESS, ADDRESS},
		{"::", 5, 6, PASS, ADDRESS, ADDRESS},
		{"ff02::1", 5, 6, PASS, ADDRESS, ADDRESS},
		{"fe80::6", 546, 547, PASS, PASS, PASS},
		{"fe80::6", 547, 546, SERVER, SERVER, PASS},
		{"fe80::6", 1000, 546, SERVER, SERVER, PASS},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		build_ipv6(rows[i].source, IPPROTO_UDP);
		frame_ports(&frame, rows[i].from, rows[i].to, 8);
		finish_ipv6();
		expect(rows[i].source, rows[i].mac_only, rows[i].ip, rows[i].trusted);
	}
	for (size_t length = ETHERNET_HEADER; length < ETHERNET_HEADER + IPV6_HEADER + 4; length++)
		assert_int_equal(judge_length(&mac_only, length), UNREADABLE);
	build_ipv6("fd00::6", IPPROTO_FRAGMENT);
	store_be16(frame_append(&frame, NULL, 8) + 2, 8);
	finish_ipv6();
	expect("another's later fragment", PASS, ADDRESS, ADDRESS);
	inet_pton(AF_INET6, "fd00::5", frame.bytes + ETHERNET_HEADER + IPV6_SOURCE);
	expect("my later fragment", PASS, PASS, PASS);
	frame.bytes[ETHERNET_HEADER] = 0x40;
	expect("version 4", UNREADABLE, UNREADABLE, UNREADABLE);
}

/* Bytes behind the packet that look like a header of it are not. */
static void test_behind_the_packet(void **state)
{
	const size_t ip = ETHERNET_HEADER;

	for (uint16_t length = 0; length < IPV4_HEADER + 4; length++) {
		build_udp("10.0.0.5", 9, 9);
		store_be16(frame.bytes + ip + IPV4_TOTAL_LENGTH, (uint16_t)MAX(length, 1));
		expect("ports behind", UNREADABLE, UNREADABLE, UNREADABLE);
	}
	for (uint16_t length = 0; length < 4; length++) {
		build_ipv6("fd00::5", IPPROTO_UDP);
		frame_ports(&frame, 9, 9, 20);
		store_be16(frame.bytes + ip + IPV6_PAYLOAD_LENGTH, length);
		expect("ports behind", UNREADABLE, UNREADABLE, UNREADABLE);
	}
	build_ipv6("fd00::5", IPPROTO_FRAGMENT);
	append_extension(IPPROTO_DSTOPTS, 0);
	append_extension(IPPROTO_UDP, 0);
	frame_ports(&frame, 9, 9, 20);
	store_be16(frame.bytes + ip + IPV6_PAYLOAD_LENGTH, 16);
	expect("ports behind extensions", UNREADABLE, UNREADABLE, UNREADABLE);
}

/* What cannot be read to its end is not believed. */
static void test_hidden_discovery(void **state)
{
	size_t whole;

	build_ipv6("fd00::5", IPPROTO_ICMPV6);
	append_discovery(136, "fd00::5", 2, MAC);
	whole = frame.length;
	for (size_t length = whole - 1; length > ETHERNET_HEADER; length--)
		assert_int_equal(judge_length(&both, length), UNREADABLE);
	frame.bytes[whole - 7] = 0;
	expect("option without length", UNREADABLE, UNREADABLE, UNREADABLE);
	frame.bytes[whole - 7] = 2;
	expect("option beyond the message", UNREADABLE, UNREADABLE, UNREADABLE);

	/* Bytes behind the IPv6 packet are padding. */
	build_ipv6("fd00::5", IPPROTO_ICMPV6);
	append_discovery(136, "fd00::5", 2, MAC);
	frame_append(&frame, NULL, 13);
	expect("padding", PASS, PASS, PASS);

	/* The second of two options, and one that lies behind the head. */
	build_ipv6("fd00::5", IPPROTO_ICMPV6);
	append_discovery(136, "fd00::5", 2, MAC);
	memcpy(frame_append(&frame, NULL, 8), "\x02\x01\x02\x77\x77\x77\x77\x77", 8);
	finish_ipv6();
	expect("a second option", SOURCE, SOURCE, SOURCE);
	frame_append(&frame, NULL, 200);
	finish_ipv6();
	assert_int_not_equal(judge(&both), PASS);

	build_ipv6("fd00::5", IPPROTO_FRAGMENT);
	append_extension(IPPROTO_ICMPV6, 0);
	append_discovery(136, "fd00::1", 2, MAC);
	expect("in a fragment", UNREADABLE, UNREADABLE, UNREADABLE);
	/* The type is in the second fragment: RFC 7112 forbids it. */
	build_ipv6("fd00::5", IPPROTO_FRAGMENT);
	append_extension(IPPROTO_DSTOPTS, 0);
	frame.bytes[frame.length - 5] = IPV6_MORE_FRAGMENTS;
	append_extension(IPPROTO_ICMPV6, 0);
	finish_ipv6();
	expect("behind the first fragment", UNREADABLE, UNREADABLE, UNREADABLE);
	for (unsigned count = 0; count < 20; count++) {
		build_ipv6("fd00::5", count ? IPPROTO_DSTOPTS : IPPROTO_ICMPV6);
		for (unsigned i = 1; i <= count; i++)
			append_extension(i < count ? IPPROTO_DSTOPTS : IPPROTO_ICMPV6, 0);
		append_discovery(136, "fd00::1", 2, MAC);
		assert_int_equal(judge(&both), count <= 8 ? ADDRESS : UNREADABLE);
	}
	build_ipv6("fd00::5", IPPROTO_DSTOPTS);
	append_extension(IPPROTO_ICMPV6, 40);
	append_discovery(136, "fd00::1", 2, MAC);
	expect("behind the head", UNREADABLE, UNREADABLE, UNREADABLE);
}

static void test_lists(void **state)
{
	struct security_rules rules = {0};
	const uint8_t address[16] = {10, 1, 2, 3};

	assert_false(security_lists_ipv4(&rules, 0x0a010203));
	for (unsigned length = 0; length <= 32; length++) {
		struct security_rules one = {0};

		assert_true(security_allow_ipv4(&one, address, length));
		for (unsigned bit = 0; bit < 32; bit++)
			assert_int_equal(security_lists_ipv4(&one, 0x0a010203 ^ 1u << bit),
				bit < 32 - length);
	}
	for (unsigned length = 0; length <= 128; length++) {
		struct security_rules one = {0};

		assert_true(security_allow_ipv6(&one, address, length));
		for (unsigned bit = 0; bit < 128; bit++) {
			uint8_t other[16];

			memcpy(other, address, sizeof(other));
			other[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			assert_int_equal(security_lists_ipv6(&one, other), bit >= length);
		}
	}
	for (unsigned i = 0; i < SECURITY_ADDRESS_MAX; i++)
		assert_true(security_allow_ipv4(&rules, address, 32) &&
			    security_allow_ipv6(&rules, address, 128));
	assert_false(security_allow_ipv4(&rules, address, 32));
	assert_false(security_allow_ipv6(&rules, address, 128));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_ethernet),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_discovery),
		cmocka_unit_test(test_link_local),
		cmocka_unit_test(test_behind_the_packet),
		cmocka_unit_test(test_hidden_discovery),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
