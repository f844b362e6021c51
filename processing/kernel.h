/* kernel.h - beta transport: absorbed dose by convolution with a 166Ho voxel kernel.
 *
 * K(i,j,k) is the share of the energy of decays spread evenly in one voxel that is absorbed in the
 * voxel i, j, k away. It is built for any voxel size from F(r), the cumulative share of the
 * electron energy within r mm of a point decay in water (table and its making: kernel_table.c;
 * distances scale with density). The sum over all K is 1 exactly, so total energy equals that of
 * local deposition with the same dose constant; photons (about 4 % of the energy, half of it in the
 * constant) are not transported.
 *
 *     D = conv(a * V_voxel, K) * k166 / (rho * V_voxel) = conv(a, K) * k166 / rho
 *
 * so convolving a map of local-deposition dose gives the kernel dose. Grids must be orthogonal
 * (row, column and slice steps at right angles); the kernel has then octant symmetry.
 *
 * Pure. Same bits at any thread count. */
#ifndef KERNEL_H
#define KERNEL_H

#include "volume.h"

struct kernel {
	int reach[3]; /* voxels to each side: columns, rows, slices */
	float *share; /* (reach[0]+1) * (reach[1]+1) * (reach[2]+1) of the positive octant, columns
			 fastest; owned */
	double spacing_mm[3];
	double density_g_per_ml;
};

/* F(r), r mm in tissue of the density. 0 at 0, 1 beyond the range. */
double kernel_cumulative_share(double r_mm, double density_g_per_ml);

/* Deterministic quadrature, converged to 1e-4 of K(0,0,0). Planes at the ends that hold less than
 * 1e-4 of the energy per axis are cut off and the rest scaled up. STATUS_REFUSE: a spacing not
 * within 0.5 to 20 mm, a density not within 0.5 to 2 g/mL. STATUS_RETRY: memory. The caller frees
 * with kernel_free(). */
enum status_code kernel_build(struct kernel *kernel, const double spacing_mm[3],
			      double density_g_per_ml, struct status *st) STATUS_CHECKED;
void kernel_free(struct kernel *kernel);

/* out = local_dose_gy convolved. NaN (not evaluated) gives nothing to its neighbours and stays NaN.
 * What leaves the grid or lands on a voxel without a dose is lost from the map and returned in
 * lost_share (of all energy; may be NULL; NaN where the energy is not above 0). out is untouched
 * unless STATUS_OK; the caller frees it with volume_free(). STATUS_REFUSE: axes not at right angles
 * within 1e-3, or another spacing than the kernel's. STATUS_RETRY: memory. */
enum status_code kernel_convolve(struct volume *out, double *lost_share,
				 const struct volume *local_dose_gy, const struct kernel *kernel,
				 int threads, struct status *st) STATUS_CHECKED;

#endif
