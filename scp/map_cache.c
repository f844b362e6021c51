#include "map_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parallel.h"
#include "result_file.h"
#include "uid.h"

/* Raised when r2star_fit() gives other numbers for the same signals. */
#define FIT_METHOD     "r2star-2"
#define MAP_VERSION    3u /* 2: with the quality of every voxel; 3: checksum of pieces */
#define MAP_BYTE_ORDER 0x01020304u
#define HEADER_SIZE    4096
#define VOLUMES	       4 /* of floats; behind them the states and, where looked at, the quality */
#define PARTS	       (VOLUMES + 2)
#define PIECES	       8 /* of each part, for the checksum: summed in any order, by several threads */
#define PATH_SIZE      1400

struct map_header {
	char magic[8];
	uint32_t version, byte_order;
	uint64_t voxels, payload_checksum;
	char key[72];
	int32_t columns, rows, slices, has_quality;
	double origin_mm[3], column_step_mm[3], row_step_mm[3], slice_step_mm[3];
	char frame_of_reference[72];
	double sigma, te1_ms, usable_sigma, saturated_sigma, air_sigma;
	uint64_t header_checksum; /* of everything above */
};

static const char MAGIC[8] = {'H', 'O', 'L', 'M', 'I', 'A', 'R', '2'};

void map_cache_key(char key[65], const char *evidence_hash, double usable_sigma,
		   double saturated_sigma)
{
	struct digest *digest = digest_new();

	digest_text(digest, FIT_METHOD);
	digest_text(digest, evidence_hash);
	digest_double(digest, usable_sigma);
	digest_double(digest, saturated_sigma);
	digest_finish(digest, key);
}

/* Against damage, not against intent: four running sums of mixed words, so that it keeps up with
 * memory. */
static uint64_t checksum(uint64_t seed, const void *bytes, size_t size)
{
	const uint64_t odd = 0x9e3779b97f4a7c15u;
	uint64_t lane[4] = {seed, seed ^ odd, seed + odd, ~seed};
	const char *at = bytes;

	for (; size >= 32; at += 32, size -= 32) {
		uint64_t word[4];
		memcpy(word, at, sizeof word);
		for (int i = 0; i < 4; i++) {
			lane[i] = (lane[i] ^ word[i]) * odd;
			lane[i] ^= lane[i] >> 29;
		}
	}
	for (; size > 0; at++, size--)
		lane[0] = (lane[0] ^ (unsigned char)*at) * odd;
	uint64_t sum = 0;
	for (int i = 0; i < 4; i++)
		sum = (sum ^ lane[i]) * odd + (sum >> 31);
	return sum;
}

/* The volumes in order, and their sizes; an absent one is NULL and 0. */
struct payload {
	const void *part[PARTS];
	size_t bytes[PARTS];
	uint64_t sum[PARTS * PIECES];
};

static void list_parts(struct payload *payload, const struct r2star_map *map)
{
	const void *const parts[PARTS] = {map->r2star_per_s.samples,
					  map->stderr_per_s.samples,
					  map->s0.samples,
					  map->first_echo.samples,
					  map->state,
					  map->quality};
	size_t voxels = grid_voxels(&map->r2star_per_s.grid);
	for (int i = 0; i < PARTS; i++) {
		payload->part[i] = parts[i];
		payload->bytes[i] = i < VOLUMES ? voxels * sizeof(float) : voxels;
		if (!parts[i])
			payload->bytes[i] = 0;
	}
}

static void sum_piece(struct payload *payload, size_t index)
{
	const char *part = payload->part[index / PIECES];
	size_t bytes = payload->bytes[index / PIECES], piece = index % PIECES;
	size_t first = bytes / PIECES * piece;
	size_t last = piece + 1 < PIECES ? first + bytes / PIECES : bytes;
	payload->sum[index] = checksum(index, part ? part + first : NULL, last - first);
}

static void sum_pieces(void *user, size_t first, size_t last)
{
	for (size_t i = first; i < last; i++)
		sum_piece(user, i);
}

static uint64_t payload_checksum(const struct payload *payload)
{
	return checksum(1, payload->sum, sizeof payload->sum);
}

static uint64_t header_checksum(const struct map_header *header)
{
	return checksum(2, header, offsetof(struct map_header, header_checksum));
}

