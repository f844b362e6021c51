/* dosimetry.h - from R2* maps, contours and injections to absorbed dose and every reported figure.
 *
 * The one entry is dosimetry_run(). For every time point k (after injection k; all scans so far are
 * given) the chain is:
 *
 *   dR2*_k = R2*(scan k) - R2*(baseline at the voxels of scan k)                    1/s
 *   c_k    = dR2*_k / relaxivity                                mg microspheres per mL
 *            carried once to the result grid, trilinear, through the scan's transform
 *   a_k    = sum over scans j <= k of (c_j - c_(j-1)) * SA_j                    MBq/mL
 *   D_k    = a_k * k166 / rho                                       Gy, cumulative
 *
 * MRI measures mass, not activity, and microspheres stay where they are. So what came between two
 * scans is converted with its own specific activity at its own injection (166Ho loses 2.55 % per
 * hour). Where several injections lie between two scans, SA_j = sum(A) / sum(A / SA); their
 * relaxivity is that of their mean holmium content, weighted by mass. The dose is that of complete
 * decay with all beta energy left in the voxel (local deposition; source paper,
 * doi 10.1007/s00259-022-05902-w).
 *
 * Baseline: voxelwise; or the region mean, one value over the liver minus all tumours. Then a
 * tumour whose native R2* is 20 /s below the liver's loses 16.5 Gy at 217.8 /s per mg/mL and 12
 * MBq/mg, which is why the method is named in every result.
 *
 * Motion. Every scan has its own transform to the result (rigid.h). R2* of the baseline is
 * intensive and smooth, so the *baseline* is resampled to each scan, and microspheres are carried
 * only once, to the result. Mass in the liver is compared before and after (resampled_mass_ratio).
 * Where a deformation joins a scan and the baseline, what the baseline says is looked up by it, and
 * microspheres come back by its inverse, their mass kept (dosimetry_warp.c).
 *
 * Evaluated region: where the baseline was fitted and its S0 is at least body_snr times its noise
 * (else: dark), outside artefact. Artefact is what was there before any microspheres:
 *
 *   - R2* above artefact_r2star_per_s: gas, lung, clips;
 *   - its flank: voxels joined to such a voxel, or to a dark one in or at the liver, with R2* above
 *     half way from the healthy liver's median to that limit. The field of gas falls with the third
 *     power of distance: R2* rises steeply towards it, and a small shift changes it by more than a
 *     treatment does. Native tissue is not joined to gas by such values, whatever its R2* is;
 *   - all within residual_mm of these and of the dark in or at the liver, because there they may
 * lie in the scan;
 *   - in each scan, gas that moved: what went dark in the liver next to the dark, and a rim around
 *     it as wide as the baseline's (dosimetry_void.c). Else its place would look like microspheres.
 *
 * Everywhere else the dose is NaN, and the volume is counted. A voxel without a value in one scan
 * has no dose at that time point; the next scan's increment then spans both intervals. Negatives
 * stay in every sum and mean: clamping them would add 0.40 sigma to tissue without uptake.
 *
 * Measurable. Of each VOI the volume without a value is told by cause: artefact, dark, beyond the
 * slices. Above not_measurable_above_percent of the VOI there is no dose of it: every figure of
 * dose is NaN, never 0. Volume with a doubtful value is: a lower bound (the *fit* is saturated: no
 * signal at the first echo; nothing is said of the tumour's uptake), few echoes, fat. Both together
 * above limited_above_percent, or an alignment worse than registration_limit_mm: "limited".
 *
 * Few echoes: where microspheres leave fewer than three usable echoes, R2* comes from the first
 * echo and the baseline's S0 (r2star_resolve()), scaled by the median ratio of S0 over voxels
 * fitted in both. That is off where TR or flip angle differ; where one of them is unknown they are
 * taken as equal and flagged, because the hottest voxels hang on it and the ratio still takes out
 * what all voxels share. Saturated voxels hold their lower bound and are counted.
 *
 * Outside the liver such a voxel is seldom microspheres: an edge of the body that moved by half a
 * voxel loses its signal as well, and comes out with hundreds of gray. It keeps its value, because
 * microspheres elsewhere must be seen; but where one is hotter than all of the liver, it sets the
 * maximum of the map and a viewer's window, and DOSIMETRY_HOT_OUTSIDE says so.
 *
 * Recovery: activity found in the liver with its tumours / net activity injected so far, each at
 * its own start. It is summed on each scan's own grid, before any resampling and before any
 * scaling. A voxel counts with its coverage; what is not measured contributes nothing, and its
 * volume is given.
 *
 * Healthy liver: the liver, and each part, minus all tumours and all necrosis. T/N: mean dose of
 * the tumour / mean dose of the healthy liver of its part; of the whole liver where it is in no
 * part. A group is in a part that holds 95 % of it.
 *
 * Several positions. The dose of one catheter position is what came between two scans when it alone
 * was injected between them; one that was also injected together with another has none of its own.
 *
 * Trend (uptake.h): per tumour, group and catheter position. x is what was injected so far through
 * the last position that feeds the tumour (its part is the tumour's, or it feeds the whole liver);
 * points are the scans after those injections. What another position brought before is the line's
 * intercept. A tumour without a mean dose at one of these points is not assessed. The dose at the
 * next injection is predicted from the same line; when its scan comes, expected_gy and
 * deviation_percent say how it turned out.
 *
 * Advice, only where advice_limit_gy is a number: for each healthy liver the activity, through the
 * last position that fed it, until its mean dose meets the limit. Research only.
 *
 * Pure: no files, no clock, no DICOM. Same input, same bits at any thread count. Any number of runs
 * may go on at once. */
