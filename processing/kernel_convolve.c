/* kernel_convolve.c - the convolution, in tiles of 16 columns by 16 rows through all slices.
 *
 * The kernel is even along each axis, so a voxel needs (rx + 1) (ry + 1) (rz + 1) products and not
 * eight times as many:
 *
 *   columns  for every slice of a tile the sums of voxels i - dx and i + dx are made once
 *   rows     of these, j - dy and j + dy are added once for all dz
 *   slices   their products are summed over dx and dy, and go to the slices k - dz and k + dz
 *
 * Lanes are columns. Each output voxel is summed in the same order whatever the tile, the number of
 * threads or the instruction set (the build forbids fused multiply-add), so bits are the same. */
#include "kernel_parts.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "instruction_set.h"
#include "parallel.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
	LANES = 16,
	TILE_ROWS = 16,
	PLANES = 4, /* dz taken together: their sums stay in registers */
	MOST_ROWS = 4,
	TALL = TILE_ROWS + 2 * KERNEL_MOST_REACH,
	WIDE = LANES + 2 * KERNEL_MOST_REACH
};

struct convolution {
	const struct volume *dose;
	float *out; /* zeros at first */
	int code;   /* index into CODES */
	int reach[3];
	/* [dz / PLANES][dx][dy][dz % PLANES], half of it where dy is 0: the row is then added to
	 * itself */
	float *share; /* owned */
};

/* One slice of a tile: sums of columns, [dx][row][lane]; rows from reach above the tile on. */
struct slice_sums {
	_Alignas(64) float sum[(KERNEL_MOST_REACH + 1) * TALL * LANES];
	int tall;		       /* rows with margins */
	int first_active, last_active; /* rows with a value that is not 0 */
};

/* A row's columns with margins, zeros outside the grid and where nothing was measured. */
ALWAYS_INLINE bool take_line(float line[WIDE], const struct convolution *job, int column, int row,
			     int slice)
{
	const struct grid *grid = &job->dose->grid;
	int wide = LANES + 2 * job->reach[0], from = column - job->reach[0];
	if (row < 0 || row >= grid->rows)
		return false;
	int first = from < 0 ? -from : 0;
	int end = from + wide > grid->columns ? grid->columns - from : wide;
	const float *samples =
	    job->dose->samples +
	    ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns;
	int32_t any = 0;
	memset(line, 0, sizeof *line * WIDE);
	for (int i = first; i < end; i++) {
		float value = samples[from + i];
		value = value == value ? value : 0; /* NaN: nothing to give */
		any |= value != 0;
		line[i] = value;
	}
	return any != 0;
}

ALWAYS_INLINE void sum_columns(struct slice_sums *sums, const struct convolution *job, int column,
			       int row, int slice)
{
	sums->tall = TILE_ROWS + 2 * job->reach[1];
	sums->first_active = sums->tall;
	sums->last_active = -1;
	for (int j = 0; j < sums->tall; j++) {
		float line[WIDE];
		bool active = take_line(line, job, column, row - job->reach[1] + j, slice);
		float *to = sums->sum + (size_t)j * LANES;
		size_t next = (size_t)sums->tall * LANES;
		if (active && sums->last_active < 0)
			sums->first_active = j;
		if (active)
			sums->last_active = j;
		for (int dx = 0; dx <= job->reach[0]; dx++, to += next) {
			const float *middle = line + job->reach[0];
			if (!active)
				memset(to, 0, LANES * sizeof *to);
			for (int l = 0; active && l < LANES; l++)
				to[l] = dx == 0 ? middle[l] : middle[l - dx] + middle[l + dx];
		}
	}
}

/* One slice's part in the slices around it. */
ALWAYS_INLINE void spread_slices(const struct convolution *job,
				 float sums[PLANES][MOST_ROWS][LANES], int rows, int column,
				 int row, int slice, int first_dz)
{
	const struct grid *grid = &job->dose->grid;
	int lanes = grid->columns - column < LANES ? grid->columns - column : LANES;
	int most_rows = grid->rows - row < rows ? grid->rows - row : rows;
	for (int p = 0; p < PLANES && first_dz + p <= job->reach[2]; p++) {
		for (int side = -1; side <= (first_dz + p > 0 ? 1 : -1); side += 2) {
			int to = slice + side * (first_dz + p);
			if (to < 0 || to >= grid->slices)
				continue;
			for (int j = 0; j < most_rows; j++) {
				float *out = job->out +
					     ((size_t)to * (size_t)grid->rows + (size_t)(row + j)) *
						 (size_t)grid->columns +
					     (size_t)column;
				if (lanes == LANES) {
					for (int l = 0; l < LANES; l++)
						out[l] += sums[p][j][l];
				} else {
					for (int l = 0; l < lanes; l++)
						out[l] += sums[p][j][l];
				}
			}
		}
	}
}

typedef void multiply_rows(float sums[PLANES][MOST_ROWS][LANES], const float *at,
			   const float *share, int reach_x, int reach_y, int tall);

ALWAYS_INLINE void convolve_tile(const struct convolution *job, int column, int row, int rows,
				 multiply_rows *multiply)
{
	struct slice_sums slice_sums;
	float sums[PLANES][MOST_ROWS][LANES];
	size_t share_apart =
	    (size_t)PLANES * (size_t)(job->reach[0] + 1) * (size_t)(job->reach[1] + 1);
	for (int k = 0; k < job->dose->grid.slices; k++) {
		sum_columns(&slice_sums, job, column, row, k);
		for (int j = 0; j < TILE_ROWS && row + j < job->dose->grid.rows; j += rows) {
			if (j > slice_sums.last_active ||
			    j + rows - 1 + 2 * job->reach[1] < slice_sums.first_active)
				continue;
			const float *at = slice_sums.sum + (size_t)(j + job->reach[1]) * LANES;
			for (int dz = 0; dz <= job->reach[2]; dz += PLANES) {
				multiply(sums, at, job->share + (size_t)(dz / PLANES) * share_apart,
					 job->reach[0], job->reach[1], slice_sums.tall);
				spread_slices(job, sums, rows, column, row + j, k, dz);
			}
		}
	}
}

