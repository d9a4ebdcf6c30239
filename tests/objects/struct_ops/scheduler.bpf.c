/* A scheduler of two callbacks: tasks go to a queue of their own kind, which kernel functions keep. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define SHARED 1
#define LAST 0x8000

struct task_struct {
	int pid;
	int prio;
} __attribute__((preserve_access_index));

struct sched_ext_ops {
	int (*select_cpu)(struct task_struct *p, int prev_cpu, unsigned long long wake_flags);
	void (*enqueue)(struct task_struct *p, unsigned long long enq_flags);
	int (*init)(void);
	unsigned long long flags;
	unsigned int timeout_ms;
	char name[128];
};

extern void scx_bpf_dsq_insert(struct task_struct *p, unsigned long long dsq_id, unsigned long long slice,
			       unsigned long long enq_flags) __ksym __weak;
extern int scx_bpf_create_dsq(unsigned long long dsq_id, int node) __ksym __weak;

SEC("struct_ops/lab_select_cpu")
int BPF_PROG(lab_select_cpu, struct task_struct *p, int prev_cpu, unsigned long long wake_flags)
{
	return p->prio < 100 ? 0 : prev_cpu;
}

SEC("struct_ops/lab_enqueue")
void BPF_PROG(lab_enqueue, struct task_struct *p, unsigned long long enq_flags)
{
	scx_bpf_dsq_insert(p, SHARED, p->prio < 100 ? 20000000 : 5000000, enq_flags);
}

SEC("struct_ops.s/lab_init")
int BPF_PROG(lab_init)
{
	return scx_bpf_create_dsq(SHARED, -1);
}

SEC(".struct_ops.link")
struct sched_ext_ops lab_scheduler = {
	.select_cpu = (void *)lab_select_cpu,
	.enqueue = (void *)lab_enqueue,
	.init = (void *)lab_init,
	.timeout_ms = 5000,
	.name = "lab",
};

char _license[] SEC("license") = "GPL";