#ifndef DOSIMETRY_H
#define DOSIMETRY_H

#include "mask.h"
#include "r2star.h"
#include "rigid.h"
#include "uncertainty.h"
#include "uptake.h"
#include "voi_stats.h"

#define DOSIMETRY_MAX_SCANS	   16 /* after-injection series of one treatment */
#define DOSIMETRY_MAX_INJECTIONS   32
#define DOSIMETRY_MAX_VOIS	   64
#define DOSIMETRY_MAX_POSITIONS	   8
#define DOSIMETRY_UNDERDOSE_LEVELS 4

/* GROUP: tumours taken together (confluent, or small and many): figures like a tumour's over the
 * union of its members, which stand in the list themselves; nothing is subtracted for it.
 * NECROSIS: a core without perfusion: out of healthy livers and out of the mass of liver and parts.
 */
enum voi_role { VOI_LIVER, VOI_PART, VOI_TUMOUR, VOI_OTHER, VOI_GROUP, VOI_NECROSIS };

/* One injection, numbered over the whole treatment in order of time (1..n). */
struct dosimetry_injection {
	int number;
	double start_s;			     /* seconds since 1970 UTC */
	double net_activity_mbq;	     /* at start; NaN: unknown, no recovery and no trend */
	double specific_activity_mbq_per_mg; /* at start, per mg of microspheres; required */
	double holmium_percent;		     /* of the batch, w/w; NaN: unknown */
	int position;			     /* index of the catheter position */
	int part_voi; /* index of the VOI_PART this position feeds; -1: whole liver or unknown */
	bool residual_pending; /* net activity is still the prepared one */
};

struct deformation;

