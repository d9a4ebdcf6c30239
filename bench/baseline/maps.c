/* The least that map operations can cost from user space: syscall(2) in a loop over one prepared attr.
 * Each function runs `count` operations on a hash map of u32 keys and u64 values, and returns how many succeeded.
 */
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOKUP = 1, UPDATE = 2, DELETE = 3, NEXT_KEY = 4, LOOKUP_BATCH = 24, UPDATE_BATCH = 26 };

struct element {
	uint32_t fd, pad;
	uint64_t key, value, flags;
};

struct batch {
	uint64_t in, out, keys, values;
	uint32_t count, fd;
	uint64_t element_flags, flags;
};

static uint32_t key;
static uint64_t value;

static struct element prepared(int fd)
{
	return (struct element){ .fd = fd, .key = (uintptr_t)&key, .value = (uintptr_t)&value };
}

long map_lookup(int fd, long count)
{
	struct element attr = prepared(fd);
	long found = 0;

	for (long number = 0; number < count; number++) {
		key = number;
		found += !syscall(SYS_bpf, LOOKUP, &attr, sizeof(attr));
	}
	return found;
}

long map_update(int fd, long count)
{
	struct element attr = prepared(fd);
	long done = 0;

	for (long number = 0; number < count; number++) {
		key = number;
		value = number;
		done += !syscall(SYS_bpf, UPDATE, &attr, sizeof(attr));
	}
	return done;
}

long map_delete_and_update(int fd, long count)
{
	struct element attr = prepared(fd);
	long done = 0;

	for (long number = 0; number < count; number++) {
		key = number;
		value = number;
		syscall(SYS_bpf, DELETE, &attr, 16);
		done += !syscall(SYS_bpf, UPDATE, &attr, sizeof(attr));
	}
	return done;
}

long map_walk(int fd, long count)
{
	struct element attr = { .fd = fd, .key = 0, .value = (uintptr_t)&key };
	long seen = 0;

	while (seen < count && !syscall(SYS_bpf, NEXT_KEY, &attr, 24)) {
		attr.key = (uintptr_t)&key;
		seen++;
	}
	return seen;
}

/* Read the whole map into the two arrays, `chunk` elements a call. */
long map_lookup_batch(int fd, uint32_t *keys, uint64_t *values, long count, long chunk)
{
	uint32_t token = 0;
	struct batch attr = { .fd = fd, .out = (uintptr_t)&token };
	long seen = 0;
	int failed = 0;

	while (!failed && seen < count) {
		attr.keys = (uintptr_t)(keys + seen);
		attr.values = (uintptr_t)(values + seen);
		attr.count = count - seen < chunk ? count - seen : chunk;
		failed = syscall(SYS_bpf, LOOKUP_BATCH, &attr, sizeof(attr));
		attr.in = (uintptr_t)&token;
		seen += attr.count;
	}
	return seen;
}

long map_update_batch(int fd, uint32_t *keys, uint64_t *values, long count, long chunk)
{
	struct batch attr = { .fd = fd };
	long done = 0;

	while (done < count) {
		attr.keys = (uintptr_t)(keys + done);
		attr.values = (uintptr_t)(values + done);
		attr.count = count - done < chunk ? count - done : chunk;
		if (syscall(SYS_bpf, UPDATE_BATCH, &attr, sizeof(attr)))
			break;
		done += attr.count;
	}
	return done;
}
