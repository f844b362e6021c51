/* dosimetry_warp.h - scans that lie on the baseline by a deformation; with dosimetry_parts.h, not
 * for other rooms. scan->deformation is not NULL in any of these calls; without one the rigid code
 * beside each call stands as it was. */
#ifndef DOSIMETRY_WARP_H
#define DOSIMETRY_WARP_H

#include "deformation.h"
#include "dosimetry_parts.h"

/* STATUS_BUG unless the deformation stands on the rigid transform that scan and baseline have. */
enum status_code dosimetry_warp_check(const struct dosimetry_scan *scan,
				      const struct dosimetry_input *input,
				      struct status *st) STATUS_CHECKED;

/* The baseline's values at the voxels of the scan, on the scan's own grid. */
enum status_code dosimetry_warp_baseline(struct resample_packed *warped,
					 const struct dosimetry_baseline_map *baseline,
					 const struct dosimetry_scan *scan, int threads,
					 struct status *st) STATUS_CHECKED;

/* Marks of the baseline's grid at the voxels of the scan, nearest voxel. */
void dosimetry_warp_marks(uint8_t *marks, const uint8_t *from, const struct grid *baseline,
			  const struct dosimetry_scan *scan, int threads);

/* Masks of the result grid as the scan's grid sees them, sub^3 points per voxel; to: empty ones. */
void dosimetry_warp_masks(struct mask *const *to, const struct mask *const *from, int count,
			  int sub, const struct dosimetry_scan *scan,
			  const struct dosimetry_input *input, int threads);

/* From voxels of the result back to those of the scan. */
struct dosimetry_warp_way {
	struct grid result; /* in the baseline's frame */
	struct deformation_view view;
	double per_mm[3][3], offset[3]; /* point of the scan's frame -> its voxel */
};
void dosimetry_warp_find_way(struct dosimetry_warp_way *way, const struct dosimetry_scan *scan,
			     const struct dosimetry_input *input);

/* place: (fractional) voxel of the scan, perhaps outside its grid. jacobian, shift_mm and false:
 * deformation_view_invert(). */
bool dosimetry_warp_back(double place[3], double *jacobian, const struct dosimetry_warp_way *way,
			 const double voxel[3], double shift_mm[3]);

/* dR2* carried to the result grid: once, trilinear, so that what tissue holds stays the same while
 * its volume changes. */
enum status_code dosimetry_warp_delta(struct volume *carried, const struct volume *delta_per_s,
				      const struct dosimetry_scan *scan,
				      const struct dosimetry_input *input, int threads,
				      struct status *st) STATUS_CHECKED;

#endif