/* One scan: R2* map as r2star_fit() left it (not resolved). Borrowed, and not changed. */
struct dosimetry_scan {
	const struct r2star_map *map; /* NULL where dosimetry_run() does not look at it */
	int after_injection;	      /* number of the last injection before it; baseline: 0 */
	double time_s;		      /* seconds since 1970 UTC; NaN: unknown */
	double tr_ms, flip_deg;	      /* NaN: unknown */
	/* rigid.h: point in the result's frame of reference -> point in the scan's; NULL: identity,
	 * the frames must be the same */
	const double *to_result;
	/* What the alignment left, mm, root mean square (registration.h): of an after-scan to the
	 * baseline, of the baseline to the result. The artefact mask grows by that of the scan. 0:
	 * held still by definition. NaN: not known (identity was taken, or a transform was given);
	 * then nothing grows, and DOSIMETRY_REGISTRATION_UNCERTAIN says so where there is a
	 * transform. */
	double residual_mm;
	/* After-scans: where tissue lies in the baseline, by more than the rigid transforms say
	 * (deformation.h; fixed is the scan, moving the baseline). NULL: rigid. */
	const struct deformation *deformation;
};

/* One VOI on the result grid. Borrowed. */
struct dosimetry_voi {
	const char *name;
	enum voi_role role;
	int part_voi; /* tumours: index of the part that holds it; -1: find it by overlap */
	const struct mask *mask;
};

enum dosimetry_baseline { BASELINE_VOXELWISE, BASELINE_REGION_MEAN };

/* All from the configuration: nothing here has a default. */
struct dosimetry_params {
	double relaxivity_per_s_per_mg_per_ml; /* at this field strength, > 0 */
	double relaxivity_holmium_percent; /* content it was found with; NaN: unknown, unscaled */
	double dose_constant_mj_per_mbq;   /* k166 */
	double density_g_per_ml;	   /* rho */
	enum dosimetry_baseline baseline;
	double body_snr;
	double artefact_r2star_per_s;
	double trend_threshold_percent;
	double dose_level_gy[VOI_DOSE_LEVELS];
	int dose_levels;
	/* tumours: volume below these doses, highest first; the first also as a mask */
	double underdosed_below_gy[DOSIMETRY_UNDERDOSE_LEVELS];
	int underdose_levels;
	/* Share of a VOI, percent: without a value or with a doubtful one, above the first its dose
	 * is "limited"; without a value above the second there is none. */
	double limited_above_percent, not_measurable_above_percent;
	double recovery_low_percent,
	    recovery_high_percent;    /* outside: DOSIMETRY_RECOVERY_OUTSIDE */
	double registration_limit_mm; /* residual above: DOSIMETRY_REGISTRATION_UNCERTAIN */
	struct uncertainty_params uncertainty;
	bool kernel;		/* beside local deposition, also the dose by the beta kernel */
	double advice_limit_gy; /* research advice: healthy-liver limit; NaN: no advice */
	int threads;
};

struct dosimetry_input {
	const struct grid *result_grid;
	struct dosimetry_scan baseline;
	/* in order of time, each with a higher after_injection; what was not imaged is left out */
	const struct dosimetry_scan *scans;
	int n_scans;
	const struct dosimetry_injection *injections; /* 1..n without a gap */
	int n_injections;
	/* The injection to come after all of these, net activity as planned, position and part set;
	 * its other fields are not used. NULL: none known, nothing predicted. Borrowed. */
	const struct dosimetry_injection *planned;
	const struct dosimetry_voi *vois; /* may be none: dose maps only */
	int n_vois;
};

