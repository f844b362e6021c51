#include "map_cache.h"

#include <string.h>

#include "uid.h"

/* Raised when r2star_fit() gives other numbers for the same signals. */
#define FIT_METHOD "r2star-2"

static const struct kept_kind MAP = {{'H', 'O', 'L', 'M', 'I', 'A', 'R', '2'}, 4, "r2s"};

/* Four volumes of floats, the states, and where looked at the quality. */
enum { ABOUT, R2STAR, STDERR, S0, FIRST_ECHO, STATE, QUALITY, PARTS };

struct map_about {
	struct grid grid;
	double sigma, te1_ms, usable_sigma, saturated_sigma, air_sigma;
};

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

/* ---- reading ---- */

/* The numbers are only for reading (map_cache.h), but a map's own are not. */
static float *samples_of(const struct kept_file *file, int part)
{
	return (float *)(uintptr_t)file->part[part];
}

static bool take(struct kept_map *kept)
{
	const struct kept_file *file = &kept->file;
	struct map_about about;
	if (file->n_parts != PARTS || file->bytes[ABOUT] != sizeof about)
		return false;
	memcpy(&about, file->part[ABOUT], sizeof about);
	const size_t voxels = grid_voxels(&about.grid);
	for (int part = R2STAR; part <= FIRST_ECHO; part++) {
		if (file->bytes[part] != voxels * sizeof(float))
			return false;
	}
	if (voxels == 0 || file->bytes[STATE] != voxels ||
	    (file->bytes[QUALITY] != voxels && file->bytes[QUALITY] != 0))
		return false;
	kept->map = (struct r2star_map){
	    .r2star_per_s = {about.grid, samples_of(file, R2STAR)},
	    .stderr_per_s = {about.grid, samples_of(file, STDERR)},
	    .s0 = {about.grid, samples_of(file, S0)},
	    .first_echo = {about.grid, samples_of(file, FIRST_ECHO)},
	    .state = (uint8_t *)(uintptr_t)file->part[STATE],
	    .quality = (uint8_t *)(uintptr_t)file->part[QUALITY],
	    .sigma = about.sigma,
	    .te1_ms = about.te1_ms,
	    .usable_sigma = about.usable_sigma,
	    .saturated_sigma = about.saturated_sigma,
	    .air_sigma = about.air_sigma,
	};
	return true;
}

enum status_code map_cache_get(struct kept_map *kept, bool *found, const char *spool,
			       const char *key, int threads, struct status *st)
{
	*kept = (struct kept_map){.file = {.mapping = NULL}};
	if (kept_file_get(&kept->file, found, &MAP, spool, key, threads, st) != STATUS_OK ||
	    !*found)
		return st->code;
	*found = take(kept);
	if (!*found)
		kept_map_free(kept);
	return STATUS_OK;
}

void kept_map_free(struct kept_map *kept)
{
	kept_file_free(&kept->file);
	*kept = (struct kept_map){.file = {.mapping = NULL}};
}

/* ---- writing ---- */

enum status_code map_cache_put(const char *spool, const char *key, const struct r2star_map *map,
			       int threads, struct status *st)
{
	const struct map_about about = {
	    map->r2star_per_s.grid, map->sigma,		  map->te1_ms,
	    map->usable_sigma,	    map->saturated_sigma, map->air_sigma};
	const size_t voxels = grid_voxels(&about.grid), floats = voxels * sizeof(float);
	const void *part[PARTS] = {
	    &about,	     map->r2star_per_s.samples, map->stderr_per_s.samples,
	    map->s0.samples, map->first_echo.samples,	map->state,
	    map->quality};
	const size_t bytes[PARTS] = {
	    sizeof about, floats, floats, floats, floats, voxels, map->quality ? voxels : 0};
	return kept_file_put(&MAP, spool, key, part, bytes, PARTS, threads, st);
}
