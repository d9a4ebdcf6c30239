#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

/* Each program breaks one rule of kernel functions. */
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

struct item {
	__u32 key;
	struct bpf_rb_node in_tree;
	struct bpf_list_node in_list;
	struct bpf_refcount holders;
};

private(A) struct bpf_spin_lock lock;
private(A) struct bpf_rb_root tree __contains(item, in_tree);
private(A) struct bpf_list_head list __contains(item, in_list);
int sink;
char bytes[16];

#define BAD(name) SEC("?tc") int name(struct __sk_buff *ctx)

static _Bool less(struct bpf_rb_node *one, const struct bpf_rb_node *other)
{
	return container_of(one, struct item, in_tree)->key < container_of(other, struct item, in_tree)->key;
}

BAD(leaks_an_object)
{
	struct item *item = bpf_obj_new(struct item);

	if (item)
		item->key = 1;
	return 0;
}

BAD(uses_an_object_that_may_be_null)
{
	struct item *item = bpf_obj_new(struct item);

	item->key = 1;
	bpf_obj_drop(item);
	return 0;
}

BAD(uses_a_dropped_object)
{
	struct item *item = bpf_obj_new(struct item);

	if (!item)
		return 0;
	bpf_obj_drop(item);
	return item->key;
}

BAD(drops_twice)
{
	struct item *item = bpf_obj_new(struct item);

	if (!item)
		return 0;
	bpf_obj_drop(item);
	bpf_obj_drop(item);
	return 0;
}

BAD(adds_without_lock)
{
	struct item *item = bpf_obj_new(struct item);

	if (!item)
		return 0;
	bpf_rbtree_add(&tree, &item->in_tree, less);
	return 0;
}

BAD(uses_a_lent_object_after_the_lock)
{
	struct item *item = bpf_obj_new(struct item);

	if (!item)
		return 0;
	bpf_spin_lock(&lock);
	bpf_rbtree_add(&tree, &item->in_tree, less);
	bpf_spin_unlock(&lock);
	return item->key;
}

BAD(drops_a_lent_object)
{
	struct bpf_rb_node *node;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&tree);
	if (node)
		bpf_obj_drop(container_of(node, struct item, in_tree));
	bpf_spin_unlock(&lock);
	return 0;
}

BAD(looks_beside_the_root)
{
	bpf_spin_lock(&lock);
	bpf_rbtree_first((void *)&tree + 8);
	bpf_spin_unlock(&lock);
	return 0;
}

BAD(looks_somewhere_at_the_root)
{
	__u32 off = ctx->mark;

	if (off > 8)
		return 0;
	bpf_spin_lock(&lock);
	bpf_rbtree_first((void *)&tree + off);
	bpf_spin_unlock(&lock);
	return 0;
}

BAD(takes_a_list_for_a_tree)
{
	bpf_spin_lock(&lock);
	bpf_rbtree_first((void *)&list);
	bpf_spin_unlock(&lock);
	return 0;
}

BAD(calls_under_a_lock)
{
	bpf_spin_lock(&lock);
	sink = bpf_ktime_get_ns();
	bpf_spin_unlock(&lock);
	return 0;
}

BAD(ends_with_a_lock)
{
	bpf_spin_lock(&lock);
	return 0;
}

BAD(reads_beyond_its_object)
{
	struct item *item = bpf_obj_new(struct item);
	int key;

	if (!item)
		return 0;
	key = *((volatile int *)item + 100);
	bpf_obj_drop(item);
	return key;
}

BAD(leaves_an_iterator)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	return 0;
}

BAD(asks_an_iterator_that_was_not_begun)
{
	struct bpf_iter_num it;

	bpf_iter_num_next(&it);
	return 0;
}

BAD(ends_an_iterator_twice)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	bpf_iter_num_destroy(&it);
	bpf_iter_num_destroy(&it);
	return 0;
}