/* The inner loop for one instruction set: as many lanes at a time as its vectors hold, as many rows
 * as leave all sums in its registers. */
enum { WIDTH_plain = 4, WIDTH_avx2 = 8, WIDTH_avx512 = 16 };
enum { ROWS_plain = 2, ROWS_avx2 = 2, ROWS_avx512 = 4 };
#define CODE_FOR(set, target)                                                                      \
	typedef float vector_##set __attribute__((vector_size(4 * WIDTH_##set), may_alias));       \
	target static void multiply_##set(float sums[PLANES][MOST_ROWS][LANES], const float *at,   \
					  const float *share, int reach_x, int reach_y, int tall)  \
	{                                                                                          \
		for (int first = 0; first < LANES; first += WIDTH_##set) {                         \
			vector_##set sum[PLANES][ROWS_##set] = {0};                                \
			const float *share_at = share;                                             \
			const float *row = at + first;                                             \
			for (int dx = 0; dx <= reach_x; dx++, row += (ptrdiff_t)tall * LANES) {    \
				for (int dy = 0; dy <= reach_y; dy++, share_at += PLANES) {        \
					const float *up = row - (ptrdiff_t)dy * LANES;             \
					const float *down = row + (ptrdiff_t)dy * LANES;           \
					vector_##set pair[ROWS_##set];                             \
					for (int j = 0; j < ROWS_##set; j++)                       \
						pair[j] =                                          \
						    *(const vector_##set *)(up + j * LANES) +      \
						    *(const vector_##set *)(down + j * LANES);     \
					for (int p = 0; p < PLANES; p++)                           \
						for (int j = 0; j < ROWS_##set; j++)               \
							sum[p][j] += pair[j] * share_at[p];        \
				}                                                                  \
			}                                                                          \
			for (int p = 0; p < PLANES; p++)                                           \
				for (int j = 0; j < ROWS_##set; j++)                               \
					memcpy(&sums[p][j][first], &sum[p][j], sizeof sum[p][j]);  \
		}                                                                                  \
	}                                                                                          \
	target static void tile_##set(const struct convolution *job, int column, int row)          \
	{                                                                                          \
		convolve_tile(job, column, row, ROWS_##set, multiply_##set);                       \
	}

INSTRUCTION_SETS(CODE_FOR)

typedef void tile_code(const struct convolution *job, int column, int row);

#define CODE_ROW(set, target) tile_##set,
static tile_code *const CODES[] = {INSTRUCTION_SETS(CODE_ROW)};

static void convolve_tiles(void *user, size_t first, size_t last)
{
	const struct convolution *job = user;
	size_t across = ((size_t)job->dose->grid.columns + LANES - 1) / LANES;
	for (size_t t = first; t < last; t++)
		CODES[job->code](job, (int)(t % across) * LANES, (int)(t / across) * TILE_ROWS);
}

static void blank_rows(void *user, size_t first, size_t last)
{
	const struct convolution *job = user;
	for (size_t v = first; v < last; v++)
		job->out[v] = isnan(job->dose->samples[v]) ? NAN : job->out[v];
}

/* The shares in the order in which they are used; dz beyond the reach are zeros. */
static float *arrange_shares(const struct kernel *kernel)
{
	size_t nx = (size_t)kernel->reach[0] + 1, ny = (size_t)kernel->reach[1] + 1;
	size_t groups = (size_t)kernel->reach[2] / PLANES + 1;
	float *arranged = calloc(groups * nx * ny * PLANES, sizeof *arranged);
	for (size_t z = 0; arranged && z <= (size_t)kernel->reach[2]; z++) {
		for (size_t y = 0; y < ny; y++) {
			for (size_t x = 0; x < nx; x++) {
				float share = kernel->share[(z * ny + y) * nx + x];
				arranged[((z / PLANES * nx + x) * ny + y) * PLANES + z % PLANES] =
				    y == 0 ? share / 2 : share;
			}
		}
	}
	return arranged;
}

enum status_code kernel_convolve_rows(struct volume *out, const struct volume *dose,
				      const struct kernel *kernel, int code, int threads,
				      struct status *st)
{
	const struct grid *grid = &dose->grid;
	size_t voxels = grid_voxels(grid);
	struct convolution job = {.dose = dose, .out = out->samples, .code = code};
	for (int a = 0; a < 3; a++) {
		if (kernel->reach[a] < 0 || kernel->reach[a] > KERNEL_MOST_REACH)
			return status_fail(st, STATUS_BUG, "beta kernel: a reach of %d voxels",
					   kernel->reach[a]);
		job.reach[a] = kernel->reach[a];
	}
	job.share = arrange_shares(kernel);
	if (!job.share)
		return status_fail(st, STATUS_RETRY, "no memory for a beta kernel");
	memset(out->samples, 0, voxels * sizeof *out->samples);
	size_t tiles = (((size_t)grid->columns + LANES - 1) / LANES) *
		       (((size_t)grid->rows + TILE_ROWS - 1) / TILE_ROWS);
	parallel_for(tiles, 1, threads, convolve_tiles, &job);
	parallel_for(voxels, 65536, threads, blank_rows, &job);
	free(job.share);
	return STATUS_OK;
}
