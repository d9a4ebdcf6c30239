/* Programs whose arguments are objects of the kernel. */
#define SEC(name) __attribute__((section(name), used))
typedef unsigned int u32;
typedef unsigned long long u64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct {
	int pid;
	int tgid;
	char comm[16];
	struct task_struct *real_parent;
};
struct linux_binprm {
	int argc;
};
#pragma clang attribute pop

extern int bpf_score(struct task_struct *task, u64 weight) __attribute__((section(".ksyms")));

int seen;

SEC("fentry/wake_up_new_task")
int sees_parent(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	seen = task->real_parent->tgid + task->pid;
	return 0;
}

SEC("lsm/bprm_check_security")
int few_arguments(u64 *ctx)
{
	struct linux_binprm *bprm = (void *)ctx[0];

	return bprm->argc > 3 ? -1 : 0;
}

SEC("tp_btf/sched_process_exec")
int scores(u64 *ctx)
{
	seen = bpf_score((void *)ctx[0], 5);
	return 0;
}

char _license[] SEC("license") = "GPL";
