/* A program of 12,000 instructions with 500 relocations: 250 of maps, 250 about fields of the kernel's types. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags;
	int prio;
	int static_prio;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} counts SEC(".maps");

#define STEP(member)                                                              \
	do {                                                                      \
		long *count = bpf_map_lookup_elem(&counts, &zero);                \
		if (count)                                                        \
			*count += task->member;                                   \
		asm volatile(".rept 38\n\tr0 = 1\n\t.endr" ::: "r0", "memory");  \
	} while (0);
#define STEPS_5 STEP(pid) STEP(tgid) STEP(flags) STEP(prio) STEP(static_prio)
#define STEPS_50 STEPS_5 STEPS_5 STEPS_5 STEPS_5 STEPS_5 STEPS_5 STEPS_5 STEPS_5 STEPS_5 STEPS_5

SEC("tp_btf/sched_switch")
int steps(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[1];
	int zero = 0;

	STEPS_50 STEPS_50 STEPS_50 STEPS_50 STEPS_50
	return 0;
}

char _license[] SEC("license") = "GPL";
