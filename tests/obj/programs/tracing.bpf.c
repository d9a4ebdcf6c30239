/* The macros for tracing, also inside each other. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inode {
	const unsigned long number;
};
struct file {
	struct inode *inode;
	char name[16];
	unsigned int open : 1;
	int mode : 9;
};
struct task {
	struct task *parent;
	struct file *file;
	int pid;
};
#pragma clang attribute pop

unsigned long sum;
char name[16];

SEC("ksyscall/openat")
int BPF_KSYSCALL(opened, int directory, const char *path, int flags)
{
	return directory + flags + (path == 0);
}

SEC("fentry/function")
int BPF_PROG(reads, struct task *task)
{
	struct file *file = BPF_CORE_READ(task, parent, parent, file);
	int i, pid;

	BPF_CORE_READ_INTO(&pid, task, pid);
	BPF_CORE_READ_STR_INTO(&name, task, file, name);
	bpf_core_read(&sum, sizeof(sum), &file->inode->number);
	sum += BPF_CORE_READ(task, file, inode, number) + BPF_PROBE_READ(task, pid);
	sum += BPF_CORE_READ_BITFIELD_PROBED(file, open) + BPF_CORE_READ_BITFIELD(file, mode);
	bpf_printk("%d %d %d %d", pid, BPF_CORE_READ(task, pid), bpf_core_field_exists(task->pid), 1);
	bpf_for(i, 0, 10) {
		if (i == pid)
			break;
		sum += i;
	}
	bpf_repeat(5) sum++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
