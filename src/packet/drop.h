/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why a frame was dropped: one table, from which the counters, `vsw drops`, the JSON output and the
 * manual page come. A frame that does not reach a port is counted under exactly one reason: at the
 * port where it came in, or, for what a receiver causes, at the port where it should have left.
 */
#ifndef VSW_PACKET_DROP_H
#define VSW_PACKET_DROP_H

/* X(enumerator, name, meaning, what to do about it) */
#define DROP_REASONS(X)                                                                            \
	X(FRAME_TOO_SHORT, "frame-too-short", "frame shorter than an Ethernet header",             \
		"look for a broken driver or program at the sending port")                         \
	X(FRAME_TOO_LONG, "frame-too-long",                                                        \
		"frame longer than 65,553 bytes, which no IP packet needs",                        \
		"look for a broken driver or program at the sending port")                         \
	X(BAD_NET_HEADER, "bad-net-header",                                                        \
		"virtio-net header incomplete, or asking for an offload that was not negotiated, " \
		"or for tiny segments",                                                            \
		"look for a broken or hostile driver in the sending guest")                        \
	X(READ_ERROR, "read-error", "the kernel failed to hand over a frame of an interface",      \
		"look for the reason in the kernel's log (dmesg)")                                 \
	X(OVERRUN, "overrun",                                                                      \
		"came in by an interface faster than a worker took it: the kernel had no room",    \
		"give the switch more CPU or workers, or the senders less")                        \
	X(RING_ERROR, "ring-error", "descriptor chain invalid; the queue is stopped",              \
		"reset the guest's network device; look for a broken or hostile driver")           \
	X(QUEUE_DISABLED, "queue-disabled", "sent on a queue that the VM has not enabled",         \
		"nothing, if the guest was just changing its number of queues")                    \
	X(BAD_SOURCE, "bad-source", "source MAC address is zero, broadcast or multicast",          \
		"look for a misconfigured interface in the sending guest or namespace")            \
	X(RESERVED_MULTICAST, "reserved-multicast",                                                \
		"destination 01:80:c2:00:00:00 to :0f, which is meant for the next hop",           \
		"nothing, unless the network shall carry them: see its keys 'stp', 'lldp', "       \
		"'lacp' and '802.1x'")                                                             \
	X(VLAN_NOT_ALLOWED, "vlan-not-allowed",                                                    \
		"tag on an access port, or one that the trunk does not carry",                     \
		"add the network to the port's 'trunk' list, or stop tagging in the guest")        \
	X(QINQ_NOT_ALLOWED, "qinq-not-allowed",                                                    \
		"a second tag, or one of another type than 0x8100, where no port with 'qinq' "     \
		"carries it tagged",                                                               \
		"set 'qinq: true' on the ports that shall carry it, or stop tagging in the guest") \
	X(NO_NATIVE_NETWORK, "no-native-network",                                                  \
		"untagged frame on a trunk that has no native network",                            \
		"set 'native' on the port, or tag the frames in the guest")                        \
	X(SPOOFED_SOURCE, "spoofed-source",                                                        \
		"source MAC address is not the port's 'mac', or ARP or neighbour discovery names " \
		"another one than the frame's",                                                    \
		"correct 'mac' in the configuration, or the address in the guest")                 \
	X(SPOOFED_ADDRESS, "spoofed-address",                                                      \
		"source of IP, sender of ARP or target of a neighbour advertisement is not in "    \
		"the port's 'ip'",                                                                 \
		"add the address to 'ip' in the configuration, or correct it in the guest")        \
	X(UNTRUSTED_SERVER, "untrusted-server",                                                    \
		"DHCP reply, router advertisement or redirect from a port with 'mac' or 'ip'",     \
		"set 'trusted: true' on the port if its guest is a router or DHCP server")         \
	X(UNVERIFIABLE, "unverifiable",                                                            \
		"from a port with 'mac' or 'ip': headers cut short, beyond the first 256 bytes, "  \
		"or hidden in another encapsulation",                                              \
		"look for a broken or hostile driver in the sending guest")                        \
	X(SOURCE_BOUND_ELSEWHERE, "source-bound-elsewhere",                                        \
		"source MAC address is bound by 'mac' to another port",                            \
		"give the guest an address of its own")                                            \
	X(LOOP_HELD, "loop-held",                                                                  \
		"would be flooded from a port that is held because its guest loops frames back",   \
		"look in the log for the two ports; enable spanning tree in the guest's bridge")   \
	X(FLOOD_LIMIT, "flood-limit",                                                              \
		"more broadcast, multicast or unknown destinations a second than 'flood-limit'",   \
		"look for a loop or a scan in the sending guest, or raise the limit")              \
	X(NO_DESTINATION, "no-destination", "no other port in the frame's network",                \
		"nothing, unless a port should be there: see 'vsw network show'")                  \
	X(NO_HEADROOM, "no-headroom",                                                              \
		"the headers that its output puts in front of the frame do not fit the room "      \
		"for them",                                                                        \
		"send it with fewer tags or tunnels around it")                                    \
	X(HAIRPIN, "hairpin", "destination is behind the port where the frame came in",            \
		"nothing, unless two ports use the same MAC address: see 'vsw fdb show'")          \
	X(RECEIVER_NOT_READY, "receiver-not-ready",                                                \
		"nobody is at the receiving port: no VM, its driver not running, or no interface " \
		"that is up",                                                                      \
		"start the VM, or bring the interface up: see 'vsw port show'")                    \
	X(FLOODED_NOT_READY, "flooded-not-ready",                                                  \
		"a copy of a broadcast, multicast or unknown destination for a port where nobody " \
		"is: no VM, its driver not running, or no interface that is up",                   \
		"nothing: no frame is lost that somebody waits for")                               \
	X(RECEIVE_RING_FULL, "receive-ring-full",                                                  \
		"the receiving guest did not supply buffers fast enough, or the kernel had none",  \
		"give the guest more CPU, a larger rx_queue_size or more queues")                  \
	X(RECEIVE_BUFFER_TOO_SMALL, "receive-buffer-too-small",                                    \
		"frame does not fit the receiving guest's buffers",                                \
		"enable mergeable receive buffers, or lower the sender's MTU")                     \
	X(LOCAL_BUSY, "local-busy",                                                                \
		"for the switch itself or from it, more than it has room for, or than one port "   \
		"may have waiting",                                                                \
		"look for a scan or a loop in the sending guest")                                  \
	X(NO_LEASE, "no-lease",                                                                    \
		"DHCP request for an address where none is left, or from a port that has as many " \
		"as it may",                                                                       \
		"see 'vsw lease show'; enlarge the network's 'dhcp.range', or 'dhcp.port-limit'")  \
	X(MTU_EXCEEDED, "mtu-exceeded", "frame larger than the receiving port's MTU",              \
		"use one MTU throughout the network")

enum drop_reason {
#define DROP_ENUMERATOR(enumerator, name, meaning, advice) DROP_##enumerator,
	DROP_REASONS(DROP_ENUMERATOR)
#undef DROP_ENUMERATOR
		DROP_REASON_COUNT
};

struct drop_description {
	const char *name;
	const char *meaning;
	const char *advice;
};

/* Indexed by enum drop_reason. */
extern const struct drop_description drop_descriptions[DROP_REASON_COUNT];

#endif
