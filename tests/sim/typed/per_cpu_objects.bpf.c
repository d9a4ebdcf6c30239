#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

#ifndef __percpu_kptr
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#endif

struct count {
	__u64 number;
	__u32 changes;
};
struct kept {
	struct count __percpu_kptr *counts;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct kept);
} places SEC(".maps");

__u32 cpu;
__u64 number;
__u64 seen[3];

static __always_inline struct kept *place(void)
{
	int zero = 0;
	return bpf_map_lookup_elem(&places, &zero);
}

/* A new one holds what its memory held before: the running kernel does not clear it. */
static __always_inline int empties(struct kept *kept)
{
	struct count __percpu_kptr *counts = kept->counts;
	struct count *one;

	if (!counts)
		return 3;
#pragma unroll
	for (int at = 0; at < 8; at++) {
		one = bpf_per_cpu_ptr(counts, at);
		if (one)
			one->number = one->changes = 0;
	}
	return 0;
}

SEC("tc") int makes(struct __sk_buff *skb)
{
	struct kept *kept = place();
	struct count __percpu_kptr *made, *before;

	if (!kept)
		return 1;
	made = bpf_percpu_obj_new(struct count);
	if (!made)
		return 2;
	before = bpf_kptr_xchg(&kept->counts, made);
	if (before)
		bpf_percpu_obj_drop(before);
	return empties(kept);
}

SEC("tc") int changes(struct __sk_buff *skb)
{
	struct kept *kept = place();
	struct count __percpu_kptr *counts;
	struct count *one;

	if (!kept || !(counts = kept->counts))
		return 1;
	one = bpf_per_cpu_ptr(counts, cpu);
	if (!one)
		return 2;
	one->number = number;
	one->changes++;
	return 0;
}

SEC("tc") int looks(struct __sk_buff *skb)
{
	struct kept *kept = place();
	struct count __percpu_kptr *counts;
	struct count *one;

	if (!kept || !(counts = kept->counts))
		return 1;
	seen[0] = ((struct count *)bpf_this_cpu_ptr(counts))->changes;
	one = bpf_per_cpu_ptr(counts, cpu);
	if (!one)
		return 2;
	seen[1] = one->number;
	seen[2] = one->changes;
	return 0;
}

SEC("?tc") int reads_all_at_once(struct __sk_buff *skb)
{
	struct kept *kept = place();
	struct count __percpu_kptr *counts;

	if (!kept || !(counts = kept->counts))
		return 1;
	return counts->number;
}

SEC("?tc") int asks_of_a_new_one(struct __sk_buff *skb)
{
	struct count __percpu_kptr *made = bpf_percpu_obj_new(struct count);
	struct count *one;

	if (!made)
		return 2;
	one = bpf_this_cpu_ptr(made);
	one->number = 1;
	bpf_percpu_obj_drop(made);
	return 0;
}

SEC("?tc") int moves_it_before(struct __sk_buff *skb)
{
	struct kept *kept = place();
	struct count __percpu_kptr *counts;

	if (!kept || !(counts = kept->counts))
		return 1;
	return ((struct count *)bpf_this_cpu_ptr((void *)counts + 8))->changes;
}

SEC("?tc") int forgets_to_look(struct __sk_buff *skb)
{
	struct kept *kept = place();

	if (!kept)
		return 1;
	return ((struct count *)bpf_this_cpu_ptr(kept->counts))->changes;
}

SEC("?tc") int asks_of_the_map(struct __sk_buff *skb)
{
	struct kept *kept = place();

	if (!kept)
		return 1;
	return *(int *)bpf_this_cpu_ptr(kept);
}

char _license[] SEC("license") = "GPL";
