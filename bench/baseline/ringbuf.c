/* The least that a consumer of a BPF ring buffer can do in C: map it, walk it, copy each record out.
 * The memory order is the one that libbpf keeps: acquire loads of the producer's position and of each header, a
 * release store of the consumer's position after each record.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUSY (1u << 31)
#define DISCARDED (1u << 30)

static uint64_t *consumed, *produced;
static uint8_t *data;
static uint64_t mask;

int ring_open(int fd, uint64_t size)
{
	long page = sysconf(_SC_PAGESIZE);
	void *own = mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	void *theirs = mmap(0, page + 2 * size, PROT_READ, MAP_SHARED, fd, page);

	if (own == MAP_FAILED || theirs == MAP_FAILED)
		return -1;
	consumed = own;
	produced = theirs;
	data = (uint8_t *)theirs + page;
	mask = size - 1;
	return 0;
}

/* Copy records of at most `width` bytes to `out`, one every `width` bytes, until `wanted` are there or none is left. */
long ring_drain(uint8_t *out, long width, long wanted)
{
	uint64_t position = *consumed;
	uint64_t end = __atomic_load_n(produced, __ATOMIC_ACQUIRE);
	long count = 0;

	while (position < end && count < wanted) {
		uint32_t *header = (uint32_t *)(data + (position & mask));
		uint32_t word = __atomic_load_n(header, __ATOMIC_ACQUIRE);
		uint32_t length = word & ~(BUSY | DISCARDED);

		if (word & BUSY)
			break;
		if (!(word & DISCARDED))
			memcpy(out + width * count++, header + 2, length < width ? length : width);
		position += (length + 15) / 8 * 8;
		__atomic_store_n(consumed, position, __ATOMIC_RELEASE);
	}
	return count;
}