static int map_path(char path[PATH_SIZE], const char *spool, const char *key)
{
	return key[0] != '\0' &&
	       snprintf(path, PATH_SIZE, "%s/maps/%s.r2s", spool, key) < PATH_SIZE;
}

/* ---- reading ---- */

static void header_to_map(struct kept_map *kept, const struct map_header *header)
{
	struct grid grid = {
	    .columns = header->columns, .rows = header->rows, .slices = header->slices};
	memcpy(grid.origin_mm, header->origin_mm, sizeof grid.origin_mm);
	memcpy(grid.column_step_mm, header->column_step_mm, sizeof grid.column_step_mm);
	memcpy(grid.row_step_mm, header->row_step_mm, sizeof grid.row_step_mm);
	memcpy(grid.slice_step_mm, header->slice_step_mm, sizeof grid.slice_step_mm);
	memcpy(grid.frame_of_reference, header->frame_of_reference, sizeof grid.frame_of_reference);

	float *samples = (float *)(void *)((char *)kept->mapping + HEADER_SIZE);
	size_t voxels = (size_t)header->voxels;
	uint8_t *state = (uint8_t *)(samples + VOLUMES * voxels);
	kept->map = (struct r2star_map){
	    .r2star_per_s = {grid, samples},
	    .stderr_per_s = {grid, samples + voxels},
	    .s0 = {grid, samples + 2 * voxels},
	    .first_echo = {grid, samples + 3 * voxels},
	    .state = state,
	    .quality = header->has_quality ? state + voxels : NULL,
	    .sigma = header->sigma,
	    .te1_ms = header->te1_ms,
	    .usable_sigma = header->usable_sigma,
	    .saturated_sigma = header->saturated_sigma,
	    .air_sigma = header->air_sigma,
	};
}

static bool header_is_ours(const struct map_header *header, size_t file_size, const char *key)
{
	if (memcmp(header->magic, MAGIC, sizeof MAGIC) != 0 || header->version != MAP_VERSION ||
	    header->byte_order != MAP_BYTE_ORDER ||
	    header->header_checksum != header_checksum(header))
		return false;
	if (header->columns < 1 || header->rows < 1 || header->slices < 1)
		return false;
	uint64_t voxels =
	    (uint64_t)header->columns * (uint64_t)header->rows * (uint64_t)header->slices;
	return voxels == header->voxels &&
	       file_size == HEADER_SIZE + voxels * (VOLUMES * sizeof(float) + 1 +
						    (header->has_quality ? 1 : 0)) &&
	       strncmp(header->key, key, sizeof header->key) == 0;
}

enum status_code map_cache_get(struct kept_map *kept, bool *found, const char *spool,
			       const char *key, int threads, struct status *st)
{
	char path[PATH_SIZE];
	struct stat file;
	int fd;

	*found = false;
	*kept = (struct kept_map){.mapping = NULL};
	if (!map_path(path, spool, key))
		return status_fail(st, STATUS_RETRY, "no usable name for a map in %s", spool);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return STATUS_OK;
	if (fd < 0)
		return status_fail(st, STATUS_RETRY, "%s: %s", path, strerror(errno));
	if (fstat(fd, &file) == 0 && file.st_size > HEADER_SIZE) {
		void *mapping = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (mapping == MAP_FAILED) {
			(void)status_fail(st, STATUS_RETRY, "%s: %s", path, strerror(errno));
		} else {
			kept->mapping = mapping;
			kept->size = (size_t)file.st_size;
		}
	}
	close(fd);
	if (!kept->mapping)
		return st->code;

	const struct map_header *header = kept->mapping;
	if (header_is_ours(header, kept->size, key)) {
		struct payload payload;
		header_to_map(kept, header);
		list_parts(&payload, &kept->map);
		parallel_for(PARTS * PIECES, 1, threads, sum_pieces, &payload);
		*found = payload_checksum(&payload) == header->payload_checksum;
		/* what the job reads comes back from the page cache; five maps are a quarter of a
		 * GB, and air is most of them */
		(void)madvise(kept->mapping, kept->size, MADV_DONTNEED);
	}
	if (!*found)
		kept_map_free(kept);
	return STATUS_OK;
}

