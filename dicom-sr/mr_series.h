/* mr_series.h - classic MR instances -> one series of slices and echoes.
 *
 * Slices are ordered by position along the normal, echoes by echo time; instance numbers are never
 * used (vendors give two echoes the same one). Only magnitude images take part, others are counted;
 * images that say nothing of their component are taken for magnitude when no image of the series
 * says it is. All must share matrix, spacing, orientation (1e-4), frame of reference, TR and flip
 * angle. Positions within 0.01 mm along the normal are one slice, echo times within 0.005 ms one
 * echo. Without any echo time (anatomy that was exported so) there is one echo, its time NaN; the
 * same code serves single-echo anatomy of any modality.
 *
 * Not here: Enhanced MR (refused), and whether two series belong to one treatment. */
#ifndef MR_SERIES_H
#define MR_SERIES_H

#include "grid.h"
#include "instance_info.h"
#include "r2star.h"

#define MR_SERIES_MAX_ECHOES 64

struct mr_series {
	/* Slices along rising position on the normal; one slice: its step is the slice thickness
	 * (NaN when that is unknown). With gaps the steps are those of the slices that are there.
	 */
	struct grid grid;
	int echoes;
	double te_ms[MR_SERIES_MAX_ECHOES];
	double tr_ms, flip_deg;
	double field_strength_t; /* after unit repair; NaN unknown */
	int *image;		 /* [slice * echoes + echo] = index into infos, -1 missing; owned */
	int magnitude, other_component; /* instances counted, re-sent ones once */
	bool complete;			/* no gap, every slice has every echo */
	/* In words, slices and echoes counted from 1: "echo 7 missing at slice 31 and 3 more",
	 * "gap of 2 slices after slice 12", "unequal slice spacing: ..."; "" when complete. */
	char missing[160];
	/* Images in Acquisition (0020,1002) when all instances agree, else -1. Vendors count
	 * differently with it, so complete series are confirmed when it is met as magnitude
	 * images, as all components, or per echo (= slices). */
	int images_expected;
	bool count_confirmed;
	char acquisition_datetime[33], utc_offset[8]; /* earliest image; "" unknown */
};

/* Arranges the instances of one DICOM series, in whatever order they come; infos are borrowed
 * during the call only. series is untouched unless STATUS_OK; freed with mr_series_free().
 *
 * STATUS_REFUSE with words for what can never become a series, whatever else arrives: no magnitude
 * images ("phase images only"), mixed matrix, orientation, TR or flip angle, slices shifted within
 * their plane, two images of different content at one slice and echo (repeated or dynamic
 * acquisitions), echo times that differ between slices in a way that no missing image explains
 * ("mixed echo times: ..."). A missing slice or echo is no refusal: complete is false and missing
 * says which. Two images of equal evidence are one. */
enum status_code mr_series_arrange(struct mr_series *series, const struct instance_info *infos,
				   int n_infos, struct status *st) STATUS_CHECKED;
void mr_series_free(struct mr_series *series);

/* Reads the pixels of all images into samples[(echo * slices + slice) * rows * columns ...], which
 * must hold echoes * grid_voxels() floats. Missing images are NaN.
 *
 * Each image has its own scaling: PV * RS + RI (rescale slope and intercept), and where Philips'
 * private scale slope SS is there, (PV * RS + RI) / (RS * SS), the only value that can be compared
 * between images. STATUS_REFUSE when some images have it and others not, when it is gone from
 * images of that maker whose rescale slopes differ (then display values differ in scale by an
 * unknown factor), or a slope is 0.
 *
 * read gives the data set of infos[index], which is freed here; it may be called from `threads`
 * threads at once. Of several faults the one of the first image in order is told. */
enum status_code mr_series_load(float *samples, const struct mr_series *series,
				enum status_code (*read)(void *user, int index, struct dataset **ds,
							 struct status *st),
				void *user, int threads, struct status *st) STATUS_CHECKED;

#endif
