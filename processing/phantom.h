/* phantom.h - a synthetic treatment whose truth is known before any voxel exists.
 *
 * An abdomen with a liver, its two hemilivers, tumours and, if asked, gas under the diaphragm. It
 * is built from smooth closed surfaces (ellipsoids, a plane that parts the liver) and smooth fields
 * of uptake; everything else follows:
 *
 *   c_j(p) = B_j * (w_right(p) + w_left(p)) + sum over tumours i of P_ij * w_i(p)
 *
 *   w_i     = 1 inside tumour i and plateau_mm beyond its surface, then falls smoothly to 0
 *   w_right, w_left = what the tumours leave of either part; every w falls smoothly to 0 below the
 *             liver's surface
 *   P_ij    = uptake_per_ml_i * share_ij * M_j
 *   B_j     = (M_j - sum_i P_ij * integral(w_i)) / integral(w_right + w_left)
 *
 * where c_j is what injection j brings, mg microspheres per mL, and M_j its mass, mg. An injection
 * into the artery of one part leaves the fields of the other out; with `parted` set these end at
 * the plane, so that nothing crosses it.
 *
 * So the liver holds exactly what was injected (recovery is 1 by construction, also per part), a
 * tumour's dose is its plateau (closed form: uptake_per_ml * activity * k / rho), tumours follow
 * the injected activity in a straight line where share is 1, and what a saturating tumour no longer
 * takes goes to the healthy liver. A tumour may be uneven: a necrotic or a hot core, a dorsal cap
 * without uptake, or a place at the liver's edge; its w is then integrated like the liver's. The
 * integrals come from phantom_integrate(): lines through the liver cut exactly at every surface,
 * Gauss points between the cuts. No truth is ever read from voxels or polygons.
 *
 * Signals are means over sub-voxels of S0 * exp(-te * (R2*_baseline + relaxivity * c)), in liver
 * with a share of fat that turns against water by 3.4 ppm, then magnitude of the sum with complex
 * Gaussian noise (Rician), then rounded to 16 bit. Noise is a function of (seed, stream, voxel)
 * only, so any order of work and any number of threads gives the same bits.
 *
 * The plateau is as wide as it is so that a 5 mm slice and its neighbour, used for interpolation,
 * still see the tumour's own value at its edge; with sharp set all w are 0 or 1 and baselines step,
 * and the partial-volume loss of hard edges can be measured.
 *
 * Points are patient coordinates (LPS, mm). Pure: arrays in, arrays out. Any function may run at
 * the same time on different outputs. */
#ifndef PHANTOM_H
#define PHANTOM_H

#include <stdbool.h>
#include <stdint.h>

#include "grid.h"

#define PHANTOM_MAX_TUMOURS    5
#define PHANTOM_MAX_INJECTIONS 16
#define PHANTOM_MAX_ECHOES     64
#define PHANTOM_MAX_VOIS       (3 + PHANTOM_MAX_TUMOURS + 1)

/* Fields of uptake, w above. Without parts all healthy liver is the right one's. */
enum { PHANTOM_FIELD_RIGHT, PHANTOM_FIELD_LEFT, PHANTOM_FIELD_TUMOUR };
#define PHANTOM_MAX_FIELDS (PHANTOM_FIELD_TUMOUR + PHANTOM_MAX_TUMOURS)

#define PHANTOM_LIVER_SIGNAL 10000.0 /* S0 of healthy liver, counts: SNR is this over sigma */

/* ---- shapes ---- */

/* An infinite semi-axis makes an elliptic cylinder. */
struct phantom_ellipsoid {
	double centre_mm[3], semi_mm[3];
};

struct phantom_tumour {
	struct phantom_ellipsoid shape;
	const char *name;
	double uptake_per_ml; /* share of an injection that 1 mL of it takes */
	double last_share;    /* of that, at the last of four or more injections: < 1 saturates */
	/* Uptake in the core, relative: 0 is necrosis. Whole up to core_from of the radius, gone at
	 * core_to (shares of the radius; 0: no core). */
	double core_uptake, core_from, core_to;
	/* Dorsal cap: uptake falls from cap_from_mm behind the centre to none at cap_to_mm (0: no
	 * cap). */
	double cap_from_mm, cap_to_mm;
	bool at_edge; /* reaches into the rim below the liver's surface */
};

/* All shapes are in a frame of their own: local = axes * (patient - origin_mm). */
struct phantom_model {
	double origin_mm[3], axes[3][3];
	double low_mm[3], high_mm[3];	   /* local box; nothing of the liver counts outside */
	struct phantom_ellipsoid liver[2]; /* smoothly joined */
	int liver_bodies;
	bool has_parts; /* right: cut_normal . p < cut_offset_mm, left: the rest */
	double cut_normal[3], cut_offset_mm;
	double left_uptake; /* healthy left part relative to the right; with parted not used */
	bool parted;	    /* uptake of a part ends at the plane */
	struct phantom_tumour tumours[PHANTOM_MAX_TUMOURS];
	int n_tumours;
	double plateau_mm, fall_mm, rim_mm;
	double liver_r2star_per_s,
	    tumour_r2star_per_s; /* before microspheres; NaN over real images */
	double fat_share;	 /* of the liver's signal; 0 none */
	bool sharp, gas;
};

