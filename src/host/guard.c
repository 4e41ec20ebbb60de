/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/netlink.h"

#define CHAIN "ingress"

/* A batch of messages: all are carried out, or none. */
struct transaction {
	char buffer[2048];
	size_t used;
	uint32_t sequence;
};

static struct nlmsghdr *add(struct transaction *transaction, uint16_t type, uint16_t flags,
	uint8_t family, uint16_t resource)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(transaction->buffer + transaction->used);
	struct nfgenmsg *header;

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = ++transaction->sequence;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	header->res_id = htons(resource);
	return message;
}

static void end(struct transaction *transaction, const struct nlmsghdr *message)
{
	transaction->used += MNL_ALIGN(message->nlmsg_len);
}

static struct nlmsghdr *add_request(struct transaction *transaction, unsigned type)
{
	return add(transaction, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
		NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, NFPROTO_NETDEV, 0);
}

static void build(struct transaction *transaction, const struct link *link)
{
	struct nlmsghdr *message;
	struct nlattr *hook;
	char table[64];

	snprintf(table, sizeof(table), "virtswitch-%d-%u", (int)getpid(), link->index);
	end(transaction,
		add(transaction, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));

	message = add_request(transaction, NFT_MSG_NEWTABLE);
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
	mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	end(transaction, message);

	/* No rule: what comes meets the policy. First of all chains, before a flow table that
	 * would forward past the stack. */
	message = add_request(transaction, NFT_MSG_NEWCHAIN);
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, CHAIN);
	mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, "filter");
	mnl_attr_put_u32(message, NFTA_CHAIN_POLICY, htonl(NF_DROP));
	hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(NF_NETDEV_INGRESS));
	mnl_attr_put_u32(message, NFTA_HOOK_PRIORITY, htonl((uint32_t)INT_MIN));
	mnl_attr_put_strz(message, NFTA_HOOK_DEV, link->name);
	mnl_attr_nest_end(message, hook);
	end(transaction, message);

	end(transaction, add(transaction, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

/* The answers to both requests: 0, or the first error. */
static int read_answers(int fd, unsigned wanted)
{
	char buffer[8192] __attribute__((aligned(8)));
	unsigned seen = 0;

	while (seen < wanted) {
		ssize_t length = netlink_receive(fd, buffer, sizeof(buffer));
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		int left = (int)length;

		if (length < 0)
			return (int)length;
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

			if (message->nlmsg_type != NLMSG_ERROR ||
				mnl_nlmsg_get_payload_len(message) < sizeof(*answer))
				continue;
			if (answer->error)
				return answer->error;
			seen++;
		}
	}
	return 0;
}

static int set_up(int fd, const struct link *link)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct transaction transaction = {.used = 0};

	build(&transaction, link);
	if (bind(fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
		sendto(fd, transaction.buffer, transaction.used, 0, (struct sockaddr *)&kernel,
			sizeof(kernel)) < 0)
		return -errno;
	/* The kernel has answered before sendto() returned: this does not wait. */
	return read_answers(fd, 2);
}

static const char *hint(int status)
{
	switch (status) {
	case -EPERM:
		return " (it takes root, or the capability CAP_NET_ADMIN)";
	case -EPROTONOSUPPORT:
	case -EOPNOTSUPP:
		return " (the kernel has no nf_tables, or none before Linux 5.12)";
	default:
		return "";
	}
}

int host_guard_open(const struct link *link, struct error *error)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int status = fd < 0 ? -errno : set_up(fd, link);

	if (status == 0)
		return fd;
	fd_close(&fd);
	return error_set(error, status,
		"cannot keep the host's stack from answering on interface %s: %s%s", link->name,
		strerror(-status), hint(status));
}