BAD(begins_an_iterator_twice)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	bpf_iter_num_new(&it, 0, 4);
	bpf_iter_num_destroy(&it);
	return 0;
}

BAD(reads_a_number_that_may_not_be_there)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	sink = *bpf_iter_num_next(&it);
	bpf_iter_num_destroy(&it);
	return 0;
}

BAD(writes_the_number_of_an_iterator)
{
	struct bpf_iter_num it;
	int *at;

	bpf_iter_num_new(&it, 0, 4);
	at = bpf_iter_num_next(&it);
	if (at)
		*at = 7;
	bpf_iter_num_destroy(&it);
	return 0;
}

BAD(writes_a_slice)
{
	struct bpf_dynptr ptr;
	char *found;

	bpf_dynptr_from_skb(ctx, 0, &ptr);
	found = bpf_dynptr_slice(&ptr, 0, NULL, 4);
	if (found)
		*found = 1;
	return 0;
}

BAD(reads_beyond_a_slice)
{
	struct bpf_dynptr ptr;
	char *found;

	bpf_dynptr_from_skb(ctx, 0, &ptr);
	found = bpf_dynptr_slice(&ptr, 0, NULL, 4);
	return found ? found[4] : 0;
}

BAD(uses_a_slice_that_may_be_null)
{
	struct bpf_dynptr ptr;

	bpf_dynptr_from_skb(ctx, 0, &ptr);
	return *(char *)bpf_dynptr_slice(&ptr, 0, NULL, 4);
}

BAD(slices_into_a_buffer_too_small)
{
	struct bpf_dynptr ptr;
	char buffer[8];

	bpf_dynptr_from_skb(ctx, 0, &ptr);
	return bpf_dynptr_slice(&ptr, 0, buffer, 64) != NULL;
}

BAD(slices_a_size_that_varies)
{
	struct bpf_dynptr ptr;
	char buffer[8];

	bpf_dynptr_from_skb(ctx, 0, &ptr);
	return bpf_dynptr_slice(&ptr, 0, buffer, ctx->len & 7) != NULL;
}

BAD(uses_no_dynptr)
{
	struct bpf_dynptr ptr, *known = &ptr;

	barrier_var(known);
	return bpf_dynptr_size(known);
}

BAD(overwrites_a_dynptr)
{
	struct bpf_dynptr ptr;

	bpf_dynptr_from_skb(ctx, 0, &ptr);
	*(volatile long *)&ptr = 1;
	return bpf_dynptr_size(&ptr);
}

BAD(takes_a_frame_of_a_packet)
{
	struct bpf_dynptr ptr;

	return bpf_dynptr_from_xdp((void *)ctx, 0, &ptr);
}

BAD(leaves_rcu_locked)
{
	bpf_rcu_read_lock();
	return 0;
}

BAD(unlocks_rcu_only)
{
	bpf_rcu_read_unlock();
	return 0;
}

BAD(nests_rcu)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_rcu_read_unlock();
	return 0;
}

BAD(leaves_preemption_off)
{
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_preempt_enable();
	return 0;
}

BAD(enables_preemption_only)
{
	bpf_preempt_enable();
	return 0;
}

BAD(leaves_interrupts_off)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return 0;
}

BAD(restores_interrupts_out_of_order)
{
	unsigned long first, second;

	bpf_local_irq_save(&first);
	bpf_local_irq_save(&second);
	bpf_local_irq_restore(&first);
	bpf_local_irq_restore(&second);
	return 0;
}

BAD(restores_interrupts_that_were_not_saved)
{
	unsigned long flags = 0;

	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("?syscall") int sleeps_in_rcu(void *ctx)
{
	bpf_rcu_read_lock();
	bpf_copy_from_user(bytes, sizeof(bytes), ctx);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("?syscall") int sleeps_without_preemption(void *ctx)
{
	bpf_preempt_disable();
	bpf_copy_from_user(bytes, sizeof(bytes), ctx);
	bpf_preempt_enable();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
