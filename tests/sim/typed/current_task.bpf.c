/* What programs follow from the current task, and records of tracepoints. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
typedef struct {
	unsigned int val;
} kuid_t;
struct cred {
	kuid_t uid;
};
struct kernfs_node {
	unsigned long long id;
};
struct cgroup {
	int level;
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};
struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_flags;
};
struct task_struct {
	int pid;
	int tgid;
	char comm[16];
	struct task_struct *real_parent;
	struct cred *cred;
	struct css_set *cgroups;
};
struct pt_regs {
	unsigned long ip;
};
struct trace_event_raw_sched_process_exec {
	unsigned int __data_loc_filename;
	int pid;
	int old_pid;
};
#pragma clang attribute pop

unsigned long seen[6];
char text[16];

SEC("raw_tp/x")
int direct(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	seen[0] = task->pid;
	seen[1] = task->real_parent->tgid;
	seen[2] = task->cred->uid.val;
	seen[3] = task->cgroups->dfl_cgrp->kn->id;
	seen[4] = task->cgroups->dfl_cgrp->level;
	return 0;
}

SEC("raw_tp/x")
int copied(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	seen[0] = BPF_CORE_READ(task, pid);
	seen[1] = BPF_CORE_READ(task, real_parent, tgid);
	seen[2] = BPF_CORE_READ(task, cred, uid.val);
	seen[3] = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	seen[4] = BPF_CORE_READ(task, cgroups, dfl_cgrp, level);
	return 0;
}

static long area(struct task_struct *task, struct vm_area_struct *vma, void *data)
{
	seen[1] = vma->vm_start;
	return 0;
}

SEC("raw_tp/x")
int areas(void *ctx)
{
	seen[0] = bpf_find_vma(bpf_get_current_task_btf(), 0x5123, area, 0, 0);
	seen[2] = bpf_find_vma(bpf_get_current_task_btf(), 0x6000, area, 0, 0);
	seen[3] = bpf_find_vma(bpf_get_current_task_btf(), 0x5123, area, 0, 1);
	return 0;
}

SEC("raw_tp/x")
int registers(void *ctx)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	seen[0] = regs->ip;
	return 0;
}

SEC("tp/sched/sched_process_exec")
int executed(struct trace_event_raw_sched_process_exec *ctx)
{
	unsigned int place = ctx->__data_loc_filename & 0xffff;

	seen[0] = ctx->pid;
	bpf_probe_read_kernel_str(text, sizeof(text), (void *)ctx + place);
	return 0;
}

char _license[] SEC("license") = "GPL";