struct phantom_variant {
	bool sharp, gas;
	bool parted;
	bool hot;	/* for 9000 MBq: tumours of 400, 400 (with a hotter core) and 260 Gy */
	bool necrosis;	/* a core of the largest tumour */
	bool untreated; /* a dorsal cap of the largest tumour */
	double fat_percent;
};

/* The abdomen: liver about 1.95 L, tumours of 3, 15, 35 and 90 mL (the third saturates), upright in
 * the patient's axes; with gas a fifth, the dome tumour, right below it. */
void phantom_model_abdomen(struct phantom_model *model, const struct phantom_variant *variant);

#define PHANTOM_SLAB_TUMOURS 4

/* A liver and tumours as elliptic cylinders through a whole thin slab of real images: local axes
 * are the grid's (column, row, slice), origin at its centre. centre_mm and radius_mm (in the slab's
 * plane, local) place the liver; up to four tumours sit inside it on a ring, as many as fit, the
 * first at turn_rad from the column direction. uptake_per_ml is left 0. No parts. STATUS_REFUSE
 * when the radius is below 30 mm. */
enum status_code phantom_model_slab(struct phantom_model *model, const struct grid *grid,
				    const double centre_mm[2], double radius_mm, double turn_rad,
				    struct status *st) STATUS_CHECKED;

/* What a VOI of the model is. 0: Liver; then, with parts, Right and Left hemiliver; then the
 * tumours; then a necrotic core. */
enum phantom_role { PHANTOM_LIVER, PHANTOM_RIGHT, PHANTOM_LEFT, PHANTOM_TUMOUR, PHANTOM_NECROSIS };
struct phantom_voi {
	enum phantom_role role;
	int tumour; /* index, PHANTOM_TUMOUR and PHANTOM_NECROSIS */
	int part;   /* index of the VOI that holds this tumour; -1 */
	char name[32];
};
int phantom_vois(struct phantom_voi vois[PHANTOM_MAX_VOIS], const struct phantom_model *model);

/* Below 0 inside the VOI, above outside; near the surface about the distance to it in mm. */
double phantom_distance_mm(const struct phantom_model *model, const struct phantom_voi *voi,
			   const double patient_mm[3]);

/* Every w at a point. */
void phantom_weights(double weights[PHANTOM_MAX_FIELDS], const struct phantom_model *model,
		     const double patient_mm[3]);

/* What a point is made of; outside the body all signals are 0. gas_slip_mm: how far the gas has
 * moved up against the body. Only for the abdomen. */
struct phantom_tissue {
	int kind;
	double s0, r2star_per_s; /* multi-echo series, before microspheres */
	double fat_share;	 /* of s0 */
	double anatomy;		 /* signal of the T1-weighted series */
};
void phantom_tissue_at(struct phantom_tissue *tissue, const struct phantom_model *model,
		       const double patient_mm[3], double gas_slip_mm);

/* ---- truth ---- */

#define PHANTOM_LEVELS	    1024
#define PHANTOM_LEVEL_WIDTH (4.0 / PHANTOM_LEVELS)

struct phantom_integrals {
	double volume_ml[3];			 /* liver, right, left */
	double weight_ml[3][PHANTOM_MAX_FIELDS]; /* integral of each w over them */
	/* Inside each tumour: volume, integral of its own w, and the volume where that is below n *
	 * PHANTOM_LEVEL_WIDTH. */
	double tumour_ml[PHANTOM_MAX_TUMOURS], tumour_weight_ml[PHANTOM_MAX_TUMOURS];
	double tumour_below_ml[PHANTOM_MAX_TUMOURS][PHANTOM_LEVELS + 1];
	double step_mm;
};

/* Lines step_mm apart; 1 mm is converged to 0.01 %. STATUS_RETRY: memory. */
enum status_code phantom_integrate(struct phantom_integrals *integrals,
				   const struct phantom_model *model, double step_mm, int threads,
				   struct status *st) STATUS_CHECKED;

/* What an injection feeds. */
enum phantom_feeds { PHANTOM_FEEDS_ALL, PHANTOM_FEEDS_RIGHT, PHANTOM_FEEDS_LEFT };

/* The injections of one course. */
struct phantom_course {
	int injections;
	int position[PHANTOM_MAX_INJECTIONS]; /* of the catheter; its injections are consecutive */
	enum phantom_feeds feeds[PHANTOM_MAX_INJECTIONS];
	double activity_mbq[PHANTOM_MAX_INJECTIONS];		     /* net, at its start */
	double specific_activity_mbq_per_mg[PHANTOM_MAX_INJECTIONS]; /* at its start */
	double relaxivity_per_s_per_mg_per_ml;
	double dose_constant_mj_per_mbq, density_g_per_ml;
	/* solved: mg/mL that injection j adds where w is 1 */
	double level_mg_per_ml[PHANTOM_MAX_INJECTIONS][PHANTOM_MAX_FIELDS];
};

