/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/rarp.h"

#include <net/if_arp.h>
#include <string.h>

#include "packet/headers.h"

void rarp_announce(uint8_t frame[RARP_FRAME], const uint8_t mac[MAC_SIZE])
{
	uint8_t *rarp = frame + ETHERNET_HEADER;

	memset(frame, 0, RARP_FRAME);
	memset(frame + ETHERNET_DESTINATION, 0xff, MAC_SIZE);
	memcpy(frame + ETHERNET_SOURCE, mac, MAC_SIZE);
	store_be16(frame + ETHERNET_TYPE, ETH_P_RARP);
	store_be16(rarp + ARP_HARDWARE, ARPHRD_ETHER);
	store_be16(rarp + ARP_PROTOCOL, ETH_P_IP);
	rarp[ARP_HARDWARE_SIZE] = MAC_SIZE;
	rarp[ARP_PROTOCOL_SIZE] = 4;
	store_be16(rarp + ARP_OPERATION, ARPOP_RREQUEST);
	/* The question is about the one who asks. */
	memcpy(rarp + ARP_SENDER_HARDWARE, mac, MAC_SIZE);
	memcpy(rarp + ARP_TARGET_HARDWARE, mac, MAC_SIZE);
}