/* What is worth telling a person; each has a text and, in reports, a code. Bits. */
enum dosimetry_flag {
	DOSIMETRY_SATURATED_VOXELS = 1 << 0, /* recovery is a lower bound */
	DOSIMETRY_S0_KNOWN_OFF = 1 << 1,     /* TR or flip differ between baseline and after */
	DOSIMETRY_ORDER_UNCLEAR = 1
				  << 2, /* mass increment outside 50..150 % of the injected mass */
	DOSIMETRY_RESIDUAL_PENDING = 1 << 3,
	DOSIMETRY_ACTIVITY_UNKNOWN = 1 << 4,
	DOSIMETRY_CONTENT_UNSCALED = 1 << 5, /* batch or calibration holmium content unknown */
	DOSIMETRY_TR_FLIP_DIFFER = 1 << 6,
	DOSIMETRY_NO_LIVER = 1 << 7,
	DOSIMETRY_NO_TUMOUR = 1 << 8,
	DOSIMETRY_TUMOURS_OVERLAP = 1 << 9,
	DOSIMETRY_RECOVERY_JUMP = 1 << 10,   /* changed by more than 10 points between two scans */
	DOSIMETRY_TR_FLIP_UNKNOWN = 1 << 11, /* TR or flip not given: taken as equal */
	DOSIMETRY_HOT_OUTSIDE = 1 << 12,     /* few-echo voxels outside the liver set the maximum */
	DOSIMETRY_REGISTRATION_UNCERTAIN = 1 << 13, /* residual unknown or above the limit */
	DOSIMETRY_RECOVERY_OUTSIDE = 1 << 14,	    /* of the configured band */
	DOSIMETRY_TN_BELOW_1 = 1 << 15,		    /* a tumour below its healthy liver */
	DOSIMETRY_TUMOUR_LIMITED = 1 << 16,
	DOSIMETRY_TUMOUR_NOT_MEASURABLE = 1 << 17,
	DOSIMETRY_OSCILLATION = 1 << 18, /* fat: in more than a tenth of the liver or of a tumour */
	DOSIMETRY_POSITION_WITHOUT_VOI = 1
					 << 19, /* a catheter position without a part of its own */
	DOSIMETRY_MASS_NOT_KEPT = 1 << 20	/* resampled_mass_ratio off by more than 0.5 % */
};
#define DOSIMETRY_LAST_FLAG DOSIMETRY_MASS_NOT_KEPT

/* Can the dose of a VOI be believed? NOT_MEASURABLE: all its dose figures, T/N and trend are NaN.
 */
enum voi_measurable { VOI_MEASURABLE, VOI_LIMITED, VOI_NOT_MEASURABLE };

/* Why not fully; bits; none where it is measurable. Every cause with at least 1 % of the VOI, and
 * the largest. The saturation here is that of the *fit* (signal gone at the first echo),
 * not of the tumour's uptake (uptake.h). */
enum voi_reason {
	VOI_REASON_ARTEFACT = 1 << 0,	   /* susceptibility before any microspheres, grown by the
					      registration residual */
	VOI_REASON_NO_SIGNAL = 1 << 1,	   /* dark before: air, void */
	VOI_REASON_OUTSIDE = 1 << 2,	   /* beyond the scan's slices */
	VOI_REASON_FIT_SATURATED = 1 << 3, /* lower bound */
	VOI_REASON_FEW_ECHOES = 1 << 4,	   /* from the first echo and the baseline's S0 */
	VOI_REASON_OSCILLATION = 1 << 5,
	VOI_REASON_REGISTRATION = 1 << 6 /* residual above the limit */
};
#define VOI_LAST_REASON VOI_REASON_REGISTRATION

struct dosimetry_voi_result {
	struct voi_stats dose;	    /* Gy, cumulative, unclamped */
	double mass_g;		    /* of the whole VOI */
	double activity_mbq;	    /* in its measured part, result grid */
	double tumour_to_normal;    /* NaN: not a tumour, or the healthy mean is not above 0 */
	int healthy_voi;	    /* index of the healthy liver it was divided by; -1 */
	double saturated_volume_ml; /* lower-bound voxels, at the scan of this time point */
	double s0_known_volume_ml;
	double not_measured_volume_ml; /* all causes together */
	double excluded_volume_ml;     /* of it, artefact as grown */
	double oscillating_volume_ml;
	double necrotic_volume_ml; /* liver and parts: of VOI_NECROSIS in it; not in mass_g */
	/* tumours and groups, per level; NaN when not asked */
	double underdosed_volume_ml[DOSIMETRY_UNDERDOSE_LEVELS];
	double underdosed_piece_ml[DOSIMETRY_UNDERDOSE_LEVELS]; /* largest connected piece */
	enum voi_measurable measurable;
	unsigned reasons;		/* enum voi_reason */
	struct uncertainty uncertainty; /* of dose.mean */
	struct voi_stats kernel_dose;	/* by the beta kernel; all NaN when off */
	/* dose.mean by catheter position, cumulative; NaN where it was not injected, or not imaged
	 * by itself. */
	double position_dose_gy[DOSIMETRY_MAX_POSITIONS];
};

