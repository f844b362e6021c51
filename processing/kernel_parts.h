/* kernel_parts.h - what the files of kernel share; not for other rooms.
 *
 *   kernel_table.c     F(r) and where it comes from
 *   kernel.c           voxel kernel from F(r), and what is checked before a convolution
 *   kernel_convolve.c  the convolution itself, once per instruction set */
#ifndef KERNEL_PARTS_H
#define KERNEL_PARTS_H

#include "kernel.h"

/* Cumulative share of the energy within r mm of water, linear between rows; the first row (r = 0)
 * is what stays at the decay, the last one is 1. */
struct kernel_table_row {
	double r_mm, share;
};
extern const struct kernel_table_row KERNEL_TABLE[];
extern const int KERNEL_TABLE_ROWS;

/* Voxels to each side at most: 0.5 mm voxels at half the density of water. */
#define KERNEL_MOST_REACH 36

/* out, on the grid of dose, gets the convolution; code: which of the instruction sets, from 0 (see
 * instruction_set.h), all with the same bits. STATUS_BUG: a reach
 * beyond KERNEL_MOST_REACH. STATUS_RETRY: memory. */
enum status_code kernel_convolve_rows(struct volume *out, const struct volume *dose,
				      const struct kernel *kernel, int code, int threads,
				      struct status *st) STATUS_CHECKED;

#endif
