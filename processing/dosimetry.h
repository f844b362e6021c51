/* dosimetry.h - from R2* maps, contours and injections to absorbed dose and every reported figure.
 *
 * The one entry is dosimetry_run(). The chain, per time point k (after injection k; all scans so far are given):
 *
 *   dR2*   = R2*(after k) - R2*(baseline on the after-grid)                       1/s
 *   c_k    = dR2* / relaxivity                                                    mg microspheres per mL
 *            carried once to the result grid (trilinear; by the scan's transform when there is one)
 *   a      = sum over scans j <= k of (c_j - c_(j-1)) * SA_eff(injections between scans j-1 and j)   MBq/mL
 *   D      = a * k166 / rho     (local deposition)                                Gy, cumulative
 *
 * The baseline is voxelwise, or one mean over the liver minus all tumours (then tumours with another native R2*
 * are wrong by a known amount: the method is named in every result). Negatives stay in every sum and mean.
 * Outside the evaluated region (baseline not measurable, too little signal, artefact, not measured after injection)
 * the dose is NaN. Saturated voxels hold their lower bound and are counted.
 *
 * Recovery = activity found in liver (with its tumours) / net activity injected so far, summed on each scan's own grid
 * before any resampling, before any scaling.
 *
 * Pure: no files, no clock, no DICOM. Same input, same bits at any thread count. */
#ifndef DOSIMETRY_H
#define DOSIMETRY_H

#include "mask.h"
#include "r2star.h"
#include "uptake.h"
#include "voi_stats.h"

#define DOSIMETRY_MAX_SCANS      16 /* after-injection series of one treatment */
#define DOSIMETRY_MAX_INJECTIONS 32
#define DOSIMETRY_MAX_VOIS       64

enum voi_role { VOI_LIVER, VOI_PART, VOI_TUMOUR, VOI_OTHER };

/* One injection, numbered over the whole treatment in order of time (1..n). */
struct dosimetry_injection {
	int number;
	double start_s;                      /* seconds since 1970 UTC */
	double net_activity_mbq;             /* at start; NaN: unknown, then no recovery and no trend */
	double specific_activity_mbq_per_mg; /* at start; required */
	double holmium_percent;              /* of the batch, w/w; NaN: unknown */
	int position;                        /* index of the catheter position */
	int part_voi;                        /* index of the VOI_PART this position feeds; -1: whole liver or unknown */
	bool residual_pending;               /* net activity is still the prepared one */
};

/* One scan: R2* map as r2star_fit() left it (not resolved). Borrowed. */
struct dosimetry_scan {
	const struct r2star_map *map;
	int after_injection;      /* number of the last injection before it; baseline: 0 */
	double time_s;
	double tr_ms, flip_deg;   /* NaN: unknown */
	const double *to_result;  /* rigid 3x4 result-frame point -> scan-frame point; NULL: identity, same frame needed */
};

/* One VOI on the result grid. Borrowed. */
struct dosimetry_voi {
	const char *name;
	enum voi_role role;
	int part_voi;             /* tumours: index of the part that holds it; -1: find by overlap */
	const struct mask *mask;
};

enum dosimetry_baseline { BASELINE_VOXELWISE, BASELINE_REGION_MEAN };

struct dosimetry_params {
	double relaxivity_per_s_per_mg_per_ml; /* at this field strength, > 0 */
	double relaxivity_holmium_percent;     /* content it was found with; NaN: unknown, unscaled */
	double dose_constant_mj_per_mbq;
	double density_g_per_ml;
	enum dosimetry_baseline baseline;
	double body_snr;               /* evaluated where the baseline's S0 / sigma is at least this */
	double artefact_r2star_per_s;  /* not evaluated where the baseline R2* is above this */
	double trend_threshold_percent;
	double dose_level_gy[VOI_DOSE_LEVELS];
	int dose_levels;
	double underdosed_below_gy;    /* tumours: volume below this dose; NaN: not asked */
	int threads;
};

struct dosimetry_input {
	const struct grid *result_grid;
	struct dosimetry_scan baseline;
	const struct dosimetry_scan *scans; /* after injection, in order of time; each with a higher after_injection */
	int n_scans;
	const struct dosimetry_injection *injections;
	int n_injections;
	const struct dosimetry_voi *vois; /* may be none: dose maps only */
	int n_vois;
};

