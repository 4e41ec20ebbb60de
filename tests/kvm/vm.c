/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/common.h"
#include "base/fd.h"
#include "layout.h"

/* guest.S */
extern const uint8_t kvm_guest_begin[], kvm_guest_interrupt[], kvm_guest_end[];

/* The interrupt's line: the first one behind those of the emulated chips. */
#define GSI 24

/* Three pages that processors of one kind need and no guest may use. */
#define TSS_AT      0xfffbd000
#define IDENTITY_AT UINT64_C(0xfffbc000)

#define CODE_SELECTOR 8
#define DATA_SELECTOR 16

static const struct {
	int number;
	const char *name;
} capabilities[] = {
	{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
	{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
	{KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
	{KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING"},
	{KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI"},
};

/* An ioctl, whose name the error has. */
#define ASK(fd, request, argument)                                                                 \
	ask(fd, request, (unsigned long)(uintptr_t)(argument), #request, error)

static int ask(int fd, unsigned long request, unsigned long argument, const char *name,
	struct error *error)
{
	int result = ioctl(fd, request, argument);

	return result < 0 ? error_set_errno(error, -errno, "%s", name) : result;
}

static int open_kvm(struct kvm_vm *vm, struct error *error)
{
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return error_set_errno(error, -errno, "/dev/kvm");
	vm->vm = ASK(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->vm < 0)
		return vm->vm;
	for (unsigned i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (ioctl(vm->vm, KVM_CHECK_EXTENSION, capabilities[i].number) <= 0)
			return error_set(error, -ENOTSUP, "KVM lacks %s", capabilities[i].name);
	return 0;
}

static int give_memory(struct kvm_vm *vm, struct error *error)
{
	struct kvm_userspace_memory_region region = {.memory_size = GUEST_SIZE};
	void *memory;

	vm->memory_fd = memfd_create("kvm guest", MFD_CLOEXEC);
	if (vm->memory_fd < 0 || ftruncate(vm->memory_fd, GUEST_SIZE) < 0)
		return error_set_errno(error, -errno, "the guest's memory");
	memory = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vm->memory_fd, 0);
	if (memory == MAP_FAILED)
		return error_set_errno(error, -errno, "the guest's memory");
	vm->memory = memory;
	region.userspace_addr = (uintptr_t)memory;
	return ASK(vm->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static int describe_processor(const struct kvm_vm *vm, struct error *error)
{
	const unsigned most = 256;
	struct kvm_cpuid2 *list = calloc(1, sizeof(*list) + most * sizeof(struct kvm_cpuid_entry2));
	int status = list ? 0 : error_set(error, -ENOMEM, "out of memory");

	if (list)
		list->nent = most;
	if (status == 0)
		status = ASK(vm->kvm, KVM_GET_SUPPORTED_CPUID, list);
	if (status >= 0)
		status = ASK(vm->vcpu, KVM_SET_CPUID2, list);
	free(list);
	return status;
}

static int make_processor(struct kvm_vm *vm, struct error *error)
{
	uint64_t identity = IDENTITY_AT;
	int status = ASK(vm->vm, KVM_SET_TSS_ADDR, TSS_AT);
	void *run;

	if (status >= 0)
		status = ASK(vm->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	if (status >= 0)
		status = ASK(vm->vm, KVM_CREATE_IRQCHIP, 0);
	if (status >= 0)
		status = vm->vcpu = ASK(vm->vm, KVM_CREATE_VCPU, 0);
	if (status >= 0)
		status = ASK(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (status < 0)
		return status;
	vm->run_size = (unsigned)status;
	run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	if (run == MAP_FAILED)
		return error_set_errno(error, -errno, "the processor's state");
	vm->run = run;
	return describe_processor(vm, error);
}

/* Code and data are the whole of 4 GiB; one interrupt has a gate. */
static void write_tables(const struct kvm_vm *vm)
{
	const uint64_t descriptors[] = {
		0, UINT64_C(0x00cf9b000000ffff), UINT64_C(0x00cf93000000ffff)};
	uint64_t handler = CODE_AT + (uint64_t)(kvm_guest_interrupt - kvm_guest_begin);
	uint64_t gate = (handler >> 16) << 48 | UINT64_C(0x8e) << 40 | CODE_SELECTOR << 16 |
			(handler & 0xffff);

	memcpy(vm->memory + GDT_AT, descriptors, sizeof(descriptors));
	memcpy(vm->memory + IDT_AT + VECTOR * sizeof(gate), &gate, sizeof(gate));
	memcpy(vm->memory + CODE_AT, kvm_guest_begin, (size_t)(kvm_guest_end - kvm_guest_begin));
}

/* Flat 32-bit protected mode. */
static int set_registers(const struct kvm_vm *vm, struct error *error)
{
	struct kvm_regs registers = {.rip = CODE_AT, .rflags = 2};
	struct kvm_segment segment = {.limit = 0xffffffff, .present = 1, .db = 1, .s = 1, .g = 1};
	struct kvm_sregs system;
	int status = ASK(vm->vcpu, KVM_GET_SREGS, &system);

	if (status < 0)
		return status;
	segment.selector = CODE_SELECTOR;
	segment.type = 11;
	system.cs = segment;
	segment.selector = DATA_SELECTOR;
	segment.type = 3;
	system.ds = system.es = system.fs = system.gs = system.ss = segment;
	system.cr0 |= 1;
	system.gdt = (struct kvm_dtable){.base = GDT_AT, .limit = 3 * 8 - 1};
	system.idt = (struct kvm_dtable){.base = IDT_AT, .limit = 256 * 8 - 1};
	status = ASK(vm->vcpu, KVM_SET_SREGS, &system);
	return status < 0 ? status : ASK(vm->vcpu, KVM_SET_REGS, &registers);
}

int kvm_vm_open(struct kvm_vm *vm, struct error *error)
{
	int status;

	*vm = (struct kvm_vm){.kvm = -1, .vm = -1, .vcpu = -1, .memory_fd = -1};
	status = open_kvm(vm, error);
	if (status >= 0)
		status = give_memory(vm, error);
	if (status >= 0)
		status = make_processor(vm, error);
	if (status < 0)
		return status;
	write_tables(vm);
	status = set_registers(vm, error);
	return MIN(status, 0);
}

void kvm_vm_close(struct kvm_vm *vm)
{
	if (vm->run)
		munmap(vm->run, vm->run_size);
	if (vm->memory)
		munmap(vm->memory, GUEST_SIZE);
	fd_close(&vm->memory_fd);
	fd_close(&vm->vcpu);
	fd_close(&vm->vm);
	fd_close(&vm->kvm);
}

/* Where the second card's interrupt goes: its vector, to the one processor. */
static int set_route(const struct kvm_vm *vm, struct error *error)
{
	uint8_t bytes[sizeof(struct kvm_irq_routing) + sizeof(struct kvm_irq_routing_entry)]
		__attribute__((aligned(8))) = {0};
	struct kvm_irq_routing *routing = (void *)bytes;

	routing->nr = 1;
	routing->entries[0].gsi = GSI;
	routing->entries[0].type = KVM_IRQ_ROUTING_MSI;
	routing->entries[0].u.msi.address_lo = LAPIC_AT;
	routing->entries[0].u.msi.data = VECTOR;
	return ASK(vm->vm, KVM_SET_GSI_ROUTING, routing);
}

int kvm_vm_wire(struct kvm_vm *vm, int kick, int call, struct error *error)
{
	struct kvm_ioeventfd doorbell = {.addr = DOORBELL_AT,
		.len = 2,
		.fd = kick,
		.datamatch = DOORBELL,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH};
	struct kvm_irqfd interrupt = {.fd = (uint32_t)call, .gsi = GSI};
	int status = ASK(vm->vm, KVM_IOEVENTFD, &doorbell);

	if (status >= 0)
		status = set_route(vm, error);
	if (status >= 0)
		status = ASK(vm->vm, KVM_IRQFD, &interrupt);
	return MIN(status, 0);
}

int kvm_vm_interrupt(const struct kvm_vm *vm)
{
	struct kvm_msi message = {.address_lo = LAPIC_AT, .data = VECTOR};

	return ioctl(vm->vm, KVM_SIGNAL_MSI, &message) < 0 ? -errno : 0;
}

enum kvm_vm_end kvm_vm_run(struct kvm_vm *vm, int kick, struct error *error)
{
	const struct kvm_run *run = vm->run;

	for (;;) {
		if (ioctl(vm->vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				continue;
			error_set_errno(error, -errno, "KVM_RUN");
			return vm->began ? KVM_VM_FAILED : KVM_VM_UNABLE;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			if (run->io.port == END_PORT)
				return KVM_VM_DONE;
			vm->began = clock_now_ns();
			break;
		case KVM_EXIT_MMIO:
			if (!run->mmio.is_write || run->mmio.phys_addr != DOORBELL_AT) {
				error_set(error, -EIO, "the guest went to %#llx, where nothing is",
					(unsigned long long)run->mmio.phys_addr);
				return KVM_VM_FAILED;
			}
			fd_signal(kick);
			break;
		case KVM_EXIT_INTERNAL_ERROR:
		case KVM_EXIT_FAIL_ENTRY:
			error_set(error, -ENOTSUP,
				"KVM cannot run a guest's instructions here "
				"(exit reason %u)",
				run->exit_reason);
			return KVM_VM_UNABLE;
		default:
			error_set(error, -EIO, "the guest ended with exit reason %u",
				run->exit_reason);
			return KVM_VM_FAILED;
		}
	}
}
