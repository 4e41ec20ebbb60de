/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/arp.h"

#include <net/if_arp.h>
#include <string.h>

#include "packet/headers.h"

bool arp_answer(uint8_t answer[ARP_FRAME], const uint8_t *frame, size_t length, uint32_t address,
	const uint8_t mac[MAC_SIZE])
{
	const uint8_t *request = frame + ETHERNET_HEADER;
	uint8_t *arp = answer + ETHERNET_HEADER;

	if (length < ETHERNET_HEADER + ARP_HEADER ||
		load_be16(frame + ETHERNET_TYPE) != ETH_P_ARP ||
		load_be16(request + ARP_HARDWARE) != ARPHRD_ETHER ||
		load_be16(request + ARP_PROTOCOL) != ETH_P_IP ||
		request[ARP_HARDWARE_SIZE] != MAC_SIZE || request[ARP_PROTOCOL_SIZE] != 4 ||
		load_be16(request + ARP_OPERATION) != ARPOP_REQUEST ||
		load_be32(request + ARP_TARGET_PROTOCOL) != address)
		return false;
	memset(answer, 0, ARP_FRAME);
	memcpy(answer + ETHERNET_DESTINATION, frame + ETHERNET_SOURCE, MAC_SIZE);
	memcpy(answer + ETHERNET_SOURCE, mac, MAC_SIZE);
	store_be16(answer + ETHERNET_TYPE, ETH_P_ARP);
	memcpy(arp, request, ARP_OPERATION);
	store_be16(arp + ARP_OPERATION, ARPOP_REPLY);
	memcpy(arp + ARP_SENDER_HARDWARE, mac, MAC_SIZE);
	store_be32(arp + ARP_SENDER_PROTOCOL, address);
	memcpy(arp + ARP_TARGET_HARDWARE, request + ARP_SENDER_HARDWARE, MAC_SIZE);
	memcpy(arp + ARP_TARGET_PROTOCOL, request + ARP_SENDER_PROTOCOL, 4);
	return true;
}