void kept_map_free(struct kept_map *kept)
{
	if (kept->mapping)
		munmap(kept->mapping, kept->size);
	*kept = (struct kept_map){.mapping = NULL};
}

/* ---- writing ---- */

static void map_to_header(struct map_header *header, const struct r2star_map *map, const char *key)
{
	const struct grid *grid = &map->r2star_per_s.grid;

	memset(header, 0, sizeof *header);
	memcpy(header->magic, MAGIC, sizeof MAGIC);
	header->version = MAP_VERSION;
	header->byte_order = MAP_BYTE_ORDER;
	header->voxels = grid_voxels(grid);
	snprintf(header->key, sizeof header->key, "%s", key);
	header->columns = grid->columns;
	header->rows = grid->rows;
	header->slices = grid->slices;
	header->has_quality = map->quality != NULL;
	memcpy(header->origin_mm, grid->origin_mm, sizeof header->origin_mm);
	memcpy(header->column_step_mm, grid->column_step_mm, sizeof header->column_step_mm);
	memcpy(header->row_step_mm, grid->row_step_mm, sizeof header->row_step_mm);
	memcpy(header->slice_step_mm, grid->slice_step_mm, sizeof header->slice_step_mm);
	memcpy(header->frame_of_reference, grid->frame_of_reference,
	       sizeof grid->frame_of_reference);
	header->sigma = map->sigma;
	header->te1_ms = map->te1_ms;
	header->usable_sigma = map->usable_sigma;
	header->saturated_sigma = map->saturated_sigma;
	header->air_sigma = map->air_sigma;
}

/* 0, or errno. */
static int write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;
	while (size > 0) {
		ssize_t written = write(fd, at, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? errno : EIO;
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

/* The payload goes into the file while its checksum is made; the header, which needs it, last. */
struct writing {
	struct payload payload;
	int fd;
	int error; /* of the thread that wrote; 0 none */
};

static void write_or_sum(void *user, size_t first, size_t last)
{
	struct writing *writing = user;
	for (size_t i = first; i < last; i++) {
		if (i > 0) {
			sum_piece(&writing->payload, i - 1);
			continue;
		}
		if (lseek(writing->fd, HEADER_SIZE, SEEK_SET) < 0)
			writing->error = errno;
		for (int p = 0; p < PARTS && writing->error == 0; p++)
			writing->error = write_all(writing->fd, writing->payload.part[p],
						   writing->payload.bytes[p]);
	}
}

static int write_header(int fd, const struct map_header *header)
{
	union {
		struct map_header header;
		char bytes[HEADER_SIZE];
	} first = {.bytes = {0}};
	first.header = *header;
	return lseek(fd, 0, SEEK_SET) == 0 ? write_all(fd, first.bytes, sizeof first.bytes) : errno;
}

enum status_code map_cache_put(const char *spool, const char *key, const struct r2star_map *map,
			       int threads, struct status *st)
{
	char path[PATH_SIZE], temporary[PATH_SIZE + 16], folder[PATH_SIZE];
	struct map_header header;
	struct writing writing = {.error = 0};

	if (!map_path(path, spool, key))
		return status_fail(st, STATUS_RETRY, "no usable name for a map in %s", spool);
	snprintf(folder, sizeof folder, "%s/maps", spool);
	snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
	if (result_folder_make(folder, st) != STATUS_OK)
		return st->code;
	writing.fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (writing.fd < 0)
		return status_fail(st, STATUS_RETRY, "%s cannot be written: %s", temporary,
				   strerror(errno));
	list_parts(&writing.payload, map);
	parallel_for(1 + PARTS * PIECES, 1, threads, write_or_sum, &writing);
	map_to_header(&header, map, key);
	header.payload_checksum = payload_checksum(&writing.payload);
	header.header_checksum = header_checksum(&header);
	if (writing.error == 0)
		writing.error = write_header(writing.fd, &header);
	/* not synced: after a crash the checksum tells */
	if (close(writing.fd) != 0 && writing.error == 0)
		writing.error = errno;
	if (writing.error == 0 && rename(temporary, path) != 0)
		writing.error = errno;
	if (writing.error != 0) {
		(void)status_fail(st, STATUS_RETRY, "%s cannot be written: %s", path,
				  strerror(writing.error));
		unlink(temporary);
	}
	return st->code;
}
