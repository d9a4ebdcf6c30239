#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

/* What a program is told to do, and what it saw. */
struct order {
	__u32 flags, start, end, offset, other, size;
	__u8 value;
};

struct order order;
int results[12];
__u8 seen[16], rest[64];
__u8 memory[64];

static __always_inline void note(struct bpf_dynptr *ptr)
{
	__u8 buffer[16] = {};
	__u8 *found;

	results[0] = bpf_dynptr_is_null(ptr);
	results[1] = bpf_dynptr_is_rdonly(ptr);
	results[2] = bpf_dynptr_size(ptr);
	found = bpf_dynptr_slice(ptr, order.offset, buffer, sizeof(buffer));
	results[3] = found ? 1 + (found == buffer) : 0;
	if (found)
		__builtin_memcpy(seen, found, sizeof(seen));
	results[4] = bpf_dynptr_slice(ptr, order.offset, NULL, 4) != NULL;
}

static __always_inline void work(struct bpf_dynptr *ptr, _Bool writes)
{
	struct bpf_dynptr clone, mem;
	__u8 buffer[8] = {};
	__u8 *found;

	note(ptr);
	results[5] = bpf_dynptr_clone(ptr, &clone);
	results[6] = bpf_dynptr_adjust(ptr, order.start, order.end);
	results[7] = bpf_dynptr_size(ptr);
	found = !writes ? NULL : bpf_dynptr_slice_rdwr(ptr, order.other, buffer, sizeof(buffer));
	results[8] = found ? 1 + (found == buffer) : 0;
	if (found)
		found[3] = order.value;
	bpf_dynptr_from_mem(memory, sizeof(memory), 0, &mem);
	results[9] = bpf_dynptr_copy(&mem, order.other, &clone, order.offset, order.size);
	results[10] = bpf_dynptr_memset(&clone, order.other, order.size, order.value);
	results[11] = bpf_dynptr_copy(ptr, order.offset, &mem, order.other, order.size);
	bpf_dynptr_read(rest, sizeof(rest), &clone, order.offset, 0);
}

SEC("xdp.frags")
int of_frame(struct xdp_md *ctx)
{
	struct bpf_dynptr ptr;
	int made = bpf_dynptr_from_xdp(ctx, order.flags, &ptr);

	work(&ptr, 1);
	return made;
}

SEC("xdp.frags")
int pulls(struct xdp_md *ctx)
{
	__u8 *data, *end;

	results[0] = bpf_xdp_pull_data(ctx, order.size);
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	results[1] = end - data;
	results[2] = data - (__u8 *)(long)ctx->data_meta;
	__builtin_memset(seen, 0, sizeof(seen));
	if (order.offset < 4096 && data + order.offset + sizeof(seen) <= end)
		__builtin_memcpy(seen, data + order.offset, sizeof(seen));
	return XDP_PASS;
}

SEC("tc")
int of_packet(struct __sk_buff *ctx)
{
	struct bpf_dynptr ptr;
	int made = bpf_dynptr_from_skb(ctx, order.flags, &ptr);

	work(&ptr, 1);
	return made;
}

SEC("cgroup_skb/egress")
int of_read_only_packet(struct __sk_buff *ctx)
{
	struct bpf_dynptr ptr;

	bpf_dynptr_from_skb(ctx, order.flags, &ptr);
	work(&ptr, 0);
	return 1;
}

SEC("tc")
int of_metadata(struct __sk_buff *ctx)
{
	struct bpf_dynptr ptr;
	int made = bpf_dynptr_from_skb_meta(ctx, order.flags, &ptr);

	work(&ptr, 1);
	return made;
}

char LICENSE[] SEC("license") = "GPL";
