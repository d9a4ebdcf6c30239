// A value whose parts are changed under its spin lock.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct element {
	__u64 count;
	struct bpf_spin_lock lock;
	__u32 last;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct element);
} elements SEC(".maps");

SEC("tc") int count(struct __sk_buff *skb)
{
	__u32 key = skb->len & 3;
	struct element *element = bpf_map_lookup_elem(&elements, &key);

	if (!element)
		return -1;
	bpf_spin_lock(&element->lock);
	element->count++;
	element->last = skb->len;
	bpf_spin_unlock(&element->lock);
	return element->count;
}

char _license[] SEC("license") = "GPL";
