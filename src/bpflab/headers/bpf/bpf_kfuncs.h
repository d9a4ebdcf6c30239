/* Kernel functions for programs, as declarations: those that need no type of vmlinux.h, and the macros around them.
 *
 * Include linux/bpf.h (or vmlinux.h) and bpf/bpf_helpers.h first. With vmlinux.h, its own declarations come before
 * these, and agree with them.
 */
#ifndef __BPF_KFUNCS_H
#define __BPF_KFUNCS_H

#ifndef NULL
#define NULL ((void *)0)
#endif
/* Another bpf_helpers.h, before this one, may lack it. */
#ifndef __bpf_decl_tag
#define __bpf_decl_tag(tag) __attribute__((btf_decl_tag(tag)))
#endif

/* Dynptrs. */
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *ptr) __weak __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __weak __ksym;
extern int bpf_dynptr_from_skb_meta(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __weak __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __weak __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __weak __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, __u32 start, __u32 end) __weak __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *ptr, struct bpf_dynptr *clone) __weak __ksym;
extern _Bool bpf_dynptr_is_null(const struct bpf_dynptr *ptr) __weak __ksym;
extern _Bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *ptr) __weak __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *ptr) __weak __ksym;
extern int bpf_dynptr_copy(struct bpf_dynptr *dst, __u32 dst_off, struct bpf_dynptr *src, __u32 src_off,
			   __u32 size) __weak __ksym;
extern int bpf_dynptr_memset(struct bpf_dynptr *ptr, __u32 offset, __u32 size, __u8 value) __weak __ksym;
extern int bpf_xdp_pull_data(struct xdp_md *xdp, __u32 len) __weak __ksym;

/* Objects of the program's own types, in lists and trees. `__contains` says what a head or root holds. */
#define __contains(name, node) __bpf_decl_tag("contains:" #name ":" #node)
#define bpf_local_type_id(type) __builtin_btf_type_id(*(type *)0, 0)

extern void *bpf_obj_new_impl(__u64 type_id, void *meta) __weak __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __weak __ksym;
extern void *bpf_refcount_acquire_impl(void *object, void *meta) __weak __ksym;
extern void *bpf_percpu_obj_new_impl(__u64 type_id, void *meta) __weak __ksym;
extern void bpf_percpu_obj_drop_impl(void *object, void *meta) __weak __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta,
				    __u64 off) __weak __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta,
				   __u64 off) __weak __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __weak __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) __weak __ksym;
extern struct bpf_list_node *bpf_list_front(struct bpf_list_head *head) __weak __ksym;
extern struct bpf_list_node *bpf_list_back(struct bpf_list_head *head) __weak __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       _Bool (*less)(struct bpf_rb_node *, const struct bpf_rb_node *), void *meta,
			       __u64 off) __weak __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __weak __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __weak __ksym;
extern struct bpf_rb_node *bpf_rbtree_root(struct bpf_rb_root *root) __weak __ksym;
extern struct bpf_rb_node *bpf_rbtree_left(struct bpf_rb_root *root, struct bpf_rb_node *node) __weak __ksym;
extern struct bpf_rb_node *bpf_rbtree_right(struct bpf_rb_root *root, struct bpf_rb_node *node) __weak __ksym;

#define bpf_obj_new(type) ((type *)bpf_obj_new_impl(bpf_local_type_id(type), NULL))
#define bpf_obj_drop(object) bpf_obj_drop_impl(object, NULL)
#define bpf_refcount_acquire(object) bpf_refcount_acquire_impl(object, NULL)
#define bpf_percpu_obj_new(type) ((type __percpu_kptr *)bpf_percpu_obj_new_impl(bpf_local_type_id(type), NULL))
#define bpf_percpu_obj_drop(object) bpf_percpu_obj_drop_impl(object, NULL)
#define bpf_list_push_front(head, node) bpf_list_push_front_impl(head, node, NULL, 0)
#define bpf_list_push_back(head, node) bpf_list_push_back_impl(head, node, NULL, 0)
#define bpf_rbtree_add(root, node, less) bpf_rbtree_add_impl(root, node, less, NULL, 0)

/* Open-coded iterators: new, next until it gives NULL, destroy. */
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

struct bpf_iter_bits;
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const __u64 *words, __u32 count) __weak __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __weak __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __weak __ksym;

/* `bpf_for(i, 0, 10) { ... }` and `bpf_repeat(10) { ... }`: loops that the verifier need not count. */
#define __bpf_iter_end(destroy) __attribute__((unused, cleanup(destroy)))
#define bpf_for(i, start, end)                                                                                 \
	for (struct bpf_iter_num __it __bpf_iter_end(bpf_iter_num_destroy),                                    \
	     *__new __attribute__((unused)) = (bpf_iter_num_new(&__it, (start), (end)),                        \
					      (void)bpf_iter_num_destroy, (void *)0);                          \
	     ({ int *__at = bpf_iter_num_next(&__it);                                                          \
		__at && ((i) = *__at, (i) >= (start) && (i) < (end)); });)
#define bpf_repeat(count)                                                                                      \
	for (struct bpf_iter_num __it __bpf_iter_end(bpf_iter_num_destroy),                                    \
	     *__new __attribute__((unused)) = (bpf_iter_num_new(&__it, 0, (count)),                            \
					      (void)bpf_iter_num_destroy, (void *)0);                          \
	     bpf_iter_num_next(&__it);)

/* Sections. */
extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;
extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;
extern void bpf_local_irq_save(unsigned long *flags) __weak __ksym;
extern void bpf_local_irq_restore(unsigned long *flags) __weak __ksym;

/* Exceptions end a program from any depth of its calls: bpf_throw() with its return value, or with what the callback
 * makes of it. The callback is a global function that takes a __u64 and that nothing calls; it stands before the main
 * function: `__exception_cb(handler) SEC("tc") int filter(struct __sk_buff *skb)`.
 */
extern void bpf_throw(__u64 cookie) __weak __ksym;
#define __exception_cb(name) __bpf_decl_tag("exception_callback:" #name)

/* Casts to the kernel's types. */
extern void *bpf_cast_to_kern_ctx(void *ctx) __weak __ksym;
extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __weak __ksym;

#endif
