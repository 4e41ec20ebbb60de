/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtual machine of /dev/kvm with one processor, its interrupt controller in the kernel, memory
 * that can be shared, and the program of guest.S. How the guest's doorbell and its interrupts get
 * through is the caller's choice: as eventfds inside the kernel, or by the caller's own hands.
 *
 * One thread opens, wires and closes it; kvm_vm_run() may be another one's.
 */
#ifndef VSW_TESTS_KVM_VM_H
#define VSW_TESTS_KVM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct kvm_run;

struct kvm_vm {
	int kvm, vm, vcpu;
	int memory_fd;   /* a memfd of GUEST_SIZE bytes, at guest address 0 */
	uint8_t *memory; /* the same, mapped */
	struct kvm_run *run;
	unsigned run_size; /* bytes */
	uint64_t began;    /* clock_now_ns(): the program runs; 0: it does not yet */
};

/* How kvm_vm_run() ended. */
enum kvm_vm_end {
	KVM_VM_DONE,   /* the program says so */
	KVM_VM_UNABLE, /* KVM cannot run it on this machine; error has why */
	KVM_VM_FAILED, /* the program or we did something wrong; error has what */
};

/* 0, or -errno where this machine's KVM lacks what we need: error says what. Close it in any
 * case. */
int kvm_vm_open(struct kvm_vm *vm, struct error *error);
void kvm_vm_close(struct kvm_vm *vm);

/* Writes of the doorbell add to the eventfd `kick` without leaving the kernel (KVM_IOEVENTFD), and
 * writes of the eventfd `call` interrupt the guest the same way (KVM_IRQFD). 0 or -errno. */
int kvm_vm_wire(struct kvm_vm *vm, int kick, int call, struct error *error);

/* Interrupts the guest by a system call. 0 or -errno. */
int kvm_vm_interrupt(const struct kvm_vm *vm);

/* Runs the program until it ends. `kick` is written for each doorbell that comes to us, because
 * nobody wired it. */
enum kvm_vm_end kvm_vm_run(struct kvm_vm *vm, int kick, struct error *error);

#endif
