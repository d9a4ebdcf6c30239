#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

struct item {
	__u64 number;
};

struct slot {
	struct item __kptr *kept;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, int);
	__type(value, struct slot);
	__uint(max_entries, 2);
} slots SEC(".maps");

__u64 number, before;
int at;

SEC("tc")
int keep(struct __sk_buff *ctx)
{
	struct item *item, *old;
	struct slot *slot;
	int key = at;

	before = 0;
	slot = bpf_map_lookup_elem(&slots, &key);
	if (!slot)
		return 1;
	item = bpf_obj_new(struct item);
	if (!item)
		return 2;
	item->number = number;
	old = bpf_kptr_xchg(&slot->kept, item);
	if (!old)
		return 0;
	before = old->number;
	bpf_obj_drop(old);
	return 3;
}

SEC("tc")
int empty(struct __sk_buff *ctx)
{
	struct slot *slot;
	struct item *old;
	int key = at;

	before = 0;
	slot = bpf_map_lookup_elem(&slots, &key);
	if (!slot)
		return 1;
	old = bpf_kptr_xchg(&slot->kept, NULL);
	if (!old)
		return 0;
	before = old->number;
	bpf_obj_drop(old);
	return 3;
}

SEC("?tc")
int keeps_and_drops(struct __sk_buff *ctx)
{
	struct item *item, *old;
	struct slot *slot;
	int key = 0;

	slot = bpf_map_lookup_elem(&slots, &key);
	if (!slot)
		return 1;
	item = bpf_obj_new(struct item);
	if (!item)
		return 2;
	old = bpf_kptr_xchg(&slot->kept, item);
	bpf_obj_drop(item);
	if (old)
		bpf_obj_drop(old);
	return 0;
}

SEC("?tc")
int forgets_what_was_there(struct __sk_buff *ctx)
{
	struct slot *slot;
	int key = 0;

	slot = bpf_map_lookup_elem(&slots, &key);
	if (slot)
		bpf_kptr_xchg(&slot->kept, NULL);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