/* 0: liver minus all tumours (empty without a liver VOI); 1 + i: the i-th part minus all tumours.
 */
struct dosimetry_healthy {
	int part_voi; /* -1: whole liver */
	struct dosimetry_voi_result figures;
};

/* Arrays per VOI have the order of the input. */
struct dosimetry_time_point {
	int after_injection;
	/* Result grid, cumulative; NaN: not evaluated. No samples where the time point was taken
	 * over and is not the last. */
	struct volume dose_gy;
	/* the same by the beta kernel; empty when off, or taken over */
	struct volume kernel_dose_gy;
	double kernel_lost_share; /* of the energy, over the edges of what is evaluated */
	/* tumours: the part below the first under-dose level; empty when none, and kept for the
	 * last time point only. Owned. */
	struct mask underdosed[DOSIMETRY_MAX_VOIS];
	struct dosimetry_voi_result voi[DOSIMETRY_MAX_VOIS];
	struct dosimetry_healthy healthy[DOSIMETRY_MAX_VOIS];
	int n_healthy;					/* 0 without a liver and parts */
	struct uptake_result trend[DOSIMETRY_MAX_VOIS]; /* tumours, at this time point */
	double injected_activity_mbq;  /* net, so far, each at its own start; NaN: unknown */
	double injected_mass_mg;       /* sum A / SA so far; NaN: unknown */
	double recovered_activity_mbq; /* in the liver with all tumours; NaN without a liver */
	double recovered_mass_mg;      /* the same region */
	double recovery_ratio; /* recovered / injected activity; NaN when either is unknown */
	/* VOI_PART: found in the part with its tumours / injected through its positions. NaN
	 * where that cannot be told: a position that feeds the whole liver, or a part that was fed
	 * and overlaps this one. */
	double part_recovery_ratio[DOSIMETRY_MAX_VOIS];
	double part_recovered_mbq[DOSIMETRY_MAX_VOIS]; /* VOI_PART: found there, with its tumours */
	double mass_increment_ratio; /* mass found / injected since the scan before; NaN */
	/* mass in the region on the result grid / on the scan grid: what carrying it over cost; 1
	 * within 0.5 % */
	double resampled_mass_ratio;
	double region_baseline_r2star_per_s; /* mean over healthy liver, scan grid */
	double region_volume_ml; /* liver with its tumours on the scan grid; NaN without a liver */
	double region_not_measured_ml;	  /* the part of it that cannot add to the recovery */
	double region_saturated_ml;	  /* the part of it that is a lower bound */
	double saturated_ml, s0_known_ml; /* of everything evaluated, scan grid */
	/* Result grid, outside the liver and all tumours; NaN without a liver. */
	double outside_maximum_gy;
	double outside_hot_ml;	      /* hotter than any voxel inside */
	double sigma;		      /* noise SD of the scan, signal units */
	double air_sigma;	      /* the same from air, to compare; NaN where air is zeroed */
	double s0_scale;	      /* median S0 of the scan / of the baseline */
	double to_result[RIGID_SIZE]; /* the transform used, identity without one */
	double residual_mm;	      /* of this scan to the baseline; NaN unknown */
	double recovery_uncertainty;  /* standard uncertainty of recovery_ratio; NaN */
	/* Research advice per healthy liver (index as healthy): activity until its limit. NaN: off.
	 */
	struct uptake_remaining advice[DOSIMETRY_MAX_VOIS];
	unsigned flags; /* enum dosimetry_flag */
};