/* Fills level_mg_per_ml from the other fields. STATUS_REFUSE when the tumours would take more than
 * was injected. */
enum status_code phantom_solve(struct phantom_course *course, const struct phantom_model *model,
			       const struct phantom_integrals *integrals,
			       struct status *st) STATUS_CHECKED;

/* True when injection j (0..) reaches this tumour. */
bool phantom_feeds_tumour(const struct phantom_course *course, const struct phantom_model *model,
			  int injection, int tumour);

/* Cumulative truth of one VOI after injection k = 1.. (index k - 1). */
struct phantom_truth {
	double volume_ml;
	double mean_dose_gy[PHANTOM_MAX_INJECTIONS];
	double activity_mbq[PHANTOM_MAX_INJECTIONS];	   /* each at its own injection */
	double delta_r2star_per_s[PHANTOM_MAX_INJECTIONS]; /* mean */
	double tumour_to_normal[PHANTOM_MAX_INJECTIONS];   /* tumours; NaN else */
};
void phantom_truth(struct phantom_truth *truth, const struct phantom_model *model,
		   const struct phantom_integrals *integrals, const struct phantom_course *course,
		   const struct phantom_voi *voi);

/* The same for a VOI (liver or part) without its tumours. */
void phantom_truth_healthy(struct phantom_truth *truth, const struct phantom_model *model,
			   const struct phantom_integrals *integrals,
			   const struct phantom_course *course, const struct phantom_voi *voi);

/* Volume of a tumour below a dose, after injection k = 1.. (index k - 1). */
void phantom_underdosed_ml(double volume_ml[PHANTOM_MAX_INJECTIONS],
			   const struct phantom_integrals *integrals,
			   const struct phantom_course *course, int tumour, double below_gy);

/* ---- images ---- */

struct phantom_scan {
	struct grid grid;
	int echoes;
	double te_ms[PHANTOM_MAX_ECHOES];
	double field_strength_t; /* turns fat against water */
	double snr;		 /* S0 of healthy liver / sigma; infinite: no noise */
	uint64_t seed;
};

/* Series that see the patient in the same pose: how many injections came before each, rising; 0 is
 * the baseline. */
struct phantom_pose;
struct phantom_view {
	const struct phantom_pose *pose;
	int after[1 + PHANTOM_MAX_INJECTIONS];
	int n_series;
};

/* One slice of all series of a view: pixels[((series * echoes) + echo) * rows * columns + ...].
 * STATUS_RETRY: memory. */
enum status_code phantom_multi_echo_slice(uint16_t *pixels, const struct phantom_model *model,
					  const struct phantom_course *course,
					  const struct phantom_scan *scan,
					  const struct phantom_view *view, int slice,
					  struct status *st) STATUS_CHECKED;

/* One slice of the T1-weighted series, the patient at rest: rows * columns pixels. Uses grid, snr
 * and seed of scan. */
enum status_code phantom_anatomy_slice(uint16_t *pixels, const struct phantom_model *model,
				       const struct phantom_scan *scan, int slice,
				       struct status *st) STATUS_CHECKED;

/* Writes microspheres into real magnitude images of one slice: samples and out are [echo][rows *
 * columns]. With a = mean over sub-voxels of exp(-te * dR2*), out = |a * S + n|, n complex Gaussian
 * of variance sigma^2 (1 - a^2) per component: signal falls by a, the noise (already sigma in S) is
 * brought back to sigma, so E[out^2] = (E[S^2] - 2 sigma^2) a^2 + 2 sigma^2. injections: how many
 * so far. */
void phantom_add_microspheres(float *out, const float *samples, const struct phantom_model *model,
			      const struct phantom_course *course, int injections,
			      const struct phantom_scan *scan, double sigma, int slice);

/* ---- contours ---- */

struct phantom_contour {
	int slice;
	int points;
	double *points_mm; /* 3 * points, patient; owned by the set */
};
struct phantom_contour_set {
	struct phantom_contour *contours;
	int count;
};

/* Where the VOI's surface cuts the planes of the grid's slices (at the slice centres): closed
 * polygons whose corners lie on the surface, at most about step_mm apart. The caller frees with
 * phantom_contour_set_free(). STATUS_RETRY: memory. */
enum status_code phantom_contours(struct phantom_contour_set *set,
				  const struct phantom_model *model, const struct phantom_voi *voi,
				  const struct grid *grid, double step_mm,
				  struct status *st) STATUS_CHECKED;
void phantom_contour_set_free(struct phantom_contour_set *set);

#endif
