#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rq {
	unsigned int nr_running;
	int cpu;
} __attribute__((preserve_access_index));

extern const struct rq runqueues __ksym;
extern const int bpf_prog_active __ksym;

__u32 cpu;
__u32 seen[3];

SEC("tc") int counts_on(struct __sk_buff *skb)
{
	const struct rq *queue = bpf_per_cpu_ptr(&runqueues, cpu);
	const int *active = bpf_per_cpu_ptr(&bpf_prog_active, cpu);

	if (!queue || !active)
		return -1;
	seen[0] = queue->nr_running;
	seen[1] = *active;
	return 0;
}

SEC("tc") int counts_here(struct __sk_buff *skb)
{
	const struct rq *queue = bpf_this_cpu_ptr(&runqueues);

	seen[0] = queue->nr_running;
	seen[1] = *(const int *)bpf_this_cpu_ptr(&bpf_prog_active);
	seen[2] = bpf_get_smp_processor_id();
	return 0;
}

SEC("?tc") int reads_it_directly(struct __sk_buff *skb)
{
	return bpf_prog_active;
}

SEC("?tc") int writes_to_a_copy(struct __sk_buff *skb)
{
	*(int *)bpf_this_cpu_ptr(&bpf_prog_active) = 1;
	return 0;
}

SEC("?tc") int writes_to_a_structure(struct __sk_buff *skb)
{
	((struct rq *)bpf_this_cpu_ptr(&runqueues))->nr_running = 1;
	return 0;
}

SEC("?tc") int reads_past_a_copy(struct __sk_buff *skb)
{
	return ((const int *)bpf_this_cpu_ptr(&bpf_prog_active))[1];
}

SEC("?tc") int forgets_to_look(struct __sk_buff *skb)
{
	return *(const int *)bpf_per_cpu_ptr(&bpf_prog_active, cpu);
}

SEC("?tc") int moves_it_before(struct __sk_buff *skb)
{
	return *(const int *)bpf_this_cpu_ptr((void *)&runqueues + 4);
}

char _license[] SEC("license") = "GPL";