/* VOIs, healthy livers, and the liver with its tumours. */
#define DOSIMETRY_NOISE_PIECES (2 * DOSIMETRY_MAX_VOIS + 1)

/* Sums over the scans so far, of the regions of recovery and of what the noise of the means is. */
struct dosimetry_running {
	double last_delta_ml_per_s, mass_mg, activity_mbq; /* of the liver with its tumours */
	double part_last_delta_ml_per_s[DOSIMETRY_MAX_VOIS], part_activity_mbq[DOSIMETRY_MAX_VOIS];
	double injected_mbq, injected_mg;
	/* per scan: Gy per 1/s of the interval before it; variance of mean R2* over each region,
	 * (1/s)^2 */
	double gy_per_delta[DOSIMETRY_MAX_SCANS];
	double scan_variance[DOSIMETRY_MAX_SCANS][DOSIMETRY_NOISE_PIECES];
};

/* What the next scan's increment needs of the scans before it: not to be read, but kept and given
 * back as it is. Per voxel of the result grid the sum of activity so far and the last dR2* that was
 * measured, with the number of its scan (0: baseline). */
struct dosimetry_sums {
	size_t voxels;				       /* 0: nothing yet */
	float *activity_mbq_per_ml, *last_delta_per_s; /* owned */
	uint8_t *last_scan;			       /* owned */
	struct dosimetry_running running;
};

struct dosimetry_result {
	int n_time_points;
	struct dosimetry_time_point *time_points; /* owned; one per scan */
	struct dosimetry_sums sums;
	double relaxivity_used; /* after scaling for holmium content, last interval */
	double baseline_sigma;	/* noise SD of the baseline, signal units */
	double baseline_air_sigma;
	double usable_sigma, saturated_sigma; /* as the baseline was fitted with */
	double evaluated_volume_ml;	      /* on the baseline grid */
	double excluded_artefact_ml;
};

/* Computes every time point that result does not have yet: all of them where it is empty ({0}).
 *
 * Going on: a result of the same baseline, VOIs, parameters and first scans with their injections
 * may be given, from a run before or from a file; then only the scans behind it are computed, and
 * only their maps and the baseline's are looked at (none where nothing is left to do). The numbers
 * are the same to the bit as those of one run over all scans. Whether two inputs are the same so
 * far is the caller's to know. Trends, advice, and what hangs on later injections are found anew
 * for all time points. The last time point always has its dose volume and under-dosed masks.
 *
 * The caller frees result with dosimetry_result_free(); unless STATUS_OK it is empty.
 * STATUS_REFUSE, in words: no relaxivity; scans out of order or without their injections;
 * injections out of order, without a specific activity, or with a net activity that is not above 0;
 * frames of reference that differ without a transform; nothing evaluated; a region-mean baseline
 * without a measured healthy liver; two livers; tumours that overlap by more than 5 % of the
 * smaller one (smaller overlaps are flagged); a tumour without a named part that lies in two parts
 * equally; with the kernel asked for, a result grid or a density it cannot be made for (kernel.h).
 * STATUS_RETRY: memory. STATUS_BUG: a mask on another grid, an index of a part that is none, a
 * result that is not one of these scans. */
enum status_code dosimetry_run(struct dosimetry_result *result, const struct dosimetry_input *input,
			       const struct dosimetry_params *params,
			       struct status *st) STATUS_CHECKED;

void dosimetry_result_free(struct dosimetry_result *result);

/* "saturated voxels: their dose, and the recovery, are lower bounds", for one flag bit. */
const char *dosimetry_flag_text(enum dosimetry_flag flag);
/* "measurable", "limited", "not measurable"; "susceptibility artefact", ... */
const char *voi_measurable_name(enum voi_measurable measurable);
const char *voi_reason_text(enum voi_reason reason);

#endif
