/* What libbpf takes for what bpflab does. Keys and values lie packed one behind another; functions return how many
 * operations succeeded.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct elements {
	int fd;
	char *keys, *values;
	long key_size, value_size, count;
};

static void *key_of(const struct elements *e, long number)
{
	return e->key_size ? e->keys + number * e->key_size : NULL;
}

long map_lookup(const struct elements *e)
{
	char *room = malloc(e->value_size);
	long done = 0;

	for (long number = 0; number < e->count; number++)
		done += !bpf_map_lookup_elem(e->fd, key_of(e, number), room);
	free(room);
	return done;
}

/* For a map without keys that looks its value up, a filter. */
long map_contains(const struct elements *e)
{
	long done = 0;

	for (long number = 0; number < e->count; number++)
		done += !bpf_map_lookup_elem(e->fd, NULL, e->values + number * e->value_size);
	return done;
}

long map_update(const struct elements *e)
{
	long done = 0;

	for (long number = 0; number < e->count; number++)
		done += !bpf_map_update_elem(e->fd, key_of(e, number), e->values + number * e->value_size, BPF_ANY);
	return done;
}

long map_delete_and_update(const struct elements *e)
{
	long done = 0;

	for (long number = 0; number < e->count; number++) {
		bpf_map_delete_elem(e->fd, key_of(e, number));
		done += !bpf_map_update_elem(e->fd, key_of(e, number), e->values + number * e->value_size, BPF_ANY);
	}
	return done;
}

long map_push_and_pop(const struct elements *e)
{
	char *room = malloc(e->value_size);
	long done = 0;

	for (long number = 0; number < e->count; number++) {
		bpf_map_update_elem(e->fd, NULL, e->values + number * e->value_size, BPF_ANY);
		done += !bpf_map_lookup_and_delete_elem(e->fd, NULL, room);
	}
	free(room);
	return done;
}

long map_walk(const struct elements *e)
{
	char *last = NULL, *room = malloc(e->key_size);
	long done = 0;

	while (!bpf_map_get_next_key(e->fd, last, room)) {
		last = room;
		done++;
	}
	free(room);
	return done;
}

long map_lookup_batch(const struct elements *e, uint32_t chunk)
{
	uint64_t token = 0;
	long done = 0;
	int failed = 0;

	while (!failed && done < e->count) {
		uint32_t some = e->count - done < chunk ? e->count - done : chunk;

		failed = bpf_map_lookup_batch(e->fd, done ? &token : NULL, &token, e->keys + done * e->key_size,
					      e->values + done * e->value_size, &some, NULL);
		done += some;
	}
	return done;
}

long map_update_batch(const struct elements *e, uint32_t chunk)
{
	long done = 0;

	while (done < e->count) {
		uint32_t some = e->count - done < chunk ? e->count - done : chunk;

		if (bpf_map_update_batch(e->fd, e->keys + done * e->key_size, e->values + done * e->value_size, &some, NULL))
			break;
		done += some;
	}
	return done;
}

long map_delete_batch(const struct elements *e, uint32_t chunk)
{
	long done = 0;

	while (done < e->count) {
		uint32_t some = e->count - done < chunk ? e->count - done : chunk;

		if (bpf_map_delete_batch(e->fd, e->keys + done * e->key_size, &some, NULL))
			break;
		done += some;
	}
	return done;
}

long program_run(int fd, void *packet, uint32_t size, void *out, uint32_t room, void *context, uint32_t context_size,
		 int repeat, long count)
{
	char *context_out = malloc(context_size ? context_size : 1);
	long done = 0;

	for (long number = 0; number < count; number++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = size, .data_out = out,
			    .data_size_out = room, .repeat = repeat);

		if (context_size) {
			opts.ctx_in = context;
			opts.ctx_out = context_out;
			opts.ctx_size_in = opts.ctx_size_out = context_size;
		}
		done += !bpf_prog_test_run_opts(fd, &opts);
	}
	free(context_out);
	return done;
}

/* Load an XDP program of `count` instructions, and let go of it: 0, or -1. */
long program_load(const struct bpf_insn *insns, size_t count)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "bench", "GPL", insns, count, NULL);

	if (fd < 0)
		return -1;
	return close(fd);
}

static char *destination;

static int copied(void *context, void *data, size_t size)
{
	memcpy(destination, data, size);
	destination += size;
	return 0;
}

struct ring_buffer *ring_open(int fd)
{
	return ring_buffer__new(fd, copied, NULL, NULL);
}

long ring_consume(struct ring_buffer *ring, char *out)
{
	destination = out;
	return ring_buffer__consume(ring);
}

void ring_close(struct ring_buffer *ring)
{
	ring_buffer__free(ring);
}

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return 0;
}

/* Open and load an object, and let go of it: 0, or the error. */
long object_load(const void *data, long size, int load)
{
	struct bpf_object *object;
	long error;

	libbpf_set_print(silent);
	object = bpf_object__open_mem(data, size, NULL);
	error = libbpf_get_error(object);
	if (error)
		return error;
	if (load)
		error = bpf_object__load(object);
	bpf_object__close(object);
	return error;
}

struct btf *types_read(const void *data, uint32_t size)
{
	return btf__new(data, size);
}

void types_close(struct btf *types)
{
	btf__free(types);
}

/* Find `count` structs by name, the names one behind another, each ended by a zero. */
long types_find(const struct btf *types, const char *names, long count)
{
	long found = 0;

	for (long number = 0; number < count; number++) {
		found += btf__find_by_name_kind(types, names, BTF_KIND_STRUCT) > 0;
		names += strlen(names) + 1;
	}
	return found;
}
