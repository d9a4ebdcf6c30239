#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

#define STEPS 24
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

struct item {
	__u32 key;
	struct bpf_rb_node in_tree;
	struct bpf_list_node in_list;
	struct bpf_refcount holders;
};

enum { PUSH_FRONT, PUSH_BACK, POP_FRONT, POP_BACK, FRONT, BACK, ADD, SHARE, FIRST, ROOT, LEFT, RIGHT, TAKE_FIRST, TAKE_ROOT };

struct step {
	__u8 act, key;
};

struct step steps[STEPS];
int results[STEPS];

private(A) struct bpf_spin_lock lock;
private(A) struct bpf_rb_root tree __contains(item, in_tree);
private(A) struct bpf_list_head list __contains(item, in_list);

static _Bool less(struct bpf_rb_node *one, const struct bpf_rb_node *other)
{
	return container_of(one, struct item, in_tree)->key < container_of(other, struct item, in_tree)->key;
}

static __always_inline int key_in_tree(struct bpf_rb_node *node)
{
	return node ? (int)container_of(node, struct item, in_tree)->key : -1;
}

static __always_inline int key_in_list(struct bpf_list_node *node)
{
	return node ? (int)container_of(node, struct item, in_list)->key : -1;
}

static __noinline int put(__u8 act, __u8 key)
{
	struct item *item = bpf_obj_new(struct item);
	struct item *other;
	int result;

	if (!item)
		return -1;
	item->key = key;
	if (act == SHARE) {
		other = bpf_refcount_acquire(item);
		bpf_spin_lock(&lock);
		bpf_rbtree_add(&tree, &item->in_tree, less);
		result = bpf_list_push_back(&list, &other->in_list);
		bpf_spin_unlock(&lock);
		return result;
	}
	bpf_spin_lock(&lock);
	if (act == ADD)
		result = bpf_rbtree_add(&tree, &item->in_tree, less);
	else if (act == PUSH_FRONT)
		result = bpf_list_push_front(&list, &item->in_list);
	else
		result = bpf_list_push_back(&list, &item->in_list);
	bpf_spin_unlock(&lock);
	return result;
}

static __noinline int take_listed(_Bool front)
{
	struct bpf_list_node *node;
	int key;

	bpf_spin_lock(&lock);
	node = front ? bpf_list_pop_front(&list) : bpf_list_pop_back(&list);
	bpf_spin_unlock(&lock);
	if (!node)
		return -1;
	key = key_in_list(node);
	bpf_obj_drop(container_of(node, struct item, in_list));
	return key;
}

static __noinline int take_sorted(_Bool first)
{
	struct bpf_rb_node *node;
	int key;

	bpf_spin_lock(&lock);
	node = first ? bpf_rbtree_first(&tree) : bpf_rbtree_root(&tree);
	if (!node) {
		bpf_spin_unlock(&lock);
		return -1;
	}
	node = bpf_rbtree_remove(&tree, node);
	bpf_spin_unlock(&lock);
	if (!node)
		return -2;
	key = key_in_tree(node);
	bpf_obj_drop(container_of(node, struct item, in_tree));
	return key;
}

static __noinline int look(__u8 act)
{
	struct bpf_rb_node *node;
	int key;

	bpf_spin_lock(&lock);
	if (act == FRONT) {
		key = key_in_list(bpf_list_front(&list));
	} else if (act == BACK) {
		key = key_in_list(bpf_list_back(&list));
	} else if (act == FIRST) {
		key = key_in_tree(bpf_rbtree_first(&tree));
	} else {
		node = bpf_rbtree_root(&tree);
		if (node && act == LEFT)
			node = bpf_rbtree_left(&tree, node);
		else if (node && act == RIGHT)
			node = bpf_rbtree_right(&tree, node);
		key = key_in_tree(node);
	}
	bpf_spin_unlock(&lock);
	return key;
}

SEC("tc")
int work(struct __sk_buff *ctx)
{
	int i;

	bpf_for(i, 0, STEPS) {
		__u8 act = steps[i].act, key = steps[i].key;

		if (act == PUSH_FRONT || act == PUSH_BACK || act == ADD || act == SHARE)
			results[i] = put(act, key);
		else if (act == POP_FRONT || act == POP_BACK)
			results[i] = take_listed(act == POP_FRONT);
		else if (act == TAKE_FIRST || act == TAKE_ROOT)
			results[i] = take_sorted(act == TAKE_FIRST);
		else
			results[i] = look(act);
	}
	return 0;
}

SEC("tc")
int clear(struct __sk_buff *ctx)
{
	int i;

	bpf_for(i, 0, 2 * STEPS) {
		take_listed(1);
		take_sorted(1);
	}
	return take_listed(1) == -1 && take_sorted(1) == -1;
}

char LICENSE[] SEC("license") = "GPL";
