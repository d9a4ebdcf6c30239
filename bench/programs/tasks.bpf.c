/* Reads fields of the kernel's own structures: each is a CO-RE relocation. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct mm_struct {
	int map_count;
	unsigned long start_code, end_code, start_stack;
};
struct nsproxy {
	void *net_ns;
};
struct task_struct {
	unsigned int flags, policy;
	int prio, static_prio, normal_prio, exit_state, exit_code, pid, tgid;
	struct task_struct *real_parent, *group_leader;
	unsigned long nvcsw, nivcsw;
	struct mm_struct *mm;
	struct nsproxy *nsproxy;
};
#pragma clang attribute pop

unsigned long long sum;

SEC("raw_tp/sched_switch")
int tasks(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *task = (void *)context->args[1];

	sum += BPF_CORE_READ(task, flags) + BPF_CORE_READ(task, policy) + BPF_CORE_READ(task, prio);
	sum += BPF_CORE_READ(task, static_prio) + BPF_CORE_READ(task, normal_prio) + BPF_CORE_READ(task, exit_state);
	sum += BPF_CORE_READ(task, exit_code) + BPF_CORE_READ(task, pid) + BPF_CORE_READ(task, tgid);
	sum += BPF_CORE_READ(task, real_parent, pid) + BPF_CORE_READ(task, group_leader, tgid);
	sum += BPF_CORE_READ(task, nvcsw) + BPF_CORE_READ(task, nivcsw);
	sum += BPF_CORE_READ(task, mm, map_count) + BPF_CORE_READ(task, mm, start_code);
	sum += BPF_CORE_READ(task, mm, end_code) + BPF_CORE_READ(task, mm, start_stack);
	return 0;
}

char _license[] SEC("license") = "GPL";
