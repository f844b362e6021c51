/* mr_series.h - classic MR instances -> one series of slices and echoes.
 *
 * Slices are ordered by position along the normal, echoes by echo time; instance numbers are never used. Only magnitude images
 * take part (others are counted); instances must share rows, columns, spacing, orientation (1e-4) and frame of
 * reference. Positions equal within 0.01 mm along the normal are one slice. */
#ifndef MR_SERIES_H
#define MR_SERIES_H

#include "grid.h"
#include "instance_info.h"
#include "r2star.h"

#define MR_SERIES_MAX_ECHOES 64

struct mr_series {
	struct grid grid;              /* slice step along rising position on the normal; needs >= 2 slices (one: slice thickness) */
	int echoes;
	double te_ms[MR_SERIES_MAX_ECHOES];
	double tr_ms, flip_deg, field_strength_t; /* tesla after unit repair; NaN unknown */
	int *image;                    /* [slice * echoes + echo] = index into infos, -1 missing; owned */
	int magnitude, other_component; /* instances counted */
	bool complete;                 /* no gap, every slice has every echo */
	char missing[160];             /* "echo 7 missing at slice 31" ("and 3 more"), "gap of 2 slices after slice 12"; "" when complete */
	int images_expected;           /* images_in_acquisition when all agree, else -1; counts all components written so */
	bool count_confirmed;          /* images_expected is met: as magnitude images, as all components, or per echo (= slices) */
	char acquisition_datetime[33], utc_offset[8]; /* earliest */
};

/* Arranges the instances of one DICOM series. infos are borrowed only during the call.
 * STATUS_REFUSE with words for what can never become a series: no magnitude images ("phase images only"), mixed matrix or
 * orientation, two images at one slice and echo with different content, TR or flip differing, unequal TE sets that no missing
 * image explains ("mixed echo times: ..."). A missing slice or echo is no refusal: complete = false and missing says which. */
enum status_code mr_series_arrange(struct mr_series *series, const struct instance_info *infos, int n_infos,
                                   struct status *st) STATUS_CHECKED;
void mr_series_free(struct mr_series *series);

/* Reads the pixels of all images into samples[(echo * slices + slice) * rows * columns ...] after the per-image scaling
 * (rescale slope and intercept; Philips: FP = (PV * RS + RI) / (RS * SS) by its private scale slope). read gives the data set of infos[index];
 * mr_series_load frees it. samples must hold echoes * grid_voxels() floats. May call read from `threads` threads at once. */
enum status_code mr_series_load(float *samples, const struct mr_series *series,
                                enum status_code (*read)(void *user, int index, struct dataset **ds, struct status *st),
                                void *user, int threads, struct status *st) STATUS_CHECKED;

#endif