/* What is worth telling a person; each has a text and, in reports, a code. Bits. */
enum dosimetry_flag {
	DOSIMETRY_SATURATED_VOXELS = 1 << 0,    /* recovery is a lower bound */
	DOSIMETRY_S0_KNOWN_OFF = 1 << 1,        /* TR or flip differ between baseline and after */
	DOSIMETRY_ORDER_UNCLEAR = 1 << 2,       /* mass increment outside 50..150 % of the injected mass */
	DOSIMETRY_RESIDUAL_PENDING = 1 << 3,
	DOSIMETRY_ACTIVITY_UNKNOWN = 1 << 4,
	DOSIMETRY_CONTENT_UNSCALED = 1 << 5,    /* batch or calibration holmium content unknown */
	DOSIMETRY_TR_FLIP_DIFFER = 1 << 6,
	DOSIMETRY_NO_LIVER = 1 << 7,
	DOSIMETRY_NO_TUMOUR = 1 << 8,
	DOSIMETRY_TUMOURS_OVERLAP = 1 << 9,
	DOSIMETRY_RECOVERY_JUMP = 1 << 10,      /* recovery changed by more than 10 points between scans */
	DOSIMETRY_TR_FLIP_UNKNOWN = 1 << 11     /* TR or flip not given: taken as equal */
};

struct dosimetry_voi_result {
	struct voi_stats dose;        /* Gy, cumulative, unclamped */
	double mass_g;
	double activity_mbq;          /* in the VOI, result grid */
	double tumour_to_normal;      /* mean / mean of the healthy liver of its part; NaN where not a tumour */
	int healthy_voi;              /* index of the healthy-liver figure it was divided by (see below); -1 */
	double saturated_volume_ml;   /* lower-bound voxels */
	double s0_known_volume_ml;
	double underdosed_volume_ml;  /* NaN when not asked */
	double not_measured_volume_ml;
};

/* Healthy liver: 0 = liver minus all tumours; 1 + i = part i (in order of vois) minus its tumours. */
struct dosimetry_healthy {
	int part_voi; /* -1: whole liver */
	struct dosimetry_voi_result figures;
};

struct dosimetry_time_point {
	int after_injection;
	struct volume dose_gy;          /* result grid, cumulative; NaN: not evaluated */
	struct dosimetry_voi_result voi[DOSIMETRY_MAX_VOIS];
	struct dosimetry_healthy healthy[DOSIMETRY_MAX_VOIS];
	int n_healthy;
	struct uptake_result trend[DOSIMETRY_MAX_VOIS]; /* tumours, at this time point */
	double injected_activity_mbq;   /* net, so far, each at its own injection time; NaN: unknown */
	double injected_mass_mg;        /* sum A / SA so far */
	double recovered_activity_mbq;  /* in the liver VOI joined with all tumours, on the scan grids; NaN without a liver */
	double recovered_mass_mg;       /* the same region */
	double recovery_ratio;          /* recovered / injected; NaN when either is unknown */
	double part_recovery_ratio[DOSIMETRY_MAX_VOIS]; /* per VOI_PART: found in the part / injected through its positions; NaN */
	double mass_increment_ratio;    /* increment found / injected since the previous scan; NaN */
	double resampled_mass_ratio;    /* mass in the liver region on the result grid / on the scan grid; 1 within 0.5 % */
	double region_baseline_r2star_per_s; /* mean over liver minus tumours, scan grid */
	double region_volume_ml;        /* liver with its tumours on the scan grid; NaN without a liver */
	double region_not_measured_ml;  /* the part of it that could not contribute to the recovery */
	double region_saturated_ml;     /* the part of it that is a lower bound */
	double sigma;                   /* noise SD of the after-series */
	double s0_scale;
	unsigned flags;                 /* enum dosimetry_flag */
};

struct dosimetry_result {
	int n_time_points;
	struct dosimetry_time_point *time_points; /* owned */
	double relaxivity_used;       /* after scaling for holmium content, last scan */
	double baseline_sigma;
	double evaluated_volume_ml, excluded_artefact_ml;
};

/* Computes every time point. result is untouched unless STATUS_OK; the caller frees it with dosimetry_result_free().
 * STATUS_REFUSE (says which): no relaxivity, a specific activity missing, scans out of order, frames of reference that
 * differ without a transform, tumours that overlap by more than 5 % of the smaller one, an overlap that puts a tumour in two parts equally.
 * STATUS_RETRY: memory. */
enum status_code dosimetry_run(struct dosimetry_result *result, const struct dosimetry_input *input,
                               const struct dosimetry_params *params, struct status *st)
        STATUS_CHECKED;

void dosimetry_result_free(struct dosimetry_result *result);

/* "saturated voxels: recovery is a lower bound", for one flag bit. */
const char *dosimetry_flag_text(enum dosimetry_flag flag);

#endif
