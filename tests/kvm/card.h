/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network card of the guest: its two rings in the guest's memory, laid out for the program of
 * guest.S, and the vhost-user session with the switch that serves them. One thread.
 */
#ifndef VSW_TESTS_KVM_CARD_H
#define VSW_TESTS_KVM_CARD_H

#include "vhost/frontend.h"
#include "vm.h"

struct card {
	unsigned number; /* in layout.h's macros */
	const struct kvm_vm *vm;
	int socket;
	int kick_fds[2], call_fds[2]; /* by ring */
	struct vhost_frontend frontend;
	struct error failure;
};

/* Lays the rings out and makes all receive buffers available. 0 or -errno; close it in any case. */
int card_open(struct card *card, const struct kvm_vm *vm, unsigned number, struct error *error);

/* Attaches it to the switch's socket: returns when the switch serves both rings. 0 or -errno. */
int card_connect(struct card *card, const char *path, struct error *error);

void card_close(struct card *card);

#endif
